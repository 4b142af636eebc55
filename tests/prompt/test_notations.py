"""Notations of other tools are warned of wherever they are text, and ordinary prompts are not."""

import re
from pathlib import Path

from clipcond.prompt import SYNTAXES, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import not_after
from tests.failures import failures_of

ORDINARY = Path(__file__).with_name("ordinary.txt").read_text(encoding="utf-8").splitlines()
BRACKETS = ("a1111", "comfyui", "lpw", "lpw_xl", "sd_embed")
TEXT = {*SYNTAXES} - {"plain"}


def found(prompt: str, syntax: str) -> list[tuple[str, str, str]]:
    """The code of each issue that the look for notations adds, what it is about, its remedy."""
    parsed = parse(prompt, syntax)
    new = [i for i in with_lookalikes(parsed).issues if i not in parsed.issues]
    new = [i for i in new if i.code != "doubtful-weight"]  # C++ is a weight in compel
    return [(issue.code, prompt[issue.position :], issue.remedy) for issue in new]


# code, prompt, from where on, the syntaxes that know it
KNOWN = [
    ("pasted-parameters", "a cat\nNegative prompt: dog\nSteps: 20, Sampler: DPM++ 2M", 6, ()),
    ("pasted-parameters", "a cat Negative prompt: dog++", 6, ()),
    ("pasted-parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7", 6, ()),
    ("random-choice", "{cat|dog} outdoors", 0, ("plain",)),
    ("random-choice", "a {2$$a|b|c}", 2, ("plain",)),
    ("random-choice", "{cat|{red|blue} dog}", 5, ("plain",)),
    ("random-choice", "a {a big cat|\na dog|}", 2, ("plain",)),
    ("variable", "${x=red} cat", 0, ("plain",)),
    ("wildcard", "a __animal__ on a hill", 2, ("plain",)),
    ("wildcard", "__color/red-*__", 0, ("plain",)),
    ("wildcard", "(__animal__)", 1, ("plain",)),
    ("wildcard", "__动物__", 0, ("plain",)),
    ("comment", "a cat // note\nred hat", 6, ("plain",)),
    ("comment", "//note", 0, ("plain",)),
    ("comment", "a cat, // b", 7, ("plain",)),
    ("comment", "a cat /* note */ red hat", 6, ("plain",)),
    ("comment", "a cat # not a dog\nb", 6, ("a1111", "plain")),
    ("comment", "## cats\nb", 0, ("a1111", "plain")),
    ("region", "a cat ADDCOL a dog", 6, ("plain",)),
    ("extra-network", "a <lora:x:0.8>", 2, ("plain",)),
    ("extra-network", "a <wildcard:animal>", 2, ("plain",)),
    ("extra-network", "＜lora：x：1＞", 0, ("plain",)),
    ("extra-network", "a < lora:x:1 >", 2, ("plain",)),
    ("extra-network", "(lora:x:0.8)", 0, ("plain",)),
    ("extra-network", "[lora:foo:0.8]", 0, ("plain",)),
    ("extra-network", "(lora:foo:0.8)", 0, ("plain",)),
    ("extra-network", "{lyco:a b:1}", 0, ("plain",)),
    ("extra-network", "(LoRA:foo:.5)", 0, ("plain",)),
    ("extra-network", "[hypernet:foo: 0.8]", 0, ("plain",)),
    ("novelai-weight", "{{masterpiece}}, cat", 0, ("novelai", "plain")),
    ("novelai-weight", "a {red cat}", 2, ("novelai", "plain")),
    ("novelai-weight", "{{{1girl}}}", 0, ("novelai", "plain")),
    ("novelai-weight", "1.3::red cat::, x", 0, ("novelai", "plain")),
    ("novelai-weight", "a -1::dog::", 2, ("novelai", "plain")),
    ("novelai-weight", "2::1girl", 0, ("novelai", "plain")),
    ("midjourney-weight", "cat::2 x", 0, ("novelai", "plain")),
    ("midjourney-weight", "hot:: dog", 0, ("novelai", "plain")),
    ("midjourney-weight", "cat ::1.5, x", 0, ("novelai", "plain")),
    ("midjourney-flag", "a cat --ar 16:9", 6, ("plain",)),
    ("midjourney-flag", "a cat --v 6", 6, ("plain",)),
    ("midjourney-flag", "--no text", 0, ("plain",)),
    ("embedding", "cat,embedding:x", 4, ("plain",)),
    ("embedding", "Embedding:x", 0, ("plain",)),
    ("embedding", "a embeddings:x", 2, ("plain",)),
    ("embedding", "embedding: x", 0, ("plain",)),
    ("embedding", "a, embedding : x, b", 3, ("plain",)),
    ("embedding", "a embedding：x", 2, ("plain",)),
    ("embedding", "a embedding:x", 2, ("plain", "comfyui")),
    ("weight", "masterpiece:1.4", 0, ("plain",)),
    ("weight", "red eyes:0.8, cat", 0, ("plain",)),
    ("weight", "cat：1.3，dog", 0, ("plain",)),
    ("weight", "(cat:1,2)", 0, ("plain",)),
    ("no-editing", "[cat:dog:0,5]", 0, ("plain",)),
    ("weight", "（猫：1，3）", 0, ("plain",)),
    ("weight", "(cat1.3)", 0, ("plain",)),
    ("weight", "(cat;1.3)", 0, ("plain",)),
    ("weight", "(red cat=0.8)", 0, ("plain",)),
    ("weight", "(cat:1.3x)", 0, ("plain",)),
    ("weight", "(cat:x1.3)", 0, ("plain",)),
    ("weight", "(masterpiece:13), cat", 1, {*SYNTAXES} - {*BRACKETS}),
    ("weight", "photo (16:9)", 7, {*SYNTAXES} - {*BRACKETS}),
    ("weight", "(photo 3:2)", 1, {*SYNTAXES} - {*BRACKETS}),
    ("weight", "(at 10:30)", 1, {*SYNTAXES} - {*BRACKETS}),
    ("weight", "(cat:100000)", 1, {*SYNTAXES} - {*BRACKETS}),
    ("weight", "(cat:-9)", 1, {*SYNTAXES} - {*BRACKETS}),
    ("weight", "(cat)20", 1, {*SYNTAXES} - {"compel"}),
    ("weight", "20::cat::", 4, {*SYNTAXES} - {"novelai"}),
    ("weight", "(cat)1,3", 0, ("plain",)),
    ("novelai-weight", "1,3::cat::", 0, ("plain",)),
]


