"""How far weights move each token's row, and how long the rows are."""

import json
import warnings

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import ArgumentError, WeightingError
from clipcond.weighting import WEIGHTINGS
from tests.adapters.test_conditioner import made as through_adapter
from tests.conditioning.conditioners import counted_tower, pair, single
from tests.conditioning.read_pages import read_page, tables
from tests.failures import failures_of

WEIGHTED, PLAIN = "a (red:1.3) cat, (dim:0.5) (dog:1.7)", "a (red:1) cat, (dim:1) (dog:1)"
CLOSE = {"rtol": 0, "atol": 1e-6}


def directly(conditioner, weighted=WEIGHTED, plain=PLAIN, columns=slice(None)):
    """Norms and movements of all rows, from the embeds of both prompts."""
    after = conditioner(weighted).embeds[0, :, columns].double()
    before = conditioner(plain).embeds[0, :, columns].double()
    return after.norm(dim=-1), (after - before).norm(dim=-1) / before.norm(dim=-1)


def measured(report, name):
    return torch.tensor(
        [row[name] for row in report.json()["chunks"]], dtype=torch.float64
    ).flatten()


def check_equal(report, expected):
    norms, movements = expected
    assert report.json(compact=True)["chunks"][0]["weights"][2] == 1.3
    assert movements[2] > 0.05
    torch.testing.assert_close(measured(report, "norms"), norms, **CLOSE)
    torch.testing.assert_close(measured(report, "movements"), movements, **CLOSE)


def test_every_rule_moves_rows_as_a_direct_computation_says():
    def check(name):
        conditioner = single(weighting=name, clip_skip=2)
        report = conditioner.explain(WEIGHTED, movement=True)
        if name == "none":
            assert not measured(report, "movements").any()
            return
        check_equal(report, directly(conditioner))

    assert not failures_of(check, WEIGHTINGS)


def test_both_towers_of_a_pair():
    conditioner = pair()
    report = conditioner.explain(WEIGHTED, WEIGHTED, movement=True)

    for each in (report, report.negative):
        check_equal(each, directly(conditioner, columns=slice(0, 32)))
        check_equal(each.second, directly(conditioner, columns=slice(32, None)))
        pooled = conditioner(WEIGHTED).pooled[0]
        assert torch.equal(each.second.measured.pooled, pooled)
        assert each.measured.pooled is None
        rows = torch.cat([each.measured.embeds, each.second.measured.embeds], dim=-1)
        assert torch.equal(rows, conditioner(WEIGHTED).embeds[0])


def test_several_chunks_and_the_negative_that_is_as_long():
    conditioner = single()
    texts = [f"{text} BREAK {text}" for text in (WEIGHTED, PLAIN)]
    report = conditioner.explain(texts[0], "a (cat:1.2)", movement=True)
    negative = conditioner.guided(texts[0], "a (cat:1.2)").negative.embeds[0]

    check_equal(report, directly(conditioner, *texts))
    assert len(report.chunks) == len(report.negative.chunks) == 2
    torch.testing.assert_close(
        measured(report.negative, "norms"), negative.double().norm(dim=-1), **CLOSE
    )
    assert not any(report.negative.chunks[1].movements)  # an empty chunk
    assert torch.equal(report.negative.measured.embeds, negative)


def test_rows_of_dialects_that_leave_some_out_or_repeat_them():
    def check(dialect):
        conditioner = single(dialect=dialect)
        for prompt in ("a cat " * 50, "x"):
            report = conditioner.explain(prompt, "a cat " * 50, movement=True)
            made = conditioner.guided(prompt, "a cat " * 50).positive.embeds[0]
            n = len(report.measured.embeds)
            assert n == 77 * len(report.chunks)
            assert {len(each.norms) for each in report.chunks} == {77}
            assert not measured(report, "movements").any()
            if conditioner.dialect.rows is None:
                assert torch.equal(report.measured.embeds, made)
            norms = report.measured.embeds.double().norm(dim=-1)
            torch.testing.assert_close(measured(report, "norms"), norms, **CLOSE)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not failures_of(check, DIALECTS)


