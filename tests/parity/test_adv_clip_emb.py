"""Weighting rules against BlenderNeko's ComfyUI_ADV_CLIP_emb 63984de on ComfyUI 0.3.64.

Five interpretations, four normalisations, words and fragments as groups. Nothing is left out. Two
of the tool's options are no options of ours, but follow from what ours gives, as shown below: the
balance of SDXL's towers is a factor for the columns of each, and its "affected" pooled vector is a
row of hidden states, which is not what SDXL was trained on.
"""

from functools import lru_cache

import pytest
import torch

from clipcond import Conditioner
from clipcond.weighting import NORMALIZATIONS
from tests.parity.golden import TOLERANCE, case_id, cases_of, difference, failures, tensors_of
from tests.parity.models import tower_g, tower_l

CASES = cases_of("adv_clip_emb")["cases"]
PROMPTS = {case["id"]: case["prompt"] for case in CASES}
TENSORS = tensors_of("adv_clip_emb")
AFFECTED = sorted(key for key in TENSORS if key.endswith("pooled_affected"))
BALANCED = sorted(key for key in TENSORS if "/balance" in key)
DIRECT = sorted(set(TENSORS) - set(AFFECTED) - set(BALANCED))
MAIN_WIDTH = 32  # columns of the first tower

# golden prompts have brackets that do not match, Chinese, BREAK: we warn, as tested elsewhere
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")

DIALECTS = {"word": "comfyui_words", "segment": "comfyui"}
RULES = {
    "comfy": "lerp",
    "A1111": "adv_a1111",
    "compel": "adv_compel",
    "comfy++": "comfy++",
    "down_weight": "down_weight",
}


@lru_cache
def conditioner_for(model: str, grouping: str, rule: str, normalize: str) -> Conditioner:
    """Ours, set up as the reference was."""
    grouping, _, skip = grouping.partition("_skip")
    choices = {
        "dialect": DIALECTS[grouping],
        "clip_skip": int(skip or 1),
        "weighting": RULES[rule],
        "normalize": normalize,
    }
    if model == "sdxl":
        return Conditioner(tower_l(), tower_g(), **choices)
    assert model == "sd1"
    return Conditioner(tower_l(), **choices)


def ours_for(key: str):
    name, *choices = key.split("/")
    return conditioner_for(*choices[:4])(PROMPTS[name])


def unrolled(runs):
    return [value for value, n in runs for _ in range(n)]


def test_the_golden_data_is_all_there():
    assert (len(CASES), len(TENSORS)) == (132, 464)
    assert (len(AFFECTED), len(BALANCED)) == (30, 3)


@pytest.mark.parametrize("grouping", DIALECTS)
def test_chunks_words_and_weights(grouping):
    def check(case: dict) -> None:
        expected = {**case["word"], **case[grouping]}
        chunks = conditioner_for("sd1", grouping, "comfy", "none").chunks(case["prompt"])

        assert [list(c.input_ids) for c in chunks] == expected["ids"]
        words = [[segment + 1 for segment in c.segments] for c in chunks]
        assert words == [unrolled(runs) for runs in expected["word_ids_rle"]]
        weights = [list(c.weights) for c in chunks]
        assert weights == [unrolled(runs) for runs in expected["weights_rle none"]]

    assert not failures(CASES, check, case_id)


@pytest.mark.parametrize("normalize", ["mean", "length", "length+mean"])
@pytest.mark.parametrize("grouping", DIALECTS)
def test_normalized_weights(grouping, normalize):
    def check(case: dict) -> None:
        expected = {**case["word"], **case[grouping]}[f"weights_rle {normalize}"]
        chunks = conditioner_for("sd1", grouping, "comfy", "none").chunks(case["prompt"])

        for chunk, runs in zip(NORMALIZATIONS[normalize](chunks), expected, strict=True):
            # the reference sums in float64 in an order of its own; ours rounds the exact sum
            assert list(chunk.weights) == pytest.approx(unrolled(runs), rel=0, abs=1e-13)

    assert not failures(CASES, check, case_id)


def check_prompt(key: str) -> None:
    ours = ours_for(key)

    result = ours.pooled if key.endswith("pooled_plain") else ours.embeds
    assert difference(result[0], TENSORS[key]) <= TOLERANCE


def test_one_prompt():
    assert not failures(DIRECT, check_prompt)


def test_balance_is_a_factor_for_the_columns_of_each_tower():
    def check(key: str) -> None:
        balance = float(key.split("balance")[1])

        embeds = ours_for(key).embeds[0].clone()
        embeds[:, :MAIN_WIDTH] *= 1 - 2 * max(0.0, balance - 0.5)
        embeds[:, MAIN_WIDTH:] *= 1 - 2 * max(0.0, 0.5 - balance)

        assert difference(embeds, TENSORS[key]) <= TOLERANCE

    assert not failures(BALANCED, check)


def test_what_the_affected_pooled_vector_is():
    assert not failures(AFFECTED, check_affected_pooled)


def check_affected_pooled(key: str) -> None:
    name, _, _, rule, _, _ = key.split("/")
    ours = ours_for(key)

    if rule in ("comfy", "A1111"):
        expected = ours.pooled[0]
    elif rule == "comfy++":
        plain = Conditioner(tower_l(), tower_g(), dialect="comfyui", weighting="none")
        (chunk,) = plain.chunks(PROMPTS[name])
        raised = max(0.0, max(chunk.weights) - 1.0)  # at most one word is, in this data
        expected = plain(PROMPTS[name]).embeds[0, -1, MAIN_WIDTH:] * (1 - raised)
    else:
        expected = ours.embeds[0, -1, MAIN_WIDTH:]
    assert torch.isfinite(expected).all()
    assert difference(expected, TENSORS[key]) <= TOLERANCE
