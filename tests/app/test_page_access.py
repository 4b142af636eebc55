"""The page in Chinese, at every width, by keyboard, for screen readers, without other sites."""

import json
import re
from pathlib import Path

import pytest

from tests.app.browser import AXE, Visit, skip

TABS = ("draw", "inspect", "convert", "compare", "read")


def test_a_chinese_browser_gets_a_chinese_page(site, browsers):
    page = browsers["zh-CN"].new_page()
    visit = Visit(page, site[0]).open()

    assert page.url.endswith("/zh/")
    assert page.inner_text("#cp-draw") == "生成"
    assert page.eval_on_selector("html", "e => e.lang") == "zh-CN"
    visit.type("一只（红色：1.3）的猫 (")
    page.wait_for_selector("#cp-prompt-notes :text('没有闭合')")
    assert "种子" in page.inner_text("#cp-settings")
    visible = page.inner_text(".gradio-container")
    known = {"clipcond", "English", "Clip skip", "CFG", "LoRA", "DDIM SGM Uniform"}
    words = set(re.findall(r"[A-Za-z][A-Za-z ]{2,}[A-Za-z]", visible)) - known
    assert not {word for word in words if word.strip() not in known}, words
    page.close()


def test_the_other_language_is_a_link_away(visit):
    visit.page.click("header a")
    visit.page.wait_for_selector("#cp-draw:has-text('生成')")


@pytest.mark.parametrize("width", [390, 1440])
def test_every_tab_fits_and_is_accessible(visit, width):
    if AXE is None:
        skip("CLIPCOND_AXE does not name axe-core's axe.min.js")
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.type("a (red:1.3) apple (cat")
    visit.draw()
    wrong = []
    for name in TABS:
        visit.tab(name)
        visit.page.wait_for_timeout(800)
        assert visit.page.evaluate("() => document.documentElement.scrollWidth") <= width, name
        visit.page.evaluate(Path(AXE).read_text(encoding="utf-8"))
        found = visit.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        wrong += [
            (name, each["id"], [node["html"][:100] for node in each["nodes"]])
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]

    assert not wrong, json.dumps(wrong, indent=1)


def test_focus_goes_through_the_page_in_order(visit):
    visit.page.focus("#cp-prompt textarea")
    seen = []
    for _ in range(7):
        seen.append(visit.page.evaluate("() => document.activeElement.closest('[id^=cp-]').id"))
        visit.page.keyboard.press("Tab")

    assert seen[:6] == [
        *("cp-prompt", "cp-negative", "cp-draw", "cp-stop", "cp-dialect", "cp-tower"),
    ]


def test_every_field_has_a_label(visit):
    for name in TABS:
        visit.tab(name)
        visit.page.wait_for_timeout(400)
        nameless = visit.page.eval_on_selector_all(
            "input:visible, textarea:visible, button:visible".replace(":visible", ""),
            """all => all.filter(e => e.offsetParent && !(e.labels && e.labels.length)
                && !e.getAttribute("aria-label") && !e.innerText && !e.title)
                .map(e => e.outerHTML.slice(0, 120))""",
        )
        assert not nameless, name


def test_nothing_comes_from_elsewhere_and_nothing_is_complained_of(visit):
    visit.type("a red apple")
    visit.draw()
    for name in TABS:
        visit.tab(name)
        visit.page.wait_for_timeout(300)

    elsewhere = [
        url for url in visit.asked if not url.startswith((visit.address, "data:", "blob:"))
    ]
    assert not elsewhere
    assert not visit.complaints