def test_prompts_of_a_mixture_are_measured_before_they_are_mixed():
    conditioner = single(dialect="compel")
    mixed = conditioner.explain('("a (red)1.3 cat", "dog").blend(3, 1)', movement=True)
    alone = [conditioner.explain(text, movement=True) for text in ("a (red)1.3 cat", "dog")]

    for chunk, report in zip(mixed.chunks, alone, strict=True):
        torch.testing.assert_close(chunk.norms, report.chunks[0].norms, **CLOSE)
        torch.testing.assert_close(chunk.movements, report.chunks[0].movements, **CLOSE)
    made = conditioner('("a (red)1.3 cat", "dog").blend(3, 1)').embeds[0]
    assert torch.equal(mixed.measured.embeds[: len(made)], made)


@pytest.mark.parametrize("kind", ["linear", "resampler"])
def test_rows_are_the_towers_and_embeds_the_adapters(kind):
    adapted = through_adapter(kind, sizes={"pooled_width": 12})
    plain = Conditioner(*adapted.towers)
    reports = [each.explain("一只(猫:1.3)", movement=True) for each in (adapted, plain)]
    made = adapted("一只(猫:1.3)")

    assert reports[0].json() == reports[1].json()
    measured = reports[0].measured
    assert torch.equal(measured.embeds, made.embeds[0])
    assert torch.equal(measured.pooled, made.pooled[0])
    assert measured.chunk_length == len(made.embeds[0])
    (tower,) = reports[0].against(adapted.explain("(狗:1.3)", movement=True)).towers
    other = adapted("(狗:1.3)")
    for found, name in ((tower.chunks[0], "embeds"), (tower.pooled, "pooled")):
        a, b = (getattr(each, name).double() for each in (made, other))
        assert found.max == (a - b).abs().max().item()
    assert reports[0].against(reports[1]).towers[0].chunks == ()  # other rows


def test_the_cache_serves_the_encoding():
    tower, calls = counted_tower()
    conditioner = Conditioner(tower)
    conditioner(WEIGHTED)
    n = len(calls)
    conditioner.explain(WEIGHTED, movement=True)

    assert len(calls) == n


def test_zeros_have_no_length():
    report = pair().explain("a cat", "", movement=True)

    for each in (report.negative, report.negative.second):
        assert each.is_zero
        assert each.json()["chunks"] == []
        assert not each.measured.embeds.any()


def test_what_weights_cannot_do_is_said():
    with pytest.raises(WeightingError, match="leads to NaN or infinite values"):
        single(weighting="scale").explain(f"(cat:{'9' * 60})", movement=True)
    turned = f"({'cat ' * 70}:-2)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        issues = single()(turned).issues
    reported = single().explain(turned, movement=True).parsed.issues
    assert [i.message for i in reported] == [i.message for i in issues]
    assert any("restor" in i.message for i in issues), issues
    with pytest.raises(ArgumentError, match="movement"):
        single().explain("a", movement=1)


def test_nothing_is_measured_unless_it_is_asked_for():
    tower, calls = counted_tower()
    report = Conditioner(tower).explain(WEIGHTED)

    assert (calls, report.measured) == ([], None)
    assert set(report.json()["chunks"][0]) == {"tokens", "ids", "weights"}


def test_tables_and_pages_show_the_numbers():
    report = single().explain(WEIGHTED, movement=True)
    (chunk,) = json.loads(json.dumps(report.json(compact=True)))["chunks"]
    norms = [f"{norm:.4g}" for norm in chunk["norms"]]
    moved = [f"{movement:.3g}" for movement in chunk["movements"]]
    page = read_page(report.html())
    ((heads, *rows),) = tables(page)

    assert heads == ["Place", "Token", "Id", "Weight", "Norm", "Moved"]
    assert [row[4:] for row in rows] == [list(each) for each in zip(norms, moved, strict=True)]
    assert [each.text() for each in page.all("span", "cc-moved")] == [f"Δ {m}" for m in moved[1:-1]]
    assert "Δ: how far the weights move" in page.text()
    lines = [line.split() for line in report.table(width=100).splitlines() if "│" in line]
    assert [line[9::2][:2] for line in lines] == [
        list(each) for each in zip(norms[1:-1], moved[1:-1], strict=True)
    ]
