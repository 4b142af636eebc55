"""Dialect comfyui's embeddings against ComfyUI 0.3.64, run on the same small models.

ComfyUI's text model is an implementation of its own, so that even equal ids differ in the last
places. A layer beyond the first block means the final output there; ours refuses it, and the final
output is asked for as such.
"""

import pytest
import torch

from clipcond import Conditioner, HiddenLayer
from tests.parity.golden import TOLERANCE, cases_of, difference, failures, tensors_of
from tests.parity.models import tower_g, tower_l

PROMPTS = {case["id"]: case["prompt"] for case in cases_of("comfyui")["cases"]}
TENSORS = tensors_of("comfyui")
N_BLOCKS = 4

# golden prompts have brackets that do not match, missing embeddings, Chinese: we warn, as tested
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


def layer_of(name: str, *, norm: bool) -> HiddenLayer | None:
    """`layer-3` as our layer; None for another name."""
    if not name.startswith("layer-"):
        return None
    depth = int(name.removeprefix("layer-"))
    return HiddenLayer(depth, norm) if depth <= N_BLOCKS else HiddenLayer(1, final_norm=True)


def conditioner_for(key: str) -> Conditioner:
    """Ours, set up as the reference was."""
    _, model, choice, _ = key.split("/")
    if model == "sdxl":
        layer = layer_of(choice, norm=False)
        return Conditioner(tower_l(), tower_g(), dialect="comfyui", layer=layer)
    dialect = "comfyui_words" if model == "sd1_word_split" else "comfyui"
    clip_skip = int(choice.removeprefix("skip")) if choice.startswith("skip") else None
    layer = layer_of(choice, norm=True)
    return Conditioner(tower_l(), dialect=dialect, clip_skip=clip_skip, layer=layer, pooled=True)


def check_prompt(key: str) -> None:
    ours = conditioner_for(key)(PROMPTS[key.split("/")[0]])

    result = ours.pooled if key.endswith("pooled") else ours.embeds
    assert difference(result[0], TENSORS[key]) <= TOLERANCE


def test_one_prompt():
    assert not failures(sorted(TENSORS), check_prompt)


def test_the_golden_data_is_all_there():
    assert len(TENSORS) == 166


def words(n: int) -> str:
    return " ".join(["red fox"] * (n // 2)) + " cat" * (n % 2)


@pytest.mark.parametrize(("long", "times"), [(80, 2), (320, 5)])
def test_the_shorter_of_prompt_and_negative_is_repeated(long, times):
    conditioner = Conditioner(tower_l(), dialect="comfyui")

    guided = conditioner.guided(words(long), "a (cat:1.3)")

    assert guided.positive.embeds.shape == guided.negative.embeds.shape
    alone = conditioner("a (cat:1.3)").embeds
    assert torch.equal(guided.negative.embeds, alone.repeat(1, times, 1))


def test_two_and_three_chunks_become_six():
    conditioner = Conditioner(tower_l(), dialect="comfyui")
    long, longer = words(150), words(225)

    guided = conditioner.guided(long, longer)

    assert torch.equal(guided.positive.embeds, conditioner(long).embeds.repeat(1, 3, 1))
    assert torch.equal(guided.negative.embeds, conditioner(longer).embeds.repeat(1, 2, 1))


def test_what_would_become_very_long_is_filled_with_empty_chunks():
    conditioner = Conditioner(tower_l(), dialect="comfyui")
    prompts = [words(75 * n) for n in (1, 2, 3, 5, 7)]  # 210 chunks if they were repeated

    embeds = conditioner(prompts).embeds

    assert embeds.shape[1] == 7 * 77
    empty = conditioner("").embeds[0]
    assert torch.equal(embeds[0, :77], embeds[0, 77:154])  # 7 is a multiple of 1: repeated
    assert torch.equal(embeds[3, 5 * 77 :], empty.repeat(2, 1))


def test_separate_texts_of_a_pair_are_brought_to_one_length_by_empty_chunks():
    conditioner = Conditioner(tower_l(), tower_g(), dialect="comfyui")

    ours = conditioner("a (cat:1.3)", prompts_2=words(80)).embeds[0]

    first = Conditioner(tower_l(), dialect="comfyui", layer=HiddenLayer(2, final_norm=False))
    expected = torch.cat([first("a (cat:1.3)").embeds[0], first("").embeds[0]])
    assert difference(ours[:, :32], expected) <= TOLERANCE
