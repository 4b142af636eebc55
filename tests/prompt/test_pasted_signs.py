"""Signs of web pages, versions, lists of settings and brackets that no syntax reads are named."""

import pytest

from clipcond.prompt import SYNTAXES, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_measured_weights import reads_as
from tests.prompt.test_misreadings import issues


def all_issues(prompt, syntax):
    return with_lookalikes(parse(prompt, syntax), fullwidth=None).issues


def test_links_of_web_pages():
    def check(case):
        prompt, text, start = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = all_issues(prompt, syntax)
            assert (issue.code, issue.position, issue.remedy) == ("html", start, f"Write {text}.")
            there = prompt.replace(issue.words[0], text)
            assert all_issues(there, syntax) == (), syntax
        assert all_issues(prompt, "plain") == ()

    cases = [
        ("a [red cat](http://a.b/c.png) on a mat", "red cat", 2),
        ("[a cat](https://example.org)", "a cat", 0),
        ('![a dog](https://a.b/c.jpg "a title"), night', "a dog", 0),
        ("a fox, [old house](house.webp)", "old house", 7),
        ("[猫](http://a.b)", "猫", 0),
        ("see [page](docs/page.html)", "page", 4),
        ("write to [me](mailto:a@b.c)", "me", 9),
        ("see[cat](https://a.b/c.png)", "cat", 3),
        ("看[猫](a.png)，夜", "猫", 1),
    ]
    assert not failures_of(check, cases)
    ordinary = ["x [link](y)", "[cat] (dog)", "a photo [sic] (1999)", "f[x](y) on a blackboard"]
    ordinary += ["f[x](y.md)", "array[i](index.html)", "a[0](b.png)", "m[i][j](f.md) code"]
    ordinary += ["x_[k](z.html)", "foo[bar](baz.gif)", "T[n](m.svg)", "data[0](row.jpg)"]
    for prompt in ordinary:
        for syntax in sorted(SYNTAXES):
            assert "html" not in {i.code for i in all_issues(prompt, syntax)}


def test_lines_that_say_a_version():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            (issue,) = all_issues(prompt, syntax)
            assert issue.code == "pasted-parameters"
            assert prompt[issue.position :].startswith("Version")

    assert not failures_of(
        check,
        [
            "a cat\nVersion: v1.6.0",
            "a dog, night\nVersion: v1.10.1",
            "a dog\nVersion: v1.8.0-RC, Hashes: x",
            "a red fox, Version: f0.0.17v1.8.0rc-latest-276-g29be1da7",
            "a red fox\nVersion: f2.0.1v1.10.1-previous-659-gc055f2d4",
            "a fox;Version : v1.6.0-2-g4afaaf8a, night",
        ],
    )
    ordinary = ["a sign that says Version: v1.6.0", "a poster, Version: 2", "cat\nVersion: 1.5"]
    ordinary += ["a cover version: v1 of it", "a cat, Version: red", "Version: v1.6.0"]
    ordinary += ["a poster\nVersion: v2.3.1", "a label\nVersion: v1.2.0, retro"]
    assert [p for p in ordinary for s in sorted(SYNTAXES) if all_issues(p, s)] == []


def test_json_of_tools():
    for prompt in (
        '{"sui_image_params": {"prompt": "a cat", "seed": 1}}',
        '{\n "1": {"class_type": "KSampler", "inputs": {}}\n}',
    ):
        for syntax in sorted(SYNTAXES):
            assert "pasted-parameters" in {i.code for i in all_issues(prompt, syntax)}, syntax


def test_settings_in_a_list_of_weights():
    def check(case):
        prompt, words, weight = case
        reads_as(prompt, words, weight, EXCEPT_PLAIN - {"diffusers"})

    cases = [
        ("exposure:1.3, contrast:1.1", "exposure", 1.3),
        ("1girl, soft zoom:1.4, scale:1.5", "soft zoom", 1.4),
        ("masterpiece, iso:100, shutter:1.2", "shutter", 1.2),
        ("a cat, iso:200, exposure:0.7", "exposure", 0.7),
        ("a dog, night, iso:100, lens:1.3", "lens", 1.3),
    ]
    assert not failures_of(check, cases)
    for prompt in (
        "aperture:1.8, iso:100, exposure:1.3",
        "photo, iso:100, exposure:1.3, f/1.8",
        "a cat, scale:1.3, size:1.5",
        "exposure:1.3",
        "a chart, 1girl, scale:1.3",
    ):
        for syntax in sorted(SYNTAXES):
            assert all_issues(prompt, syntax) == (), (prompt, syntax)


def test_settings_next_to_weights():
    """Only what is drawn is a weight there: others have such a value."""

    def check(prompt):
        for syntax in sorted(BRACKETS):
            assert all_issues(prompt, syntax) == (), syntax
        for syntax in ("compel", "diffusers", "novelai"):
            assert {i.code for i in all_issues(prompt, syntax)} == {"other-dialect"}, syntax

    cases = ["portrait, aperture:1.8, (freckles:1.2)", "(red hair:1.2), zoom:1.5"]
    words = ["temperature:0.7", "top_p:0.9", "height:1.7", "ratio:1.5", "depth:0.5", "gamma:1.2"]
    words += ["width:1.5", "scale:1.5", "strength:0.7", "iso:0.5, aperture:1.4", "ev:0.7"]
    cases += [f"(cat:1.2), {word}" for word in words]
    cases += ["1girl, (cat:1.2), zoom:1.5", "masterpiece, height:1.7, (a woman:1.1)"]
    assert not failures_of(check, cases)
    for word in ("exposure", "motion blur", "fisheye lens"):
        for prompt in (f"1girl, (cat:1.2), {word}:1.3", f"{word}:1.3, (cat:1.2)"):
            reads_as(prompt, word, 1.3, BRACKETS)


