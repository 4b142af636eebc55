"""Dialect diffusers against diffusers 0.42.1, encode_prompt of its SD and SDXL pipelines."""

import pytest

from clipcond import Conditioner
from clipcond.prompt import parse
from tests.parity.golden import TOLERANCE, case_id, cases_of, difference, failures, tensors_of
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


def test_parse():
    def check(case: dict) -> None:
        parts = parse(case["prompt"], "plain").parts
        assert [[part.text, part.weight] for part in parts] == case["parsed"]

    assert not failures(CASES.values(), check, case_id)


def test_chunks():
    conditioner = Conditioner(tower_l(), dialect="diffusers")

    def check(case: dict) -> None:
        ours = conditioner.chunks(case["prompt"])
        got = [{"ids": list(c.input_ids), "weights": list(c.weights)} for c in ours]
        assert got == case["chunks"]

    assert not failures(CASES.values(), check, case_id)


def test_how_long_the_text_is():
    tokenizer = tower_l().tokenizer

    def check(case: dict) -> None:
        n_tokens = len(tokenizer.encode(case["prompt"]))
        assert n_tokens == case["untruncated_token_count"]
        assert case["truncated"] == (n_tokens > 75)

    assert not failures(CASES.values(), check, case_id)


def test_chunks_of_the_second_tower():
    conditioner = Conditioner(tower_g(), dialect="diffusers")

    def check(case: dict) -> None:
        (ours,) = conditioner.chunks(case["prompt"])
        expected = case.get("tokenizer2_ids", padded_with_0(case["chunks"][0]))
        assert list(ours.input_ids) == expected

    assert not failures(CASES.values(), check, case_id)


def padded_with_0(chunk: dict) -> list[int]:
    end = chunk["ids"].index(49407) + 1
    return chunk["ids"][:end] + [0] * (77 - end)


def test_one_prompt():
    def check(key: str) -> None:
        compare(key, conditioner_for(key)(CASES[key.split("/")[0]]["prompt"]))

    assert not failures(SINGLE, check)


def test_negatives():
    """With clip_skip too: the reference ignores it there; ours without it is the same."""

    def check(key: str) -> None:
        pair = PAIRS[key.split("/")[0]]
        assert pair["sd_negative_ignores_clip_skip"]
        compare(key, conditioner_for(key).guided(pair["prompt"], pair["negative"]).negative)

    assert not failures(PAIRED, check)


def test_which_negatives_are_zeros():
    def check(pair: dict) -> None:
        negative = conditioner_for("/sdxl/").guided(pair["prompt"], pair["negative"]).negative

        assert pair["sdxl_negative_is_zero"] == (not negative.embeds.any())
        assert pair["sdxl_negative_is_zero"] == (not negative.pooled.any())

    assert not failures(PAIRS.values(), check, case_id)


def test_a_text_for_each_tower():
    def check(key: str) -> None:
        ours = conditioner_for(key).guided(
            TWO["prompt"],
            TWO["negative_prompt"],
            prompts_2=TWO["prompt_2"],
            negatives_2=TWO["negative_prompt_2"],
        )
        compare(key, ours.negative if "negative" in key.split("/")[-1] else ours.positive)

    assert not failures(DOUBLE, check)
