"""The page in Chromium: prompts, drawing, keys, languages, widths."""

import re

import pytest
from PIL import Image

from clipcond.metadata import read_parameters
from tests.app.browser import HOLD
from tests.own_model import SIDE

pytestmark = [pytest.mark.slow, pytest.mark.browser]
TABS = ("draw", "inspect", "convert", "compare", "read")


def test_the_counter_is_that_of_inspect(visit, capsys):
    from clipcond.cli import main

    for text in ("a (red:1.3) cat", "a red cat, " * 25, ""):
        visit.type(text)
        visit.page.wait_for_timeout(300)
        main(["inspect", text])
        told = re.findall(r"chunk \d+: (\d+) of (\d+) tokens", capsys.readouterr().out)
        assert visit.count() == " + ".join(f"{n}/{room}" for n, room in told)


def test_weights_are_marked_where_they_are(visit):
    visit.type("a (red:1.3) cat, a [small] dog")
    visit.page.wait_for_selector("#cp-prompt .cp-more")
    found = visit.page.eval_on_selector_all(
        "#cp-prompt .cp-layer mark", "marks => marks.map(m => [m.className, m.textContent])"
    )

    assert found == [
        ["cp-syntax", "("],
        ["cp-weight cp-more", "red"],
        ["cp-syntax", ":1.3)"],
        ["cp-syntax", "["],
        ["cp-weight cp-less", "small"],
        ["cp-syntax", "]"],
    ]
    style = "(e, name) => getComputedStyle(e).getPropertyValue(name)"
    for name in ("font-size", "line-height", "padding-left", "padding-top", "font-family"):
        area, layer = (
            visit.page.eval_on_selector(f"#cp-prompt {each}", style, name)
            for each in ("textarea", ".cp-layer")
        )
        assert area == layer, name


@pytest.mark.parametrize("text", ["a (cat", "一只（猫🦊 (cat"])
def test_a_caret_under_the_bracket_that_is_never_closed(visit, text):
    visit.type(text)
    block = visit.page.locator("#cp-prompt-notes pre", has_text="is never closed")
    block.wait_for()
    left = """(pre, which) => {
        const lines = pre.textContent.split("\\n");
        const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
        const caret = pre.textContent.indexOf("^");
        const bracket = pre.textContent.lastIndexOf("(", caret);
        const wanted = which === "caret" ? caret : pre.textContent.indexOf("(cat");
        for (let node, at = 0; (node = walker.nextNode()); at += node.length) {
            if (wanted >= at && wanted < at + node.length) {
                const range = document.createRange();
                range.setStart(node, wanted - at);
                range.setEnd(node, wanted - at + 1);
                return range.getBoundingClientRect().left;
            }
        }
    }"""

    assert block.evaluate(left, "caret") == pytest.approx(block.evaluate(left, "sign"), abs=1.5)
    assert "monospace" in block.evaluate("pre => getComputedStyle(pre).fontFamily")


def test_a_prompt_that_is_refused_says_so_under_its_field_and_nowhere_else(visit):
    visit.choose("dialect", "compel")
    visit.type('("a", "b").blend(1)')
    visit.page.wait_for_selector("#cp-prompt-notes.cp-error")
    visit.page.click("#cp-draw")
    visit.page.wait_for_selector("#cp-status .cp-error")

    assert "^" in visit.page.inner_text("#cp-prompt-notes")
    assert "Traceback" not in visit.page.inner_text("body")
    assert visit.page.locator(".toast-wrap .toast-body").count() == 0


def test_control_and_enter_draw_a_picture_that_is_saved(visit, site):
    visit.type("a red apple")
    before = visit.facts()
    visit.page.focus("#cp-prompt textarea")
    visit.page.keyboard.press("Control+Enter")
    facts = visit.drawn(before)
    visit.page.wait_for_selector("#cp-gallery img")
    width = "e => new Promise(r => { const ready = () => e.naturalWidth ? r(e.naturalWidth) "
    width += ": setTimeout(ready, 50); ready() })"

    assert facts.startswith("a red apple\nSteps: 20, ")
    assert visit.page.eval_on_selector("#cp-gallery .preview img", width) == SIDE
    seed = int(re.search(r"Seed: (\d+)", facts)[1])
    (file,) = (site[1] / "out").glob(f"*-{seed}.png")
    assert read_parameters(file).prompt == "a red apple"
    assert "Saved in" in visit.page.inner_text("#cp-status")


