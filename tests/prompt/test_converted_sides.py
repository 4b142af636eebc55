"""Conversions say what changes sides, and read as syntax only what is hardly text."""

from clipcond.prompt import SYNTAXES, parse
from clipcond.prompt.conversion import convert_with_issues
from clipcond.prompt.syntaxes.comfyui import parse_groups
from tests.failures import failures_of

OTHERS = sorted({*SYNTAXES} - {"comfyui"})


def of_embeddings(prompt: str, source: str, target: str):
    written, issues = convert_with_issues(prompt, source, target)
    return written, [issue for issue in issues if issue.code == "embedding"]


def test_a_reference_that_becomes_words():
    def check(case):
        prompt, *names = case
        for target in OTHERS:
            if target in ("plain", "diffusers") and "(" in prompt:
                continue
            _, issues = of_embeddings(prompt, "comfyui", target)
            assert [i.words for i in issues] == [(f"embedding:{name}",) for name in names], target
            for issue, name in zip(issues, names, strict=True):
                assert prompt[issue.position :].startswith(f"embedding:{name}")
                assert "but not here" in issue.message
                assert issue.remedy.startswith(f"Write its bare name, {name}, once")

    cases = [
        ("embedding:EasyNegative", "EasyNegative"),
        ("a cat, embedding:foo", "foo"),
        ("(embedding:foo:1.2) dog", "foo"),
        ("embedding:a-b embedding:c_d", "a-b", "c_d"),
        ("x embedding:bad.v2 y", "bad.v2"),
    ]
    assert not failures_of(check, cases)


def test_words_that_become_a_reference():
    def check(prompt):
        for source in OTHERS:
            written, issues = of_embeddings(prompt, source, "comfyui")
            names = [s.text for s in parse_groups(written).segments if s.is_name]
            if not names:
                continue
            (issue,) = issues
            assert issue.words == (f"embedding:{names[0]}",)
            assert "only words in what is converted" in issue.message
            assert prompt[issue.position :].startswith(issue.words[0])
            assert issue.remedy == "Write the name alone if it is meant as words."
            there = prompt.replace("embedding:", "")
            assert of_embeddings(there, source, "comfyui")[1] == []

    cases = ["embedding:foo", "[embedding:foo]", "a (embedding:foo:1.2)", "cat, embedding:bar x"]
    cases += ["{embedding:foo}", "1.2::embedding:foo::", "(embedding:foo)1.2"]
    assert not failures_of(check, cases)
    for prompt, source in (("embedding:foo", "plain"), ("[embedding:foo]", "novelai"),
                           ("[embedding:foo]", "a1111"), ("embedding:foo", "compel")):  # fmt: skip
        assert len(of_embeddings(prompt, source, "comfyui")[1]) == 1
    assert of_embeddings("embedding:foo", "comfyui", "comfyui")[1] == []


def test_one_full_width_weight_makes_no_other_bracket_one():
    def check(case):
        prompt, wanted, n_doubts = case
        for target in ("comfyui", "lpw", "a1111"):
            written, issues = convert_with_issues(prompt, "a1111", target)
            assert written.replace("\\", "") == wanted, target
            found = [i for i in issues if i.code == "fullwidth"]
            assert [i.message.endswith("is read as syntax") for i in found] == [
                True, *[False] * n_doubts
            ]  # fmt: skip
            read = [s.weight for s in parse(written, target).segments if s.weight != 1.0]
            assert len(read) == wanted.count(":")

    cases = [
        ("（猫：1.3），你好（世界）", "(猫:1.3)，你好（世界）", 0),
        ("（猫：1.3），电影《红》（2019），（笑）", "(猫:1.3)，电影《红》（2019），（笑）", 0),
        ("（猫：1.3），一只【红色的】猫", "(猫:1.3)，一只【红色的】猫", 1),
        ("你好（世界），（猫：０．８），（狗：1.2）", "你好（世界），(猫:0.8)，(狗:1.2)", 0),
        ("東京（日本）、（夜：1.2）", "東京（日本）、(夜:1.2)", 0),
        ("（红，黄：1.2）的花（玫瑰）", "(红，黄:1.2)的花（玫瑰）", 0),
    ]
    assert not failures_of(check, cases)
    written, _ = convert_with_issues(
        "（猫：1.3），你好（世界）", "a1111", "comfyui", fullwidth=True
    )
    assert written == "(猫:1.3)，你好(世界:1.1)"
