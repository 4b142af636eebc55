"""The page of a report: all that is encoded, escaped, with nothing from elsewhere."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipcond import Conditioner
from clipcond.checkpoints.describing import describe_tower
from clipcond.conditioning.explaining import Explainer
from clipcond.conditioning.pages.style import STYLE
from clipcond.conditioning.pages.text import marked, spans_of, visible
from clipcond.errors import PromptError
from clipcond.prompt import Issue
from tests.conditioning.read_pages import read_page, tables
from tests.failures import failures_of
from tests.parity.models import tower_g, tower_l

PROMPT = "a (red:1.3) [cat:dog:0.5] (x:0.4) BREAK <b> AND snow BREAK (y:2) :0.7"
signs = st.text(
    st.one_of(st.sampled_from("<>&\"'()[]:\\\r\n\t\0\x1b\u202e\u200b猫 "), st.characters())
)


@pytest.fixture(scope="module")
def explainer():
    return Explainer((describe_tower("embedded"),))


@pytest.fixture(scope="module")
def pair():
    return Conditioner(tower_l(), tower_g()).explain(PROMPT, "bad")


@given(signs)
@example("\ud800 \ufffe \U000e0041")
def test_any_text_is_read_back(text):
    written = visible(text)

    assert read_page(f"<p>{written}</p>").text() == text
    assert all(each.isprintable() or each in "\n\t" for each in written if each.isascii())
    assert not re.search("[\x7f-\x9f\u202a-\u202e\u200b]", written)


@given(signs, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=6), st.data())
def test_marks_change_no_text(text, places, data):
    spans = [(min(at, len(text)), min(at + n, len(text)), i) for i, (at, n) in enumerate(places, 1)]
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    for first, last in ((0, len(text)), (start, stop)):
        page = read_page(marked(text, spans, first, last))
        inside = [span for span in spans if span[0] <= last and span[1] >= first]

        assert page.text() == text[first:last]
        assert sorted(int(each.children[0]) for each in page.all("sup")) == [
            n for _, _, n in inside
        ]
        covered = {i for a, b, _ in inside for i in range(max(a, first), min(b, last))}
        assert "".join(m.text() for m in page.all("mark")) == "".join(
            text[i] for i in sorted(covered)
        )


@given(signs)
@example("a\r\nb\0<script>alert('&amp;')</script>")
def test_any_prompt_is_on_its_page(explainer, text):
    try:
        report = explainer.explain(text, text)
    except PromptError:
        return
    page = read_page(report.html())

    assert [each.text() or "(empty)" for each in page.all("p", "cc-prompt")] == [
        text or "(empty)"
    ] * 2
    names = {each.tag for each in page.all()}
    assert not names & {"script", "b" * 9, "img", "link"}
    flows = page.all("ol", "cc-flow")
    segments = [each.text for each in report.parsed.segments]
    if segments:
        shown = [each.text() for each in flows[0].all("span", "cc-text")]
        assert [each for each in shown if each != "new chunk"] == segments


def test_everything_of_the_plan_is_on_the_page(pair):
    page, values = read_page(pair.html()), pair.json(compact=True)
    sides = [values, values["tower_2"], values["negative"], values["negative"]["tower_2"]]
    chunks = [chunk for side in sides for chunk in side["chunks"]]
    flows = [each for each in page.all("div", "cc-card") if each.all("h4")]

    assert len(flows) == len(tables(page)) == len(chunks) > 4
    for chunk, flow, (heads, *rows) in zip(chunks, flows, tables(page), strict=True):
        assert heads == ["Place", "Token", "Id", "Weight"]
        assert [row[0] for row in rows] == chunk["tokens"]
        assert [int(row[2]) for row in rows] == chunk["ids"]
        assert [row[3] for row in rows] == [f"{weight:.4g}" for weight in chunk["weights"]]
        items = flow.all("li")
        assert [each.all("span", "cc-text")[0].text() for each in items] == chunk["tokens"]
        shown = ["".join(n.text() for n in each.all("span", "cc-number")) for each in items]
        assert shown == ["" if w == 1 else f"{w:.4g}" for w in chunk["weights"]]
        n = len(chunk["ids"]) - 2
        assert f"{n}/75 tokens" in flow.all("h4")[0].text()
        assert (f"and {75 - n} of padding" in flow.text()) == (n < 75)


def test_issues_are_marked_at_their_place(pair):
    page = read_page(pair.html())
    (listed, *_) = page.all("ol", "cc-issues")
    prompt = page.all("p", "cc-prompt")[0]
    issues = pair.json()["issues"]

    assert [each.attributes["value"] for each in listed.all("li")] == ["1", "2", "3"]
    for item, issue in zip(listed.all("li"), issues, strict=True):
        assert issue["message"] in item.text()
        assert issue["remedy"] in item.text()
    marks = {
        mark.all("sup")[0].children[0]: mark.text()
        for mark in prompt.all("mark")
        if mark.all("sup")
    }
    assert marks["1"] == "[cat:dog:0.5]"
    assert marks["2"] == "<b>"
    assert marks["3"].startswith("AND snow")


def test_what_an_issue_is_about():
    def check(case):
        issue, source, found = case
        assert [source[start:stop] for start, stop, _ in spans_of(issue, source, 1)] == found

    cut = Issue("...", 8, "", "prompt-cut", ("dog , a b...",))
    cases = [
        (Issue("...", 2, words=("cat",)), "a cat dog", ["cat"]),
        (Issue("...", 1, words=("cat",)), "a cat dog", ["cat"]),
        (Issue("...", 0, words=("cat",)), "a cat dog", ["a"]),
        (Issue("...", 2, words=("xylo", "Foo")), "a Xylo xfoo foo xylo", ["Xylo", "foo"]),
        (Issue("'[a:b:1]' changes", 2), "a [a:b:1]", ["[a:b:1]"]),
        (Issue("'[a:b:1]' changes", 0), "a [a:b:1]", ["a"]),
        (Issue("...", 2), "a (b", ["("]),
        (Issue("...", 4), "a (b", [""]),
        (cut, "my cat, dog, a bird", ["dog, a bird"]),
        (cut, "my cat, bird, a dog", ["bird"]),
        (Issue("...", 8, "", "other", cut.words), "my cat, dog, a bird", ["dog"]),
        (Issue("...", 0, words=("",)), "", [""]),
    ]
    assert not failures_of(check, cases)


def test_steps_and_parts(pair):
    page, steps = read_page(pair.html()), pair.json()["steps"]
    items = page.all("ol", "cc-steps")[0].all("li")
    ranges = [each for each in items if each.all("b")[0].text().startswith("Step")]

    assert [each.all("b")[0].text() for each in ranges] == [
        "Steps 1 to 11 of 20",
        "Steps 12 to 20 of 20",
    ]
    lines = [each.all("span", "cc-line")[0].children[0].attributes["style"] for each in ranges]
    assert lines == ["--from:0.0000;--share:0.5500", "--from:0.5500;--share:0.4500"]
    for each, step in zip(ranges, steps, strict=True):
        parts = each.all("ul", "cc-parts")[0].all("li")
        assert [part.all("span", "cc-text")[0].text() for part in parts] == [
            p["text"] for p in step["parts"]
        ]
        assert [part.all("b")[0].text() for part in parts] == ["weight 1", "weight 0.7"]
        assert ["shown below" in part.text() for part in parts] == [
            p["encoded"] for p in step["parts"]
        ]
        assert [part.all("span", "cc-count")[0].text() for part in parts][1] == "1/75 + 1/75 tokens"


def test_layers_and_pooled_vectors_in_words():
    def facts(conditioner, prompt="a"):
        page = read_page(conditioner.explain(prompt).html())
        return [(a.text(), b.text()) for a, b in zip(page.all("dt"), page.all("dd"), strict=True)]

    def check(case):
        conditioner, layer, pooled = case
        found = facts(conditioner)
        assert ("Layer", layer) in found
        assert ("Pooled vector", pooled) in found

    both, norm = "block 3 of 4, the last but one", "with the final layer norm"
    own = Conditioner(tower_l(), clip_skip=3, pooled=True)
    set_layer = Conditioner(tower_l(), layer=own.layers()[0])
    cases = [
        (Conditioner(tower_l()), f"block 4 of 4, the last, {norm} (clip skip 1)", "not used"),
        (Conditioner(tower_l(), clip_skip=2), f"{both}, {norm} (clip skip 2)", "not used"),
        (own, f"block 2 of 4, {norm} (clip skip 3)", "from chunk 1, without weights"),
        (set_layer, f"block 2 of 4, {norm}", "not used"),
        (
            Conditioner(tower_l(), tower_g()),
            f"{both}, without the final layer norm (clip skip 1)",
            "from chunk 1, without weights",
        ),
    ]
    assert not failures_of(check, cases, lambda case: case[1])


def test_nothing_comes_from_elsewhere(pair):
    for page in (pair.html(), pair.html_fragment()):
        assert not re.search(
            r"(src|href|action|url)\s*[=(]|@import|@font-face|https?:|<link|<script", page
        )
        assert not re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", page))


def test_it_can_be_read_without_eyes_and_without_a_mouse(pair):
    page = read_page(pair.html())
    (html,) = page.all("html")
    levels = [int(each.tag[1]) for each in page.all() if re.fullmatch("h[1-6]", each.tag)]

    assert html.attributes["lang"] == "en"
    assert page.all("title")[0].text() == page.all("h1")[0].text() == "How a prompt is read"
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    for table in page.all("table"):
        assert table.all("caption")[0].text()
        heads = table.all("th")
        assert {each.attributes["scope"] for each in heads} == {"col", "row"}
        assert len(table.all("thead")[0].all("th")) == 4
    assert all(each.attributes["tabindex"] == "0" for each in page.all("div", "cc-scroll"))
    assert all(each.attributes["aria-label"] for each in page.all("div", "cc-scroll"))
    coloured = [e for n in ("cc-up", "cc-down") for e in page.all("li", n)]
    assert coloured
    assert all(each.all("span", "cc-number") for each in coloured)  # a number, not a colour alone


def test_a_fragment_leaves_the_page_around_it_alone(pair):
    fragment = read_page(pair.html_fragment())
    whole = read_page(pair.html())

    assert [each.tag for each in fragment.children] == ["div"]
    assert not {"html", "head", "body", "h1", "main"} & {each.tag for each in fragment.all()}
    assert [e.text() for e in fragment.all("h2")] == [e.text() for e in whole.all("h2")]
    assert not [each for each in fragment.all() if "id" in each.attributes]  # ids would clash
    rules = re.sub(r"@media [^{]*\{((?:[^{}]*\{[^{}]*\})*\s*)\}", r"\1", STYLE)
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", rules):
        assert all(each.strip().startswith(".clipcond-report") for each in selectors.split(","))


def test_tokens_are_the_more_coloured_the_farther_their_weight_is_from_one():
    colours = {
        1.0: None,
        1.3: ("cc-up", "0.30"),
        0.5: ("cc-down", "0.50"),
        0.0: ("cc-down", "1.00"),
        2.0: ("cc-up", "1.00"),
        5.0: ("cc-up", "1.00"),
        -1.0: ("cc-down", "1.00"),
    }
    conditioner = Conditioner(tower_l())

    def check(weight):
        page = read_page(conditioner.explain(f"(cat:{weight})").html())
        items = [
            e for e in page.all("li") if [t.text() for t in e.all("span", "cc-text")] == ["cat"]
        ]
        assert len(items) == 2  # the segment, and the token
        for item in items:
            name, strength = colours[weight] or (None, None)
            assert item.attributes.get("class") == name
            assert item.attributes.get("style") == (strength and f"--strength:{strength}")

    assert not failures_of(check, colours)
