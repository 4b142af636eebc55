"""Dialect lpw against diffusers' community pipelines lpw_stable_diffusion and its _xl, 58eb52c.

Left out: nothing but the two calls in which the reference dies, `(cat:1.2.3)` and an SDXL prompt
without tokens with a negative without tokens; ours gives an error with a caret, and two rows.
"""

from dataclasses import replace

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning.dialects import DIALECTS, without_inner_frames
from clipcond.errors import PromptSyntaxError
from clipcond.prompt import parse
from clipcond.weighting.scaling import scale_mean_joined
from tests.parity.golden import TOLERANCE, case_id, cases_of, difference, failures, tensors_of
from tests.parity.models import tower_g, tower_l

GOLDEN = cases_of("lpw")
TENSORS = tensors_of("lpw")
CASES = {case["id"]: case for case in GOLDEN["cases"]}
PAIRS = {pair["id"]: pair for pair in GOLDEN["pairs"]}
READABLE = [case for case in CASES.values() if "error" not in case["parsed"]]
SINGLE = sorted(key for key in TENSORS if key.split("/")[0] in CASES)
PAIRED = sorted(key for key in TENSORS if key.split("/")[0] in PAIRS)

# golden prompts are cut, have BREAK, unclosed brackets, Chinese: we warn, as tested elsewhere
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")

LPW = DIALECTS["lpw"]
OPTIONS = {
    "default": {"dialect": LPW},
    "multiples1": {"dialect": replace(LPW, max_chunks=1)},
    "skip_weighting": {"dialect": LPW, "weighting": "none"},
    "no_boseos_middle": {
        "dialect": replace(LPW, weighting=scale_mean_joined, rows=without_inner_frames)
    },
}


def conditioner_for(key: str) -> Conditioner:
    """Ours, set up as the reference was. Its clip_skip n is our n + 1, for SDXL n + 2."""
    _, model, *rest = key.split("/")
    skip = rest[0].removeprefix("clip_skip") if rest[0].startswith("clip_skip") else "none"
    n = 0 if skip.lower() == "none" else int(skip)
    if model == "sd15":
        return Conditioner(tower_l(), clip_skip=n + 1, **OPTIONS.get(rest[-1], OPTIONS["default"]))
    return Conditioner(tower_l(), tower_g(), dialect="lpw", clip_skip=n + 2)


def test_the_golden_data_is_all_there():
    assert (len(CASES), len(READABLE), len(PAIRS)) == (126, 125, 8)
    assert {*SINGLE, *PAIRED, "vbatch/sd15/default"} == set(TENSORS)


def test_parse():
    def check(case: dict) -> None:
        parts = parse(case["prompt"], "lpw").parts
        assert [[part.text, part.weight] for part in parts] == case["parsed"]

    assert not failures(READABLE, check, case_id)


@pytest.mark.parametrize("syntax", ["lpw", "lpw_xl"])
def test_where_the_reference_dies_there_is_an_error_with_a_caret(syntax):
    (case,) = (case for case in CASES.values() if case not in READABLE)

    with pytest.raises(PromptSyntaxError) as error:
        parse(case["prompt"], syntax)
    assert str(error.value) == (
        "'1.2.3' is not a number\n  (cat:1.2.3)\n       ^\nWrite a decimal number such as 1.2."
    )


def test_the_syntax_for_sdxl_is_that_of_sd_embed_but_for_the_empty_prompt():
    def check(case: dict) -> None:
        parsed = [[part.text, part.weight] for part in parse(case["prompt"], "lpw_xl").parts]
        assert parsed == (case["parsed"] if case["prompt"] else [["", 1.0]])

    cases = [case for case in cases_of("sd_embed")["cases"] if "error" not in case["parsed"]]
    assert not failures(cases, check, case_id)


def test_chunks():
    conditioner = Conditioner(tower_l(), dialect="lpw")

    def check(case: dict) -> None:
        ours = conditioner.chunks(case["prompt"])
        got = [{"ids": list(c.input_ids), "weights": list(c.weights)} for c in ours]
        assert got == case["chunks"]

    assert not failures(READABLE, check, case_id)


def check_prompt(key: str) -> None:
    prompt = CASES[key.split("/")[0]]["prompt"]
    conditioner = conditioner_for(key)

    if "/sd15/" in key:
        ours = conditioner(prompt)
    elif key.endswith("negative_x"):  # the reference applies clip_skip to the positive only
        ours = conditioner.guided(prompt, "x", clip_skip=2).negative
    else:
        ours = conditioner.guided(prompt, "x").positive
    result = ours.pooled if key.endswith("pooled") else ours.embeds
    assert difference(result[0], TENSORS[key]) <= TOLERANCE


def test_one_prompt():
    assert not failures(SINGLE, check_prompt)


def test_a_prompt_and_its_negative():
    def check(key: str) -> None:
        pair = PAIRS[key.split("/")[0]]
        ours = conditioner_for(key).guided(pair["prompt"], pair["negative"])

        side = ours.negative if "negative" in key.split("/")[-1] else ours.positive
        result = side.pooled if key.endswith("pooled") else side.embeds
        assert difference(result[0], TENSORS[key]) <= TOLERANCE

    assert not failures(PAIRED, check)


def test_both_sides_are_as_long_as_in_the_reference():
    def check(pair: dict) -> None:
        ours = conditioner_for("/sd15/").guided(pair["prompt"], pair["negative"])
        shapes = [list(side.embeds.shape) for side in (ours.positive, ours.negative)]
        assert shapes == [pair["shape"], pair["negative_shape"]]

        ours = conditioner_for("/sdxl/").guided(pair["prompt"], pair["negative"])
        expected = pair.get("sdxl_shape", [1, 2, 72])  # the reference dies without any token
        assert list(ours.positive.embeds.shape) == list(ours.negative.embeds.shape) == expected

    assert not failures(PAIRS.values(), check, case_id)


def test_a_batch():
    ours = conditioner_for("/sd15/")(GOLDEN["meta"]["batch_prompts"]).embeds

    assert difference(ours, TENSORS["vbatch/sd15/default"]) <= TOLERANCE


def test_the_second_prompt_is_appended():
    conditioner = conditioner_for("/sdxl/")

    ours = conditioner("a (red:1.3) cat", prompts_2="on a mat")
    joined = conditioner("a (red:1.3) cat on a mat")
    assert torch.equal(ours.embeds, joined.embeds)
    assert torch.equal(ours.pooled, joined.pooled)
