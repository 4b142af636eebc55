"""Whole messages of a Conditioner: its errors and warnings."""

import copy
import warnings
from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipcond import Conditioner, HiddenLayer
from clipcond.errors import (
    SUBJECT,
    ClipcondWarning,
    PromptError,
    PromptTypeError,
    PromptWarning,
    TowerError,
    UnknownNameError,
    WeightingError,
    warn,
)
from clipcond.towers import OpenAIClipTower
from tests.conditioning.conditioners import single, warnings_of
from tests.parity.models import model_l, tokenizer

ROOM = 75


@pytest.mark.parametrize(
    ("prompts", "error", "message"),
    [
        (
            None,
            PromptTypeError,
            'a prompt is a string or a list of strings, not None\nUse "" for an empty prompt.',
        ),
        (3, PromptTypeError, "a prompt is a string or a list of strings, not an int"),
        (
            b"a cat",
            PromptTypeError,
            "a prompt is a string or a list of strings, not a bytes\n"
            "Decode it first: prompt.decode('utf-8').",
        ),
        ({"a": 1}, PromptTypeError, "a prompt is a string or a list of strings, not a dict"),
        (
            ["a", ["b"]],
            PromptTypeError,
            "prompt 1 of the list is a list, not a string\n"
            "Prompts are not nested: give one flat list.",
        ),
        (
            ["a", None],
            PromptTypeError,
            'prompt 1 of the list is None, not a string\nUse "" for an empty prompt.',
        ),
        ([], PromptError, 'the list of prompts is empty\nUse "" for an empty prompt.'),
        (
            "a \ud83d cat",
            PromptError,
            "half a character (a lone surrogate, '\\ud83d') cannot be read\n"
            "  a   cat\n"
            "    ^\n"
            "Decode the text with the encoding it came in.",
        ),
    ],
)
def test_what_is_no_prompt_is_refused(prompts, error, message):
    with pytest.raises(error) as caught:
        single()(prompts)

    assert str(caught.value) == message


def test_prompts_of_a_wrong_type_are_type_errors():
    with pytest.raises(TypeError):
        single()(3)
    with pytest.raises(ValueError, match="empty"):
        single()([])


def test_as_many_negatives_as_prompts():
    with pytest.raises(PromptError) as caught:
        single().guided(["a", "b"], ["x", "y", "z"])

    assert str(caught.value) == (
        "3 negative prompts for 2 prompts\nGive one for all, or one for each."
    )


@pytest.mark.parametrize("clip_skip", [0, 5, -1, "2", 2.0, True, [1]])
def test_a_clip_skip_that_is_no_layer_is_refused_at_once(clip_skip):
    hint = " What diffusers calls clip_skip=0 is 1 here." if clip_skip == 0 else ""
    message = (
        f"clip_skip={clip_skip!r} names no layer of 'L', which has 4\n"
        f"Use a whole number from 1 (last layer) to 4 (first).{hint}"
    )
    with pytest.raises(TowerError) as caught:
        single(clip_skip=clip_skip)
    assert str(caught.value) == message
    with pytest.raises(TowerError) as caught:
        single()("a", clip_skip=clip_skip)
    assert str(caught.value) == message


def test_unknown_names_are_refused_at_once():
    with pytest.raises(UnknownNameError, match=r"no dialect 'a111'\. Did you mean 'a1111'\?"):
        single(dialect="a111")
    with pytest.raises(UnknownNameError, match="no dialect None"):
        single(dialect=None)
    with pytest.raises(UnknownNameError, match=r"no weighting rule 'scael'\. Did you mean 'scale'"):
        single(weighting="scael")


def test_what_is_no_tower_is_refused():
    with pytest.raises(TowerError) as caught:
        Conditioner(model_l())
    assert str(caught.value) == (
        "a CLIPTextModel is no text tower\n"
        "Wrap a transformers model: OpenAIClipTower(model, tokenizer), or open one by name: "
        "load_tower(name)."
    )
    with pytest.raises(TowerError, match="2 layers for 1 tower"):
        single(layer=(HiddenLayer(1, True), HiddenLayer(1, True)))
    with pytest.raises(TowerError, match="layer 9 from the end was asked of 'L'"):
        single(layer=HiddenLayer(9, True))


def test_an_unclosed_bracket_is_told_with_its_place():
    assert warnings_of(lambda: single()("a (red cat")) == [
        "'(' is never closed\n  a (red cat\n    ^\n"
        "Close it with ')' or write '\\(' for a literal bracket."
    ]


def test_editing_and_and_are_settled_and_told():
    conditioner = single()
    (message,) = warnings_of(lambda: conditioner("a [cat:dog:0.5]"))
    assert message.splitlines()[1:3] == ["  a [cat:dog:0.5]", "    ^"]
    (message,) = warnings_of(lambda: conditioner("a cat AND a dog"))
    assert message.splitlines()[1:3] == ["  a cat AND a dog", "        ^"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PromptWarning)
        edited = conditioner("a [cat:dog:0.5]").embeds
        joined = conditioner("a cat AND a dog").embeds
    assert torch.equal(edited, conditioner("a dog").embeds)
    assert torch.equal(joined, conditioner("a cat").embeds)
    # a word in a negative
    assert warnings_of(lambda: conditioner.guided("x", "a cat AND a dog")) == []
    assert warnings_of(lambda: single(dialect="plain")("a [cat:dog:0.5] AND")) == []


