"""Dialect compel's embeddings against compel 2.5.1, run on the same small models.

Left out: nothing. Where the reference dies, ours gives what the rule says: the empty chunk for a
prompt that comes to nothing, weights of a conjunction in both towers of a pair.
"""

from dataclasses import replace

import pytest
import torch

from clipcond import Conditioner, HiddenLayer
from clipcond.chunking import hard, phrases, words
from clipcond.conditioning.dialects import DIALECTS
from clipcond.weighting.masking import masked
from clipcond.weighting.shared_eos import with_first_eos, with_mean_eos
from tests.parity.golden import TOLERANCE, case_id, cases_of, difference, failures, tensors_of
from tests.parity.models import tower_g, tower_l

GOLDEN = cases_of("compel")
TENSORS = tensors_of("compel")
CASES = {case["id"]: case for case in GOLDEN["cases"]}
PAIRS = {pair["id"]: pair for pair in GOLDEN["pairs"]}
SINGLE = sorted(key for key in TENSORS if key.split("/")[0] in CASES)
PAIRED = sorted(key for key in TENSORS if key.split("/")[0] in PAIRS)
DEAD = sorted(case["id"] for case in CASES.values() if "encode_error" in case)

# golden prompts are cut, have unclosed brackets, other dialects' weights: we warn, as tested
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")

COMPEL = DIALECTS["compel"]
OPTIONS = {
    "compel": COMPEL,
    "compel_remove": replace(COMPEL, weighting="removed"),
    "compel_truncate": replace(COMPEL, splitter=hard, max_chunks=1),
    "compel_brutal": replace(COMPEL, splitter=hard),
    "compel_words": replace(COMPEL, splitter=words),
    "compel_phrases": replace(COMPEL, splitter=phrases),
    "compel_copy_cls": replace(COMPEL, weighting=with_first_eos(masked)),
    "compel_merge_cls": replace(COMPEL, weighting=with_mean_eos(masked)),
}
SKIPS = {"skip1": 1, "skip2": 2}


def conditioner_for(key: str) -> Conditioner:
    """Ours, set up as the reference was."""
    _, model, *rest = key.split("/")
    if model == "sdxl":
        return Conditioner(tower_l(), tower_g(), dialect="compel")
    option = OPTIONS.get(rest[-1], COMPEL)
    return Conditioner(tower_l(), dialect=option, clip_skip=SKIPS.get(rest[0], 1))


def test_the_golden_data_is_all_there():
    assert (len(SINGLE), len(PAIRED)) == (167, 28)
    assert {*SINGLE, *PAIRED} == set(TENSORS)
    assert {key.split("/")[3] for key in SINGLE if "/sd1/" in key} == set(OPTIONS)


def test_one_prompt():
    assert not failures(SINGLE, check_prompt)


def check_prompt(key: str) -> None:
    ours = conditioner_for(key)(CASES[key.split("/")[0]]["prompt"])

    result = ours.pooled if key.endswith("pooled") else ours.embeds
    assert difference(result[0], TENSORS[key]) <= TOLERANCE


def test_as_many_rows_as_in_the_reference():
    conditioner = Conditioner(tower_l(), dialect="compel")

    def check(case: dict) -> None:
        assert list(conditioner(case["prompt"]).embeds.shape) == case["encode_shape"]

    shaped = [case for case in CASES.values() if "encode_shape" in case]
    assert not failures(shaped, check, case_id)


def test_prompts_and_their_negatives():
    assert not failures(PAIRED, check_pair)


def check_pair(key: str) -> None:
    pair = PAIRS[key.split("/")[0]]
    ours = conditioner_for(key).guided(pair["prompt"], pair["negative"])

    side = ours.negative if "negative" in key.split("/")[-1] else ours.positive
    result = side.pooled if key.endswith("pooled") else side.embeds
    reference = TENSORS[key]
    assert difference(result.reshape(*reference.shape[:-1], -1), reference) <= TOLERANCE
    name = "sdxl_shape" if "/sdxl/" in key else "sd1_shape"
    assert list(ours.positive.embeds.shape) == list(ours.negative.embeds.shape) == pair[name]


def test_where_the_reference_dies():
    assert not failures(DEAD, check_where_the_reference_dies)


def check_where_the_reference_dies(key: str) -> None:
    prompt = CASES[key]["prompt"]
    conditioner = Conditioner(tower_l(), tower_g(), dialect="compel")

    ours = conditioner(prompt).embeds

    assert torch.isfinite(ours).all()
    if ".and(" in prompt:  # each tower by itself is as in the reference
        penultimate = HiddenLayer(2, final_norm=False)
        for tower, part in zip(
            (tower_l(), tower_g()), (ours[..., :32], ours[..., 32:]), strict=True
        ):
            alone = Conditioner(tower, dialect="compel", layer=penultimate)(prompt).embeds
            assert difference(part, alone) <= TOLERANCE
    else:
        assert difference(ours, conditioner("").embeds) <= TOLERANCE
