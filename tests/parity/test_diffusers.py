"""Dialect diffusers against diffusers 0.42.1, encode_prompt of its SD and SDXL pipelines."""

import pytest

from clipcond import Conditioner
from clipcond.prompt import parse
from tests.parity.golden import TOLERANCE, cases_of, difference, tensors_of
from tests.parity.models import tower_g, tower_l

GOLDEN = cases_of("diffusers")
TENSORS = tensors_of("diffusers")
CASES = {case["id"]: case for case in GOLDEN["cases"]}
PAIRS = {pair["id"]: pair for pair in GOLDEN["pairs"]}
TWO = GOLDEN["meta"]["two_prompts"]
SINGLE = sorted(key for key in TENSORS if key.split("/")[0] in CASES)
PAIRED = sorted(key for key in TENSORS if key.split("/")[0] in PAIRS)
DOUBLE = sorted(key for key in TENSORS if key.split("/")[0] == TWO["id"])

# golden prompts are cut, or Chinese: we warn, as tested elsewhere
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def conditioner_for(key: str) -> Conditioner:
    """Ours, set up as the reference was. Its clip_skip n is our n + 1, for SDXL n + 2."""
    _, model, *rest = key.split("/")
    skip = rest[0].removeprefix("clip_skip") if rest[0].startswith("clip_skip") else "None"
    n = 0 if skip == "None" else int(skip)
    if model == "sd":
        return Conditioner(tower_l(), dialect="diffusers", clip_skip=n + 1)
    return Conditioner(tower_l(), tower_g(), dialect="diffusers", clip_skip=n + 2)


def compare(key: str, ours) -> None:
    result = ours.pooled if key.endswith("pooled") else ours.embeds
    assert difference(result[0], TENSORS[key]) <= TOLERANCE


def test_the_golden_data_is_all_there():
    assert (len(CASES), len(PAIRS)) == (138, 9)
    assert {*SINGLE, *PAIRED, *DOUBLE} == set(TENSORS)


@each_case
def test_parse(case):
    parsed = parse(case["prompt"], "plain")

    assert [[part.text, part.weight] for part in parsed.parts] == case["parsed"]


@each_case
def test_chunks(case):
    ours = Conditioner(tower_l(), dialect="diffusers").chunks(case["prompt"])

    got = [{"ids": list(c.input_ids), "weights": list(c.weights)} for c in ours]
    assert got == case["chunks"]


@each_case
def test_how_long_the_text_is(case):
    n_tokens = len(tower_l().tokenizer.encode(case["prompt"]))

    assert n_tokens == case["untruncated_token_count"]
    assert case["truncated"] == (n_tokens > 75)


@each_case
def test_chunks_of_the_second_tower(case):
    (ours,) = Conditioner(tower_g(), dialect="diffusers").chunks(case["prompt"])

    assert list(ours.input_ids) == case.get("tokenizer2_ids", padded_with_0(case["chunks"][0]))


def padded_with_0(chunk: dict) -> list[int]:
    end = chunk["ids"].index(49407) + 1
    return chunk["ids"][:end] + [0] * (77 - end)


@pytest.mark.parametrize("key", SINGLE)
def test_one_prompt(key):
    compare(key, conditioner_for(key)(CASES[key.split("/")[0]]["prompt"]))


@pytest.mark.parametrize("key", PAIRED)
def test_negatives(key):
    """With clip_skip too: the reference ignores it there; ours without it is the same."""
    pair = PAIRS[key.split("/")[0]]
    assert pair["sd_negative_ignores_clip_skip"]
    compare(key, conditioner_for(key).guided(pair["prompt"], pair["negative"]).negative)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_which_negatives_are_zeros(pair):
    negative = conditioner_for("/sdxl/").guided(pair["prompt"], pair["negative"]).negative

    assert pair["sdxl_negative_is_zero"] == (not negative.embeds.any())
    assert pair["sdxl_negative_is_zero"] == (not negative.pooled.any())


@pytest.mark.parametrize("key", DOUBLE)
def test_a_text_for_each_tower(key):
    ours = conditioner_for(key).guided(
        TWO["prompt"],
        TWO["negative_prompt"],
        prompts_2=TWO["prompt_2"],
        negatives_2=TWO["negative_prompt_2"],
    )

    compare(key, ours.negative if "negative" in key.split("/")[-1] else ours.positive)
