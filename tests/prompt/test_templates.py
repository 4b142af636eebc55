"""Templates: what they can give, how many that is, and where each character of it is written."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.errors import ArgumentError, PromptError
from clipcond.prompt import Template
from tests.failures import failures_of

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "templates.json").read_text(encoding="utf-8")
)
LISTS = {"colour": ["red", "2::blue"], "deep/place": ["a __colour__ hill", "{sea|lake}"]}


def texts(template, wildcards=None):
    return [str(text) for text in Template(template, wildcards).combinations()]


def test_combinations_are_those_of_dynamicprompts():
    """Recorded by tests/data/make_templates.py; asked again where it is installed."""

    def check(case):
        text, wanted = case
        template = Template(text, RECORDED["lists"])
        assert (texts(text, RECORDED["lists"]), template.count) == (wanted, len(wanted))
        assert template.issues == () or "{3$$a|b}" in text

    cases = RECORDED["combinations"].items()
    assert len(cases) > 200
    assert not failures_of(check, cases, lambda case: case[0])


def test_what_is_otherwise_than_there():
    def check(case):
        template, wanted = case
        assert texts(template) == wanted

    cases = [
        ("$5 {a|$10}", ["$5 a", "$5 $10"]),
        ("{50%|b} # c", ["50% # c", "b # c"]),
        (r"\{a|b\} {c\|d|e}", ["{a|b} c|d", "{a|b} e"]),
        (r"\__a__, [b\|c], \(d\), e\\", [r"__a__, [b\|c], \(d\), e\\"]),
        (r"{\$$a|b}", ["$$a", "b"]),
        ("a{ big| small } cat", ["a big cat", "a small  cat"]),
        ("{[a|b]|c}", ["[a|b]", "c"]),
        ("{[a|{b|c}]|d}", ["[a|b]", "[a|c]", "d"]),
        ("{[a|b}", ["[a", "b"]),
        ("{0::a|b}", ["b"]),
        ("{a} {{b}} {}", ["{a} {{b}} {}"]),
        ("{{a|b}} c", ["{a} c", "{b} c"]),
        ("{1.3::a::|-1::b::, c|2::1.1::d::}", ["1.3::a::", "-1::b::, c", "1.1::d::"]),
        ("{2$$、$$猫|犬}", ["猫、犬", "犬、猫"]),
        (r"{2$$\{$$a|b}", ["a{b", "b{a"]),
        ("{ 2 $$a|b}", ["a,b", "b,a"]),
        ("{1::|a}", ["", "a"]),
        ("__ a __ ____ _a_", ["__ a __ ____ _a_"]),
        ("", [""]),
    ]
    assert not failures_of(check, cases)


WORDS = st.sampled_from(
    ["a", "b ", "猫", "\U0001f98a", "(x:1.2)", "[y|z]", "", " ", r"\{", r"\\", "0.5"]
)


@st.composite
def templates(draw, depth=0):
    """A template that is read without errors."""
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.integers(0, 5))
        if kind == 0 and depth < 3:
            n = draw(st.integers(1, 4))
            options = [draw(templates(depth + 1)) for _ in range(n)]
            weights = [draw(st.sampled_from(["", "", "2::", ".5::", "1.25::"])) for _ in options]
            head = draw(st.sampled_from(["", "", "2$$", "1-2$$, $$", "0-$$|$$", "-3$$"]))
            joined = "|".join(w + o for w, o in zip(weights, options, strict=True))
            parts.append(f"{{{head}{joined}}}")
        elif kind == 1:
            parts.append(draw(st.sampled_from(["__colour__", "__deep/*__"])))
        else:
            parts.append(draw(WORDS))
    return "".join(parts)


@settings(max_examples=150, deadline=None)
@given(templates(), st.integers())
def test_random_gives_one_of_the_combinations(text, seed):
    template = Template(text, LISTS)
    drawn = template.random(seed)
    assert drawn == Template(text, LISTS).random(seed)
    if template.count <= 300:
        made = texts(text, LISTS)
        assert len(made) == template.count
        assert drawn in made
    first, last = template.combination(0), template.combination(template.count - 1)
    for text in (drawn, first, last):
        check_origins(text, template.text)


def check_origins(variant, template):
    """Every character is written where its origin says, but the comma that joins by default."""
    lines = {each.rpartition("::")[2] if each[0].isdigit() else each for each in LISTS["colour"]}
    for i, character in enumerate(variant):
        source, position, file, _ = variant.origin(i)
        assert source[position] == character or (character, source[position]) == (",", "{")
        assert (source == template) == (file == "")
        assert not file or any(source.endswith(line) for line in (*lines, *LISTS["deep/place"]))


def read_or_error(text):
    try:
        return Template(text, LISTS)
    except PromptError as error:
        return error


@settings(max_examples=300, deadline=None)
@given(st.text("{}|[]$-:_\\12ab, 猫", max_size=40))
def test_any_text_is_read_or_refused_with_its_place(text):
    template = read_or_error(text)
    if isinstance(template, PromptError):
        assert 0 <= template.position <= len(text)
        assert template.remedy
        return
    assert template.random(1) in islice(template.combinations(), 20_000)
    if not {*text} & {*"{}_\\"}:
        assert template.random(1) == text


def test_every_piece_of_a_template_ends():
    text = "{2$$, $$0.5::a|[b|{c|d}]} __colour__ {{x} {-1$$y|z}"
    for start in range(len(text)):
        for stop in range(start, len(text) + 1):
            try:
                template = Template(text[start:stop], LISTS)
            except PromptError:
                continue
            assert template.random(0) in texts(text[start:stop], LISTS)


def test_weights_and_numbers_are_kept_to():
    def drawn(template, n=2000):
        made = Template(template, LISTS)
        return Counter(str(made.random(seed)) for seed in range(n))

    counts = drawn("{3::a|b}")
    assert 0.71 < counts["a"] / 2000 < 0.79
    assert 0.63 < drawn("__colour__")["blue"] / 2000 < 0.70
    assert 0.46 < sum(n for t, n in drawn("{1-2$$a|b|c}").items() if "," in t) / 2000 < 0.54
    counts = drawn("{2$$8::a|b|c}")
    assert counts["b,c"] + counts["c,b"] < 0.1 * 2000
    assert {*counts} == {*texts("{2$$a|b|c}")}


def test_a_seed_gives_the_same_on_every_machine():
    template = Template("{a|b|c|d|e|f|g|h} {1-3$$x|y|z} __deep/place__", LISTS)
    assert [str(template.random(seed)) for seed in (0, 1, -5, 2**70, "x")] == SEEDED


SEEDED = ["h y,x,z a blue hill", "e y,z lake", "c y,z lake", "b z a blue hill", "b z a red hill"]


def test_counts_are_exact_without_making_anything():
    assert Template("{a|b}" * 1000).count == 2**1000
    assert Template("{a|{b|c}{d|e|f}}").count == 7
    numbers = "|".join(map(str, range(2_000)))
    assert Template(f"{{3$${numbers}}}").count == 2_000 * 1_999 * 1_998
    big = Template(f"{{3$${numbers}}}" * 3)
    made = [*islice(big.combinations(), 2)]
    assert made == ["0,1,20,1,20,1,2", "0,1,20,1,20,1,3"]
    assert big.combination(big.count - 1) == "1999,1998,1997" * 3
    many = Template("{a|b}" * 20_000)
    assert many.combination(5) == "a" * 19_997 + "bab"
    with pytest.raises(ArgumentError, match="it is not below 10 to the power of 6020"):
        many.combination(many.count)


def test_combinations_are_numbered_as_they_come():
    for text in ("{2$$a|{b|c}|{d|e|f}}", "{0-3$$a|{b|c}|{d|e}|g} {x|y}"):
        template = Template(text)
        made = [str(template.combination(i)) for i in range(template.count)]
        assert made == texts(text)
        assert len({*made}) == template.count
    assert texts("{2$$, $$a|{b|c}|d}") == [
        *("a, b", "a, c", "a, d", "b, a", "c, a", "b, d", "c, d", "d, a", "d, b", "d, c")
    ]
