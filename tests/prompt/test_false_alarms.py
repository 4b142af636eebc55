"""Titles, addresses, lists, intervals, times and values are ordinary; what is like them is not."""

import pytest

from clipcond.prompt import SYNTAXES
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_misreadings import issues

TITLES = ["Evangelion:1.0", "evangelion:1.11", "Web:2.0, a poster", "Iron Sky:2.0", "Industry: 4.0"]
ADDRESSES = ["IPv6 ::1", "fe80::1", "2001:db8::1", "localhost ::1 sticker", "::ffff:10.0.0.1"]
LISTS = [
    "1) cat, 2) dog",
    "a) cat b) dog",
    "A) red, B) blue, C) green",
    "1) cat\n2) dog",
]
TIMES = ["[10:30]", "clock [10:30 pm]", "[16:9]", "[12:30:15]", "photo [4:3]"]
BREAKS = [
    "LUNCH BREAK",
    "a sign: COFFEE BREAK",
    "BREAK TIME",
    "TAKE A BREAK",
    "PRISON BREAK",
]
VALUES = ["|x|", "||v||", "the norm ||w||", "|z|", "graph of |ab|"]


def test_titles_addresses_and_lists():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN - {"novelai"}):
            assert issues(prompt, syntax) == [], syntax

    assert not failures_of(check, [*TITLES, *ADDRESSES, *LISTS])
    for prompt in ("cat ::1", "cat:1.3", "evangelion pilot:1.2", "Cat:1.2"):
        assert issues(prompt, "a1111"), prompt


def test_brackets_that_close_nothing():
    for prompt in ("cat, girl) dog", "best quality) cat", "cat) 2) dog", "girl 3) dog"):
        assert "closes nothing" in issues(prompt, "a1111", "bracket")[0].message, prompt
    for syntax in sorted(BRACKETS - {"comfyui"}):
        for prompt, sign in (("[0,1)", "["), ("(0,1]", "("), ("(-1, 1]", "("), ("[0; 5)", "[")):
            found = issues(prompt, syntax, "bracket")
            assert len(found) == 1, (prompt, syntax, found)
            assert found[0].message == f"{sign!r} is never closed"
            assert issues(f"\\{prompt}", syntax, "bracket") == []
    assert issues("Sunn O))) poster", "a1111", "bracket") == []


@pytest.mark.parametrize("syntax", ["diffusers", "comfyui", "compel", "lpw", "sd_embed"])
def test_times_and_ratios_in_square_brackets(syntax):
    for prompt in TIMES:
        assert [i for i in issues(prompt, syntax) if i.code == "other-dialect"] == [], prompt
    for prompt in ("[cat:30]", "[cat:dog:10]", "a [red:0.5]"):
        assert issues(prompt, syntax, "other-dialect"), prompt


def test_breaks_of_titles():
    for syntax in [*sorted(EXCEPT_PLAIN - BRACKETS), "comfyui", "lpw"]:
        for prompt in BREAKS:
            assert issues(prompt, syntax) == [], (prompt, syntax)
        for prompt in ("a cat BREAK a dog", "a, UHD BREAK b", "a cat,BREAK", "HDR, BREAK, night"):
            assert "new chunk" in issues(prompt, syntax)[0].message, (prompt, syntax)


def test_values_between_bars():
    for prompt in VALUES:
        for syntax in sorted(SYNTAXES):
            assert issues(prompt, syntax) == [], (prompt, syntax)
    for prompt in ("|x| a | b", "cat |b| c", "a | b", "cat|dog", "a||b"):
        assert issues(prompt, "novelai", "prompt-mixing"), prompt


def test_variables_of_templates():
    def check(case):
        prompt, shown = case
        for syntax in sorted(EXCEPT_PLAIN - {"novelai"}):
            found = [i for i in issues(prompt, syntax) if i.code == "variable"]
            assert [i.words[0] for i in found] == shown, syntax
            assert {i.remedy for i in found} == {"Write its value."}
            mended = prompt
            for words in shown:
                mended = mended.replace(words, "cat")
            assert issues(mended, syntax) == []

    cases = [
        ("a {subject} in {style}", ["{subject}", "{style}"]),
        ("{{name}} portrait", ["{{name}}"]),
        ("a {hair_color} girl", ["{hair_color}"]),
        ("a {0} and a {1}.", ["{0}", "{1}"]),
        ("一只{颜色}猫", ["{颜色}"]),
        ("{your_name}, {insert place}", ["{your_name}", "{insert place}"]),
    ]
    assert not failures_of(check, cases)
    for prompt in ("{cat}", "{red hat}", "{long_hair}", "{{smile}}", "{simple_background}"):
        assert [i.code for i in issues(prompt, "a1111")] == ["novelai-weight"], prompt


def test_methods_of_code_are_no_calls_of_compel():
    code = ["cat.and(dog)", "obj.swap(a, b)", "names.add(key)", "foo().add(x)", "A<B>C"]
    code += ["x = (a)+0.5", "z = f(x)-0.5"]
    for prompt in [*code, "+++ breaking news +++", "long (as they said) -- we had a break"]:
        for syntax in sorted({*SYNTAXES} - {"compel"}):
            assert issues(prompt, syntax) == [], (prompt, syntax)
    calls = ['("a", "b") .blend(0.5, 0.5)', '("a", "b").and ()', "cat.swap(dog)", '"a".swap("b")']
    for prompt in calls:
        for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
            assert issues(prompt, syntax)[0].remedy == "Choose dialect 'compel'.", prompt


def test_signs_of_other_tools_that_are_near_misses():
    def check(case):
        prompt, words, remedy = case
        found = [i for i in issues(prompt, "comfyui") if i.words and i.words[0] == words]
        assert [i.remedy for i in found] == [remedy]

    load = "Leave it out, and load the network into the pipeline: load_lora_weights."
    spaces = "Leave it out, or write spaces around it and choose dialect 'a1111'."
    cases = [
        ("a cat <break> a dog", "<break>", "Leave it out, or write BREAK in dialect 'a1111'."),
        ("a cat withLora(foo,0.8)", "withLora(foo,0.8)", load),
        ("a cat BREAK_ dog", "BREAK_", spaces),
        ("a ::dog::1.3", "a ::dog::1.3", "Leave it out; a weight is (a dog:1.3)."),
    ]
    assert not failures_of(check, cases)
    assert issues("a cat <break> a dog", "a1111")[0].remedy == "Write BREAK."