def test_control_and_arrows_change_weights(visit):
    press = visit.page.keyboard.press
    visit.type("a red cat")
    visit.page.focus("#cp-prompt textarea")
    press("End")
    steps = [
        ("Control+ArrowUp", "a red (cat:1.1)"),
        ("Control+ArrowUp", "a red (cat:1.2)"),
        ("Control+Shift+ArrowUp", "a red (cat:1.25)"),
        ("Control+ArrowDown", "a red (cat:1.15)"),
        ("Control+Shift+ArrowDown", "a red (cat:1.1)"),
        ("Control+ArrowDown", "a red cat"),
    ]
    for keys, text in steps:
        press(keys)
        visit.page.wait_for_function(
            "text => document.querySelector('#cp-prompt textarea').value === text", arg=text
        )
    press("Control+ArrowUp")
    visit.page.wait_for_function(
        "() => document.querySelector('#cp-prompt textarea').value.endsWith(':1.1)')"
    )
    press("Control+z")
    assert visit.prompt() == "a red cat"


SELECT = "(e, [start, stop]) => { e.focus(); e.setSelectionRange(start, stop) }"
UP, RED, FOX, START = "Control+ArrowUp", (2, 5), (6, 9), (0, 0)


@pytest.mark.parametrize(
    ("done", "text"),
    [
        ([RED, UP, (9, 9), " in snow"], "a (red:1.1) fox in snow"),
        ([FOX, UP, START, "big "], "big a red (fox:1.1)"),
        ([RED, UP, UP, UP, FOX, UP], "a (red:1.3) (fox:1.1)"),
        ([RED, UP, FOX, UP, START, "so ", UP], "so (a:1.1) (red:1.1) (fox:1.1)"),
        ([RED, UP, "big"], "a big fox"),  # what was pressed for is gone
        ([RED, UP, (5, 5), "dish"], "a (red:1.1)dish fox"),
    ],
)
def test_a_press_means_the_words_of_its_time(visit, done, text):
    """However late the answer comes, and whatever is typed or selected meanwhile."""
    visit.type("a red fox")
    visit.page.evaluate(HOLD)
    for each in done:
        if isinstance(each, tuple):
            visit.page.eval_on_selector("#cp-prompt textarea", SELECT, list(each))
        elif each == UP:
            visit.page.keyboard.press(each)
        else:
            visit.page.keyboard.type(each)
    visit.page.evaluate("() => window.release()")
    visit.page.wait_for_timeout(500)
    visit.page.wait_for_function(
        "text => document.querySelector('#cp-prompt textarea').value === text", arg=text
    )


def test_keys_write_the_syntax_of_the_dialect(visit):
    visit.choose("dialect", "compel")
    visit.type("a red cat")
    visit.page.eval_on_selector(
        "#cp-prompt textarea", "e => { e.focus(); e.setSelectionRange(2, 9) }"
    )
    visit.page.keyboard.press("Control+ArrowUp")
    visit.page.wait_for_function(
        "() => document.querySelector('#cp-prompt textarea').value === 'a (red cat)1.1'"
    )
    visit.page.wait_for_selector("#cp-prompt .cp-more")


def test_the_last_seed_again_is_the_same_picture(visit, site):
    visit.type("a dog")
    first = visit.draw()
    visit.page.click("#cp-reuse")
    seed = re.search(r"Seed: (\d+)", first)[1]
    visit.page.wait_for_function(
        "seed => document.querySelector('#cp-seed input').value === seed", arg=seed
    )
    visit.page.click("#cp-draw")
    visit.page.wait_for_selector("#cp-status .cp-progress")
    visit.page.wait_for_selector("#cp-status .cp-line:has-text('Saved in')")

    one, two = sorted((site[1] / "out").glob(f"*-{seed}.png"))
    assert Image.open(one).tobytes() == Image.open(two).tobytes()
    visit.page.click("#cp-random")
    visit.page.wait_for_function("() => document.querySelector('#cp-seed input').value === '-1'")