def test_they_are_warned_of_where_they_are_text():
    def check(case):
        code, prompt, position, known = case
        for syntax in {*SYNTAXES} - {*known}:
            first, *_ = found(prompt, syntax)
            assert first[:2] == (code, prompt[position:]), syntax
            assert first[2], syntax

    assert not failures_of(check, KNOWN)


def test_and_not_where_they_are_known():
    def check(case):
        code, prompt, position, known = case
        for syntax in {*known} & {"a1111", "comfyui", "novelai", "plain"}:
            assert (code, prompt[position:]) not in [f[:2] for f in found(prompt, syntax)], syntax

    assert not failures_of(check, KNOWN)


def test_ordinary_prompts_are_not():
    assert len(ORDINARY) > 200

    def check(prompt):
        for syntax in TEXT | {"plain"}:
            assert found(prompt, syntax) == [], syntax

    assert not failures_of(check, ORDINARY)


def test_one_place_is_one_issue():
    assert [f[0] for f in found("1.3::red cat::", "a1111")] == ["novelai-weight"]
    assert [f[0] for f in found("a\nSteps: 20, Sampler: DPM++, (x:1,2)", "a1111")] == [
        "pasted-parameters"
    ]


def test_the_weight_behind_a_condition_is_known():
    assert found("a cat :1.2 AND a dog:0.7", "a1111") == []
    assert found("a cat AND a dog:0.7, red", "a1111") == []


def test_a_remedy_names_the_embedding():
    assert found("cat,embedding:EasyNegative", "comfyui")[0][2] == (
        "Write embedding:EasyNegative behind a space, a bracket or a line end."
    )
    assert (
        found("Embedding: x", "a1111")[0][2] == "Write its bare name, x, once its file is loaded."
    )


def test_not_after_words_of_their_own_and_after_endings_in_cjk():
    pattern = re.compile(f"(?i:{not_after('ratio top_p größe 比例 率')}):")
    behind = [
        "ratio",
        "a RATIO",
        "1ratio",
        "top_p",
        "Größe",
        "比例",
        "a比例",
        "效率",
        "ratio_ratio",
    ]
    free = ["", "fratio", "ratios", "top", "p", "atio", "比", "例 ", "ratio ", "größer", "x"]

    assert [text for text in (*behind, *free) if pattern.search(f"{text}:")] == free