def test_what_a_dialect_drops_is_told():
    assert warnings_of(lambda: single(dialect="diffusers")("x " * ROOM + "red fox jumps")) == [
        "the prompt needs 2 chunks of 75 tokens; dialect 'diffusers' takes 1; dropped: "
        "'red fox jumps'\nShorten the prompt, or take dialect 'a1111', which takes any length."
    ]


def test_characters_that_are_mere_bytes_are_told():
    assert warnings_of(lambda: single()(["a cat", "猫と犬 café 😀"])) == [
        "'L' reads 10 of the 12 characters here; the others reach it as bytes it never learned: "
        "'猫', '犬'"
    ]
    assert warnings_of(lambda: single()("naïve 日 ❤")) == []


def test_a_tower_of_few_words_tells_which_it_cannot_read():
    model = copy.deepcopy(model_l())
    table = model.get_input_embeddings().weight
    known = tokenizer()("a red cat fox , .").input_ids + tokenizer()("😀").input_ids
    unknown = torch.ones(len(table), dtype=torch.bool)
    unknown[known] = False
    table[unknown] = 0
    conditioner = Conditioner(OpenAIClipTower(model, tokenizer(), name="small"))

    assert warnings_of(lambda: conditioner("a (red:1.2) Cat, fox. 12")) == []
    assert warnings_of(lambda: conditioner(["a purple cat", "an odd cat"])) == [
        "'small' knows 4 words; it cannot read 'purple', 'an', 'odd'"
    ]
    assert warnings_of(lambda: conditioner("a cat 😀 🤖 一只猫")) == [
        "'small' knows 4 words and reads 5 of the 9 characters here; it cannot read '🤖', '一只猫'"
    ]


def test_an_overflow_is_one_clear_error():
    tower = OpenAIClipTower(copy.deepcopy(model_l()).half(), tokenizer(), name="half")
    conditioner = Conditioner(tower, weighting="scale")

    heavy = pytest.warns(PromptWarning, match="'cat' has the weight 1e\\+06")
    with heavy, pytest.raises(WeightingError) as caught:
        conditioner(["a cat", "a (cat:1000000)"])

    assert str(caught.value) == (
        "the weight 1e+06 leads to NaN or infinite values in float16\n"
        "  a (cat:1000000)\n"
        "     ^\n"
        "Useful weights are between 0 and 2."
    )


@pytest.mark.parametrize("dialect", ["a1111", "lpw"])
def test_a_mean_that_turns_is_told_with_the_place_of_the_weight(dialect):
    conditioner = single(dialect=dialect)

    heavy, turned = warnings_of(lambda: conditioner(["a dog", "a (small:0.9) (cat:-500)"]))
    assert heavy.startswith("'cat' has the weight -500, which is hardly meant\n")
    assert turned == (
        "restoring the mean of a weighted chunk turned its embedding round\n"
        "  a (small:0.9) (cat:-500)\n"
        "                 ^\n"
        "Milder weights, or weighting='scale', which restores nothing, give what was meant."
    )


def test_a_warning_about_a_prompt_names_no_other():
    subject = SUBJECT.set(("a dog", 4))
    assert str(told_by(PromptWarning("what"))) == "what\n  a dog\n      ^"
    assert str(told_by(PromptWarning("what", "a fox", 0))) == "what\n  a fox\n  ^"
    SUBJECT.reset(subject)
    assert str(told_by(PromptWarning("what"))) == "what"


def told_by(warning: PromptWarning) -> Warning | str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(warning)
    return caught[0].message


def test_a_broken_tower_is_told_from_broken_weights():
    model = copy.deepcopy(model_l())
    model.get_input_embeddings().weight[2368] = torch.nan
    conditioner = Conditioner(OpenAIClipTower(model, tokenizer(), name="torn"))

    with pytest.raises(TowerError) as caught:
        conditioner("a (cat:1.2)")

    assert str(caught.value) == (
        "'torn' itself gives NaN or infinite values for the prompt 'a (cat:1.2)'\n"
        "Its weights are broken: load it again, from another file if that does not help."
    )
    model.half()
    with pytest.raises(TowerError, match="broken, or too large for float16: try float32"):
        conditioner("a (cat:1.2)")


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(max_size=40))
def test_no_prompt_surprises(prompt):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipcondWarning)
        try:
            ours = single()(prompt)
        except PromptError:
            return
    assert ours.embeds.shape[::2] == (1, 32)


def test_a_copy_works_on_its_own():
    conditioner = single()
    first = conditioner("a cat").embeds
    other = copy.deepcopy(conditioner)

    assert other.towers[0].model is not conditioner.towers[0].model
    assert torch.equal(other("a cat").embeds, first)


def test_a_report_and_chunks_are_of_one_prompt():
    conditioner = single()
    for value, kind, remedy in (
        (["a cat"], "a list", "Call this for each of them."),
        (("a cat",), "a tuple", "Call this for each of them."),
        (None, "None", 'Use "" for an empty prompt.'),
        (b"cat", "a bytes", "Decode it first: prompt.decode('utf-8')."),
        (3, "an int", ""),
    ):
        calls = {conditioner.explain: "prompt", conditioner.chunks: "prompt"}
        if value is not None:  # no negative
            calls[partial(conditioner.explain, "a cat")] = "negative prompt"
        for call, what in calls.items():
            with pytest.raises(PromptTypeError) as caught:
                call(value)
            assert str(caught.value).startswith(f"one {what}, a string, is needed here, not {kind}")
            assert str(caught.value).endswith(remedy)
