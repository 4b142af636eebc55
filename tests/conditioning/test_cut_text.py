"""What of a prompt is cut is said, and where that begins."""

import warnings

import pytest
import torch

from tests.conditioning.conditioners import single
from tests.failures import failures_of

ROOM = 75


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def test_what_a_dialect_drops():
    prompt = "red " * 80 + "cat"
    (issue,) = single(dialect="diffusers").check(prompt)

    assert issue.code == "prompt-cut"
    assert issue.prompt == prompt
    assert "cat" in issue.words[0]
    assert issue.remedy == "Shorten the prompt, or take dialect 'a1111', which takes any length."


def test_max_chunks_cuts_and_says_so():
    prompt = ", ".join(f"cat {i}" for i in range(200))
    whole = single()(prompt)
    n_chunks = whole.embeds.shape[1] // 77
    for limit in (1, 2, 3, n_chunks - 1, n_chunks, n_chunks + 5, None):
        conditioner = single(max_chunks=limit)
        made = quiet(lambda c=conditioner: c(prompt))
        kept = n_chunks if limit is None else min(limit, n_chunks)
        assert made.embeds.shape[1] == kept * 77
        torch.testing.assert_close(made.embeds, whole.embeds[:, : kept * 77])
        assert [i.code for i in made.issues] == ["prompt-cut"] * (kept < n_chunks)
        assert len(conditioner.chunks("a cat")) == 1
    assert "max_chunks takes 2" in single(max_chunks=2).check(prompt)[0].message
    both = quiet(lambda: single(max_chunks=2).guided("a cat", prompt))
    assert both.positive.embeds.shape == both.negative.embeds.shape == (1, 154, 32)


def test_empty_chunks_that_are_cut_are_said():
    for prompt, n_empty, limit in (
        ("a cat BREAK BREAK BREAK BREAK", 2, 2),
        ("a cat BREAK BREAK", 1, 1),
        ("BREAK BREAK BREAK", 1, 2),
    ):
        (issue,) = [i for i in single(max_chunks=limit).check(prompt) if i.code == "prompt-cut"]
        noun = "empty chunk" if n_empty == 1 else "empty chunks"
        assert issue.message.endswith(f"takes {limit}; dropped: {n_empty} {noun}")
        assert issue.words == ()
        assert prompt[issue.position :] == "BREAK"
    limited = single(max_chunks=1)
    assert not limited.check("a cat BREAK")  # one chunk
    made = quiet(lambda: limited.guided("a cat", "a dog BREAK BREAK"))
    assert [i.code for i in made.issues] == ["prompt-cut"]


def test_a_cut_is_shown_at_the_first_word_that_is_lost():
    def check(case):
        prompt, lost, choices = case
        (issue,) = [i for i in single(**choices).check(prompt) if i.code == "prompt-cut"]
        assert prompt[issue.position :].startswith(lost), prompt[issue.position :][:30]
        assert issue.words[0].split()[0] == lost.split()[0]

    one = {"max_chunks": 1}
    cases = [
        ("x " * ROOM + "red fox jumps", "red fox", one),
        ("x " * ROOM + "red fox jumps", "red fox", {"dialect": "diffusers"}),
        ("x " * (2 * ROOM) + "red fox", "red fox", {"max_chunks": 2}),
        ("a (big:1.2) " + "x " * (ROOM - 2) + "red fox", "red fox", one),
        (
            "x, " * 30 + "red cat, " * 4 + "blue fox, " * 9,
            "blue fox, blue",
            {**one, "dialect": "comfyui"},
        ),
        ("a cat BREAK red fox", "red fox", one),
        ("x " * 40 + "(red fox:1.2) " + "y " * 33 + "dog end", "dog end", one),
    ]
    assert not failures_of(check, cases)
    (issue,) = single(max_chunks=1).check("a \\(cat\\) " + "x " * 90)
    assert issue.position == 0  # its text is not as it is typed


@pytest.mark.parametrize("dialect", ["comfyui", "compel", "sd_embed", "lpw", "plain", "a1111"])
def test_max_chunks_in_every_dialect(dialect):
    conditioner = single(dialect=dialect, max_chunks=1)
    for prompt in ("cat " * 500, "cat, " * 300, "big dog. " * 200, "cat BREAK " * 50):
        made = quiet(lambda p=prompt: conditioner(p))
        assert made.embeds.shape[1] <= 77, prompt[:20]
        assert "prompt-cut" in {i.code for i in made.issues} or len(made.issues), prompt[:20]


def test_max_chunks_bounds_a_mixture():
    joined = '("a cat", ' + ", ".join(f'"dog {i}"' for i in range(30)) + ").and()"
    conditioner = single(dialect="compel", max_chunks=4)
    made = quiet(lambda: conditioner(joined))

    assert made.embeds.shape[1] <= 4 * 77
    assert "prompt-cut" in {issue.code for issue in made.issues}
