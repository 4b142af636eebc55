"""What is wrong with the prompts of a call, for programs: on results, and without encoding."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from clipcond import Conditioner, load_tower
from clipcond.conditioning.issues import find_word
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import ArgumentError, PromptError, PromptWarning, warn
from clipcond.prompt import Issue
from tests.conditioning.conditioners import counted_tower, pair, single, warnings_of


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


PROMPTS = {
    "a (cat": [2],
    "a cat] dog": [5],
    "a cat++ and (dog": [2, 12],
    "a [cat:dog:0.5] here": [2],
    "a cat AND a dog": [6],
    "a cat": [],
    "": [],
}


def test_a_result_has_the_issues_of_its_prompts():
    for prompt, positions in PROMPTS.items():
        for conditioner in (single(), pair()):
            found = quiet(lambda c=conditioner, p=prompt: c(p)).issues
            assert [issue.position for issue in found] == positions, prompt
            assert all(issue.prompt == prompt and issue.message for issue in found)
            assert conditioner.check(prompt) == found


def test_every_prompt_of_a_call_and_none_of_the_last_call():
    conditioner = single()
    found = quiet(lambda: conditioner(["a (cat", "a dog", "b) fox"]))

    assert [(i.prompt, i.position) for i in found.issues] == [("a (cat", 2), ("b) fox", 1)]
    assert conditioner("a cat").issues == ()
    assert [row.issues for row in found.split()] == [found.issues] * 3


def test_positive_and_negative_have_their_own():
    both = quiet(lambda: single().guided(["a (cat", "a dog"], "b) fox"))

    assert [i.prompt for i in both.positive.issues] == ["a (cat"]
    assert [i.prompt for i in both.negative.issues] == ["b) fox"]
    assert both.issues == both.positive.issues + both.negative.issues
    same = quiet(lambda: single().guided("a (cat", "a (cat"))
    assert same.positive.issues == same.negative.issues == same.issues


def test_threads_get_their_own_issues():
    """The filters of warnings belong to the process: they are set once, around all threads."""
    conditioner, prompts = single(), [f"{'x ' * i}(cat {i}" for i in range(40)]
    with ThreadPoolExecutor(8) as threads:
        results = quiet(lambda: list(threads.map(conditioner, prompts * 3)))

    wrong = [
        (prompt, result.issues)
        for prompt, result in zip(prompts * 3, results, strict=True)
        if [(i.prompt, i.position) for i in result.issues] != [(prompt, prompt.index("("))]
    ]
    assert not wrong


def test_a_negative_prompt_is_not_to_be_given_apart():
    conditioner = single()
    cases = [("Negative: dog", "Leave it out."), ("ugly --no dog", "Write dog.")]
    for prompt, remedy in cases:
        found = quiet(lambda prompt=prompt: conditioner.guided("a cat", prompt))
        assert [i.remedy for i in found.negative.issues if i.code != "unread-words"] == [remedy]
        as_prompt = quiet(lambda prompt=prompt: conditioner(prompt))
        said = [i.remedy for i in as_prompt.issues if i.code != "unread-words"]
        assert len(said) == 1
        assert "negative prompt" in said[0]


def test_more_issues_than_warnings():
    conditioner = single()
    messages = warnings_of(lambda: conditioner("a) " * 20))

    assert len(messages) == 6
    assert len(quiet(lambda: conditioner("a) " * 20)).issues) == 20


def test_check_encodes_nothing_and_warns_of_nothing():
    tower, calls = counted_tower()
    conditioner = Conditioner(tower)

    assert warnings_of(lambda: conditioner.check(["a (cat", "b) dog"])) == []
    assert [i.prompt for i in conditioner.check(["a (cat", "b) dog"])] == ["a (cat", "b) dog"]
    assert conditioner.check("a cat AND a dog", negative=True) == ()
    assert calls == []
    with pytest.raises(PromptError):
        conditioner.check([])


def test_unread_words():
    conditioner = Conditioner(load_tower("embedded"))
    prompt = "a cat, Zyzzyva and a 猫"
    found = quiet(lambda: conditioner(prompt)).issues
    (issue,) = [i for i in found if i.code == "unread-words"]

    assert "zyzzyva" in issue.words
    assert "猫" in issue.words
    assert issue.position == min(prompt.lower().index(word) for word in issue.words)
    assert issue.message.startswith("'embedded' ")
    assert conditioner.check(prompt) == found
    many = conditioner.check(["a cat", "a zyzzyva", "a qwxyz"])
    assert [(i.prompt, i.words) for i in many] == [
        ("a zyzzyva", ("zyzzyva",)),
        ("a qwxyz", ("qwxyz",)),
    ]
    assert conditioner("a cat").issues == ()


def test_unread_words_are_found_as_whole_words():
    conditioner = Conditioner(load_tower("embedded"))
    cases = {
        "zyzzyvas and a zyzzyva": ("zyzzyva", 15),
        "xqwxyz, Qwxyz": ("qwxyz", 8),
        "qwxyz_a qwxyz": ("qwxyz", 8),
        "a qwxyz-like qwxyz": ("qwxyz", 2),
        "a 大猫": ("猫", 3),
        "no such word": ("qwxyz", 0),
    }
    for source, (word, position) in cases.items():
        assert find_word(source, [word]) == position
    assert find_word("a party, art", ["art", "qwxyz"]) == 9
    assert find_word("a", []) == 0
    (issue,) = conditioner.check("zyzzyvaszyzzyva-zyzzyva, zyzzyva")[:1]
    assert issue.position in (0, 16)


def test_unread_characters_of_clip_and_words_of_the_chinese_tower():
    (issue,) = single().check("a cat 猫")
    assert (issue.code, issue.words, issue.position) == ("unread-words", ("猫",), 6)
    zh = Conditioner(load_tower("embedded-zh"))
    codes = {i.code for i in zh.check("一只 zyzzyva")}
    assert "unread-words" in codes


@pytest.mark.parametrize("name", ["embedded", "embedded-zh"])
def test_any_character_may_be_glued_to_a_letter(name):
    conditioner = Conditioner(load_tower(name))
    signs = [chr(i) for i in range(0xA0, 0x3400) if not chr(i).isspace()]
    for form in ("a{}", "{}a", "猫{}", "İ{}", "{0}{0}"):
        for part in range(0, len(signs), 2000):
            words = " ".join(form.format(sign) for sign in signs[part : part + 2000])
            codes = {issue.code for issue in conditioner.check(words)}
            assert "unread-words" in codes


@pytest.mark.parametrize(
    "choices",
    [
        *({"max_chunks": value} for value in (0, -1, 1.5, True)),
        *({"cache_bytes": value} for value in (-1, None, "1 GB")),
    ],
)
def test_limits_are_whole_numbers(choices):
    (name,) = choices
    with pytest.raises(PromptError, match=f"{name}=.*is a whole number from") as caught:
        single(**choices)
    assert isinstance(caught.value, ArgumentError)


def test_without_a_cache_nothing_is_kept_and_changes_are_always_seen():
    tower, calls = counted_tower()
    conditioner = Conditioner(tower, cache_bytes=0)
    before = conditioner("a cat").embeds
    tower.model.get_input_embeddings().weight.data[320] += 1
    after = conditioner("a cat").embeds

    assert len(conditioner.cache) == 0
    assert len(calls) == 2
    assert not torch.equal(before, after)
    assert Conditioner(tower, cache_bytes=1000).cache.max_bytes == 1000


def test_a_result_shows_its_shapes():
    assert repr(single()("a cat")) == "Conditioning(embeds=[1 77 32] float32 on cpu)"
    shown = repr(quiet(lambda: pair()(["a (cat", "a dog"])))
    assert shown == (
        "Conditioning(embeds=[2 77 72] float32 on cpu, pooled=[2 40] float32 on cpu, issues=1)"
    )
    both = repr(pair(dialect="comfyui").guided("a cat"))
    assert both.startswith("Guided(positive=Conditioning(embeds=[1 77 72] float32 on cpu, ")


def test_collections_nest_and_are_per_context():
    with collect_warnings(shown=False) as outer:
        warn(PromptWarning("one"))
        with collect_warnings(shown=False) as inner:
            warn(PromptWarning("two", code="x", words=("y",), prompt="z"))
        warn(PromptWarning("three"), collected=False)

    assert [w.message for w in outer] == ["one"]
    (warning,) = inner
    again = pickle.loads(pickle.dumps(warning))
    assert (again.code, again.words, again.prompt) == ("x", ("y",), "z")
    assert Issue("m", 1, code="x") == Issue("m", 1, code="y")
