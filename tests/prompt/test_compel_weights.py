"""Weights of compel that act on nothing, or on a part, are named; what acts is not."""

import pytest

from clipcond.prompt import Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from tests.failures import failures_of
from tests.prompt.test_remedies import PROPOSAL


def issues(prompt: str, syntax: str = "compel") -> list[Issue]:
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return [issue for issue in found if "which is hardly meant" not in issue.message]


def followed(prompt: str) -> str:
    (issue,) = issues(prompt)
    (words,) = issue.words
    assert prompt[issue.position :].startswith(words)
    proposal = PROPOSAL.match(issue.remedy)
    assert proposal is not None
    text = proposal["text"].strip("'")
    return prompt[: issue.position] + text + prompt[issue.position + len(words) :]


def weights(prompt: str) -> list[tuple[str, float]]:
    return [(s.text, s.weight) for s in parse(prompt, "compel").segments if s.weight != 1.0]


def test_a_weight_that_acts_on_less_than_meant():
    """Followed, the remedy weights the words, and nothing else is left to say."""

    def check(case):
        prompt, words, weight = case
        there = followed(prompt)
        assert issues(there) == [], there
        assert weights(there) == [(words, pytest.approx(weight, rel=0.02))], there

    cases = [
        ("a cat ++ dog", "cat", 1.2),
        ("a (red) ++ cat", "red", 1.2),
        ('"cat" ++ dog', "cat", 1.2),
        ("a (red hat) -- cat", "red hat", 0.81),
        ('a "big cat" + x', "big cat", 1.1),
        ("node.js++ x", "node . js", 1.2),
        ("U.S.A.++ flag", "U . S . A .", 1.2),
        ("v1.5++", "v1 . 5", 1.2),
        ("a.b.c-- d", "a . b . c", 0.81),
        ("cat+! dog", "cat", 1.1),
        ("cat+?", "cat", 1.1),
        ("a dog+: fox", "dog", 1.1),
        ("hat+;dog", "hat", 1.1),
        ("hat+/dog", "hat", 1.1),
        ("(red cat) 1.2 dog", "red cat", 1.2),
        ('"red cat" 0.8 dog', "red cat", 0.8),
        ("(cat)1/2", "cat", 0.5),
        ("(cat)1e1", "cat", 1.2),
        ("(cat)1.2x", "cat", 1.2),
        ("(red cat)120%, b", "red cat", 1.2),
        ("(cat)0.8f", "cat", 0.8),
        ("cat++1.2", "cat", 1.2),
        ("dog--0.7, x", "dog", 0.7),
        ("cat— dog", "cat", 0.81),
        ("cat– dog", "cat", 0.81),
        ("cat––", "cat", 0.81),
        ("a cat—, b", "cat", 0.81),
        ("(a cat)—", "a cat", 0.81),
        ("[a cat]++", "a cat", 1.2),
        ("{a red cat}-- x", "a red cat", 0.81),
        ("[cat]1.2", "cat", 1.2),
        ("(cat)\u200b++", "cat", 1.2),
    ]
    assert not failures_of(check, cases)


def test_a_weight_that_acts():
    for prompt in ("[cat]++", "{cat}++", "cat\u200b++", "cat\xa0++", "cat++!", "(cat)1.2", "a-b++",
                   '"a cat"+', "cat--", "(a (b)++)1.1", "cat++, dog--"):  # fmt: skip
        assert weights(prompt), prompt
        assert issues(prompt) == [], prompt
    for prompt in ("the cat — a dog", "wait— what is that", "a cat—a big one", "i ++ j", "1.5+ x",
                   "Disney+: shows", "(cat) + dog", "a + b", "node.js"):  # fmt: skip
        found = [i for i in issues(prompt) if i.code == "weight"]
        assert (prompt == "(cat) + dog") == bool(found), prompt


def test_a_lora_whose_call_is_mistyped():
    cases = ["withLoRA(foo,1)", "useLoRA(foo)", "a cat withlora(foo, 0.5)", "withLORA(x_1)"]
    cases += ["uselora (x)", "withLora(foo 0.5)", "withLora('foo', 1)", "useLora(a, b)"]
    for prompt in cases:
        (issue,) = issues(prompt)
        assert issue.code == "extra-network"
        assert issue.remedy.startswith("Leave it out, and load")
    assert [i.code for i in issues("withLora(foo,1) a")] == ["extra-network"]


def test_signs_behind_other_brackets_elsewhere():
    for prompt in ("[cat]++", "{cat}++", "cat\u200b++"):
        for syntax in ("a1111", "comfyui", "novelai"):
            assert "is no weight" in issues(prompt, syntax)[0].message
