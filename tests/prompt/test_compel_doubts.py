"""Signs of ordinary text that compel reads as weights are named; weights are not."""

from clipcond.prompt import Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from tests.failures import failures_of


def doubts(prompt: str, syntax: str = "compel") -> list[Issue]:
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return [issue for issue in found if issue.code == "doubtful-weight"]


def followed(prompt: str) -> str:
    for issue in reversed(doubts(prompt)):
        (words,) = issue.words
        assert prompt[issue.position :].startswith(words)
        text = issue.remedy.removeprefix("Write ").rsplit(" for the ", 1)[0].strip("'")
        prompt = prompt[: issue.position] + text + prompt[issue.position + len(words) :]
    return prompt


def test_signs_of_ordinary_text():
    """Followed, nothing has a weight, nothing is left to say, and no character is lost."""

    def check(prompt):
        assert any(s.weight != 1.0 for s in parse(prompt, "compel").segments)
        assert doubts(prompt)
        there = followed(prompt)
        parsed = parse(there, "compel")
        assert {s.weight for s in parsed.segments} == {1.0}, there
        assert with_lookalikes(parsed, fullwidth=None).issues == (), there
        text = "".join(s.text for s in parsed.segments).replace('"', "")
        signs = prompt.replace(":-)", ":)").replace(";-)", ";)").replace('"', "")
        assert text.replace(" ", "") == signs.replace(" ", ""), there

    cases = ["a smiley :-) on a wall", ";-) girl", "-_- face", "a cat, -_-"]
    cases += ["the cat--a big one--sleeps", "wait-- what", "well-- I think", "no--never"]
    cases += ["pre- and post-war", "mid- to late-1990s", "low-, mid-range", "self- and hand-made"]
    cases += ["C++ code", "Notepad++ icon", "Disney+ and Apple TV+", "LGBTQ+ flag", "18+ only"]
    cases += ["blood type A+ sign", "energy label A+++", "AB+ or O- blood type", "grade B-"]
    cases += ["Na+ and Cl- ions", "100+ cats", "Qh5+ Ke7", "O-O-O+ wins", "10k+ fans", "Ca2+"]
    assert not failures_of(check, cases)
    (issue,) = doubts('Sign says "18+"')
    assert issue.remedy == "Write '18 +' for the sign as text."
    assert {s.weight for s in parse('Sign says "18 +"', "compel").segments} == {1.0}


def test_weights_are_no_doubt():
    silent = ["cat++", "(cat)--", '"a cat"+', "a big-cat--", "Cat++", "dog-, cat", "猫++", "cat+"]
    silent += ["(a (b c)++)1.1", "masterpiece+++", "red hair-", "a cat++, dog--", "Rembrandt+"]
    silent += ["a cat--ar 16:9", "a++ (b)+", "well-known", "a - b", "C ++", "-5 degrees", "sci-fi"]
    assert [prompt for prompt in silent if doubts(prompt)] == []
    for syntax in ("a1111", "comfyui", "novelai", "plain"):
        assert doubts("C++ code, :-)", syntax) == []


def test_a_sign_within_brackets_has_no_way_to_be_text():
    for prompt in ("(C++ code)1.2", "a (18+ sign)++", "(grade A+)0.8"):
        (issue,) = doubts(prompt)
        assert issue.remedy == "Write it in words for text: no sign within brackets is."
    (issue,) = doubts("(a cat)+ C++")
    assert "'C ++'" in issue.remedy
    assert [s.weight for s in parse(followed("(a cat)1.2 C++"), "compel").segments] == [1.2, 1.0]


def test_backslashes_before_signs():
    cases = [
        *(("C\\+\\+ code", "C ++ code"), ("A\\+", "A +"), ("x 18\\+ y", "x 18 + y")),
        *(("Na\\+ ions", "Na + ions"), ("C\\-", "C -")),
    ]
    for prompt, wanted in cases:
        (issue,) = with_lookalikes(parse(prompt, "compel"), fullwidth=None).issues
        assert issue.message.endswith("is no escape here: its backslashes are text")
        text = issue.remedy.removeprefix("Write '").removesuffix("'.")
        there = prompt.replace(issue.words[0], text)
        assert there == wanted
        assert with_lookalikes(parse(there, "compel"), fullwidth=None).issues == ()


def test_many_signs_take_linear_time():
    for piece in ("C++ ", ":-) ", "a--b ", "pre- and ", "A+", "-_- "):
        assert len(doubts(piece * 10_000)) <= 100
