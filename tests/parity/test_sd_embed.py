"""Dialect sd_embed against sd_embed 4a47f71: texts and weights to the last bit, tensors to 1e-5."""

from dataclasses import replace

import pytest

from clipcond import Conditioner
from clipcond.chunking import tokenize
from clipcond.conditioning.dialects import DIALECTS
from clipcond.conditioning.plan import Cutter, plan_call
from clipcond.errors import PromptSyntaxError
from clipcond.prompt import parse
from clipcond.weighting.normalize import half
from tests.parity.golden import TOLERANCE, case_id, cases_of, difference, failures, tensors_of
from tests.parity.models import tower_g, tower_l

GOLDEN = cases_of("sd_embed")
TENSORS = tensors_of("sd_embed")
CASES = {case["id"]: case for case in GOLDEN["cases"]}
PAIRS = {pair["id"]: pair for pair in GOLDEN["pairs"]}
READABLE = [case for case in CASES.values() if "error" not in case["parsed"]]
SINGLE = sorted(key for key in TENSORS if key.split("/")[0] in CASES)
PAIRED = sorted(key for key in TENSORS if key.split("/")[0] in PAIRS)

# golden prompts have BREAK, unclosed brackets, Chinese: we warn, as tested elsewhere
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


def guided(key: str, prompt: str, negative: str):
    """Ours, set up as the reference was for `key`. Its clip_skip n is our n + 1, for SDXL n + 2."""
    _, model, *rest = key.split("/")
    skip = rest[0].removeprefix("clip_skip") if rest[0].startswith("clip_skip") else "None"
    n = 0 if skip == "None" else int(skip)
    if model == "sd15":
        dialect = DIALECTS["sd_embed"]
        if "pad" in rest:
            dialect = replace(dialect, rows=None)
        return Conditioner(tower_l(), dialect=dialect, clip_skip=n + 1).guided(prompt, negative)
    conditioner = Conditioner(tower_l(), tower_g(), dialect="sd_embed", clip_skip=n + 2)
    return conditioner.guided(prompt, negative)


def test_the_golden_data_is_all_there():
    assert (len(CASES), len(READABLE), len(PAIRS)) == (126, 125, 8)
    assert {*SINGLE, *PAIRED} == set(TENSORS)


def test_parse():
    def check(case: dict) -> None:
        parts = parse(case["prompt"], "sd_embed").parts
        assert [[part.text, part.weight] for part in parts] == case["parsed"]

    assert not failures(READABLE, check, case_id)


def test_where_the_reference_dies_there_is_an_error_with_a_caret():
    (case,) = (case for case in CASES.values() if case not in READABLE)

    with pytest.raises(PromptSyntaxError) as error:
        parse(case["prompt"], "sd_embed")
    assert str(error.value) == (
        "'1.2.3' is not a number\n  (cat:1.2.3)\n       ^\nWrite a decimal number such as 1.2."
    )


def test_tokens(clip_bpe):
    def check(case: dict) -> None:
        tokens = tokenize(parse(case["prompt"], "sd_embed"), clip_bpe)
        got = {"ids": [token.id for token in tokens], "weights": [token.weight for token in tokens]}
        assert got == case["tokens"]

    assert not failures(READABLE, check, case_id)


def test_chunks():
    assert not failures(READABLE, check_chunks, case_id)


def check_chunks(case: dict) -> None:
    """The reference leaves the last chunk's padding out, ours when the rows are handed on."""
    ours = Conditioner(tower_l(), dialect="sd_embed").chunks(case["prompt"])

    if not case["tokens"]["ids"]:  # the reference fills up with the negative's one token
        assert [c["ids"] for c in case["chunks"]] == [[49406, 49407, 49407]]
        assert [c.input_ids for c in ours] == [(49406,) + (49407,) * 76]
        return
    padded = case.get("chunks_pad_last_block")
    if padded is not None:
        assert [{"ids": list(c.input_ids), "weights": list(c.weights)} for c in ours] == padded
    cut = [len(chunk["ids"]) for chunk in case["chunks"]]
    assert [
        {"ids": list(c.input_ids[:n]), "weights": list(c.weights[:n])}
        for c, n in zip(ours, cut, strict=True)
    ] == case["chunks"]
    assert all(c.input_ids[n:] == (49407,) * (77 - n) for c, n in zip(ours, cut, strict=True))


def test_chunks_of_a_pair():
    assert not failures(PAIRS.values(), check_chunks_of_a_pair, case_id)


def check_chunks_of_a_pair(pair: dict) -> None:
    tower, dialect = tower_l(), DIALECTS["sd_embed"]
    texts = [pair["prompt"], pair["negative"]]
    parsed = {text: parse(text, "sd_embed") for text in texts}
    cutter = Cutter(tower, tower.tokenizer, dialect.frame(tower.special), dialect, half)

    (row,) = plan_call([[(text,) for text in texts]], parsed, [cutter])
    for (plan,), group in zip(row, pair["groups"].values(), strict=True):
        for ours, reference in zip(plan.chunks, group, strict=True):
            n = len(reference["ids"])
            assert list(ours.input_ids[:n]) == reference["ids"]
            assert list(ours.weights[:n]) == reference["weights"]
            assert set(ours.input_ids[n:]) <= {49407}


def test_one_prompt():
    def check(key: str) -> None:
        ours = guided(key, CASES[key.split("/")[0]]["prompt"], "").positive

        result = ours.pooled if key.endswith("pooled") else ours.embeds
        assert difference(result[0], TENSORS[key]) <= TOLERANCE

    assert not failures(SINGLE, check)


def test_a_prompt_and_its_negative():
    def check(key: str) -> None:
        pair = PAIRS[key.split("/")[0]]
        ours = guided(key, pair["prompt"], pair["negative"])

        side = ours.negative if "negative" in key.split("/")[-1] else ours.positive
        result = side.pooled if key.endswith("pooled") else side.embeds
        assert difference(result[0], TENSORS[key]) <= TOLERANCE

    assert not failures(PAIRED, check)


def test_both_sides_are_as_long_as_in_the_reference():
    def check(pair: dict) -> None:
        ours = guided("/sd15/", pair["prompt"], pair["negative"])
        shapes = [list(side.embeds.shape) for side in (ours.positive, ours.negative)]
        assert shapes == [pair["shape"], pair["negative_shape"]]

        ours = guided("/sdxl/", pair["prompt"], pair["negative"])
        assert list(ours.positive.embeds.shape) == pair["sdxl_shape"]

    assert not failures(PAIRS.values(), check, case_id)