def test_settings_of_a_picture_go_back_into_the_fields(visit):
    visit.type("a (red:1.2) apple")
    visit.type("a cat", "negative")
    visit.draw()
    visit.type("something else")
    visit.page.get_by_role("button", name="Use these settings").first.click()
    visit.page.wait_for_function("() => document.querySelector('#cp-seed input').value !== '-1'")

    assert visit.prompt() == "a (red:1.2) apple"


def test_stop(visit):
    visit.type("a dog")
    visit.page.fill("#cp-count input", "16")
    visit.page.keyboard.press("Tab")
    visit.page.click("#cp-draw")
    visit.page.wait_for_selector("#cp-status .cp-progress")
    visit.page.click("#cp-stop")
    visit.page.wait_for_selector("#cp-status :text('Stopped: ')")


def test_heat_maps(visit):
    visit.type("a red apple")
    visit.page.check("#cp-heat input")
    visit.draw()
    visit.page.wait_for_selector("#cp-gallery caption:has-text('What each word drew')")
    visit.page.uncheck("#cp-heat input")


def test_names_of_files_are_added_to_the_prompt(visit):
    visit.type("a cat")
    visit.page.get_by_role("button", name="LoRAs and textual inversions").click()
    visit.page.click(".cp-chip:text('mood')")
    visit.page.click(".cp-chip:text('broken')")
    visit.page.wait_for_selector("#cp-prompt .cp-network")

    assert visit.prompt() == "a cat mood <lora:broken:1>"
    assert visit.count() == "5/75"


def test_inspect(visit):
    visit.type("a (red:1.3) cat")
    visit.tab("inspect")
    report = visit.page.locator("#cp-inspect")
    report.get_by_text("3/75 tokens").wait_for()

    visit.page.fill("#cp-prompt textarea", "a blue dog and a cat")
    visit.page.keyboard.press("Tab")
    report.get_by_text("6/75 tokens").wait_for()


def test_convert(visit):
    visit.type("a (red:1.3) cat # note")
    visit.tab("convert")
    visit.page.click("#cp-convert")
    visit.page.wait_for_selector("#cp-lost pre:has-text('# note')")
    assert visit.page.input_value("#cp-converted textarea") == "a (red)1.3 cat"

    visit.page.click("#cp-use")
    visit.page.wait_for_function(
        "() => document.querySelector('#cp-prompt textarea').value === 'a (red)1.3 cat'"
    )
    assert visit.page.input_value("#cp-dialect input") == "compel"


def test_compare(visit):
    visit.type("a (red:1.3) apple")
    visit.tab("compare")
    visit.page.click("#cp-compare")
    visit.page.wait_for_selector("#cp-compared-status :text('Saved in')")

    captions = visit.page.locator("#cp-compared .caption-label").all_inner_texts()
    assert [each.partition(":")[0] for each in captions] == ["a1111", "comfyui", "compel"]


def test_read(visit, site):
    visit.type("a red apple")
    facts = visit.draw()
    visit.page.get_by_role("button", name="Read this picture").click()
    visit.page.wait_for_function(
        "facts => (document.querySelector('#cp-info textarea') || {}).value === facts", arg=facts
    )
    visit.page.fill("#cp-labels textarea, #cp-labels input", "apple, dog")
    visit.page.click("#cp-classify")
    visit.page.wait_for_selector("#cp-classified th:text-is('apple')")
    visit.page.click("#cp-interrogate")
    visit.page.wait_for_function(
        "() => document.querySelector('#cp-interrogated textarea').value !== ''"
    )
    visit.page.click("#cp-score")
    visit.page.wait_for_selector("#cp-score-shown .cp-score")
    assert visit.page.eval_on_selector("#cp-picture img", "e => e.naturalWidth") == SIDE
    assert not visit.complaints