def test_spaces_in_weights_of_novelai():
    def check(case):
        prompt, words, weight = case
        reads_as(prompt, words, weight, EXCEPT_PLAIN)

    cases = [
        ("1.3 :: red cat ::", "red cat", 1.3),
        ("-1 :: dog ::, fox", "dog", -1),
        ("2 :: old house ::", "old house", 2),
        ("a fox, 1.2 :: dog", "dog", 1.2),
        ("0.8 :: red cat, night", "red cat", 0.8),
        ("1.3: :a cat: :", "a cat", 1.3),
        ("1.3 : : a cat : :, dog", "a cat", 1.3),
        ("(1.3 :: cat ::), dog", "cat", 1.3),
        ("fox; 1.3 :: cat ::", "cat", 1.3),
        ("a fox\n1.2 :: dog ::", "dog", 1.2),
    ]
    assert not failures_of(check, cases)
    several = "a BREAK 1.3 :: cat :: 0.8 :: dog ::, -1 :: fox ::"
    for syntax in sorted(BRACKETS):
        there = several
        while spaced := [i for i in issues(there, syntax) if "the space in it" in i.message]:
            there = there.replace(spaced[0].words[0], spaced[0].remedy[len("Write ") : -1])
        assert there == "a BREAK (cat:1.3) (dog:0.8), (fox:-1)"


def test_titles_with_two_colons():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN):
            assert [i for i in issues(prompt, syntax) if i.code == "novelai-weight"] == [], syntax

    cases = [
        *("std :: vector", "16 :: 9", "at 3 : 30", "1.5 : 1", "a :: b :: c"),
        "Toy Story 3 :: Pixar poster :: bright",
        "poster of Blade Runner 2 :: neon city :: rain",
        "a sign: Gate 5 :: boarding :: airport",
        "Ocean 8 ::heist:: film",
        "table 1 :: cats :: dogs :: birds",
        "Season 1 : : Episode four : : title card",
        "a scale of 1.5 :: blueprint, technical",
        "version 1.0 :: release poster",
        "Rocky 4 :: boxing :: ring",
        "Vol. 2 :: neon city :: rain",
        "No. 5 :: perfume :: bottle",
        "Chapter 7 : : The storm : : book page",
        "iPhone 5 :: product shot :: white",
        "a ratio of 1.5 :: drawing",
    ]
    assert not failures_of(check, cases)


def test_round_brackets_that_no_syntax_reads():
    def check(prompt):
        for syntax in sorted(BRACKETS):
            (issue,) = all_issues(prompt, syntax)
            assert (issue.code, issue.words) == ("weight", (prompt[len("a dog, ") :],))
            assert "brackets in ASCII" in issue.remedy

    pairs = ("﹙﹚", "﹝﹞", "〔〕", "❨❩", "❲❳", "⦅⦆", "｟｠")
    cases = [f"a dog, {a}{a}{words}{b}{b}" for a, b in pairs for words in ("猫", "a red cat")]
    assert not failures_of(check, cases)
    for a, b in pairs:  # a weight is one in any brackets
        for syntax in sorted(BRACKETS):
            (issue,) = all_issues(f"a dog, {a}red cat:1.3{b}", syntax)
            assert issue.remedy == "Write (red cat:1.3)."
    ordinary = [
        *(
            "〔注〕",
            "〔1999〕",
            "猫〔子猫〕",
            "Smith〔1999〕",
            "a photo 〔sic〕",
            "f〔x〕",
            "〔",
            "﹙2024﹚",
        ),
        *("album cover 〔Deluxe Edition〕", "〔OP〕 anime", "menu ❨vegan❩", "⦅x⦆ in math"),
        *("〔Bonus Track〕 cd", "a ticket, ❲VIP❳, paper", "song ﹙live﹚", "⦅⦅x⦆⦆ in math"),
        *("a book 〔Second Edition〕, leather", "｟a｠, a sum", "a note ﹝draft﹞"),
    ]
    for prompt in ordinary:
        for syntax in sorted(SYNTAXES):
            assert all_issues(prompt, syntax) == (), (prompt, syntax)


@pytest.mark.parametrize("sign", [":1.2", " :1.2", "1.2", "*1.2", ":2", " = 1.5"])
def test_a_weight_behind_an_edit_without_a_step(sign):
    number = sign.strip(" :*=")
    for syntax in sorted(EXCEPT_PLAIN):
        prompt = f"a [red dog:fox]{sign}, night"
        (issue,) = all_issues(prompt, syntax)
        assert issue.message.endswith("no weight, and no prompt editing: its step is missing")
        assert (issue.code, issue.position) == ("no-editing", 2)
        written = f"([red dog:fox:0.5]:{number})"
        assert issue.remedy == f"Write {written} in dialect 'a1111', with your step for 0.5."
    there = prompt.replace(issue.words[0], written)
    assert [i for i in all_issues(there, "a1111") if i.code != "editing"] == []
