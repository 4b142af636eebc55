"""What differs between two reports: tokens, weights, chunks, embeds."""

import json
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond import Conditioner
from clipcond.checkpoints.describing import describe_tower
from clipcond.conditioning import token_alignment
from clipcond.conditioning.explaining import Explainer
from clipcond.conditioning.token_alignment import align
from tests.calls import n_calls
from tests.conditioning.conditioners import pair, single
from tests.conditioning.read_pages import read_page, tables
from tests.failures import failures_of
from tests.parity.models import tower_g, tower_l

FIRST, SECOND = "a (red:1.3) fox, castle", "a (red:0.8) blue fox castle BREAK snow"
texts = st.text("abc", max_size=9)


@given(texts, texts)
def test_alignment_is_a_longest_common_subsequence(first, second):
    pairs, is_longest = align(first, second)

    assert is_longest
    assert [i for i, _ in pairs if i is not None] == list(range(len(first)))
    assert [j for _, j in pairs if j is not None] == list(range(len(second)))
    same = [(i, j) for i, j in pairs if None not in (i, j)]
    assert all(first[i] == second[j] for i, j in same)
    assert len(same) == longest(first, second)
    assert len(align(second, first)[0]) == len(pairs)


def longest(a, b):
    """The textbook's recursion over prefixes."""
    known = {}
    for i, j in product(range(len(a) + 1), range(len(b) + 1)):
        if not i or not j:
            known[i, j] = 0
        elif a[i - 1] == b[j - 1]:
            known[i, j] = known[i - 1, j - 1] + 1
        else:
            known[i, j] = max(known[i - 1, j], known[i, j - 1])
    return known[len(a), len(b)]


def test_what_is_too_long_to_align_counts_as_different(monkeypatch):
    monkeypatch.setattr(token_alignment, "MOST_CELLS", 5)

    assert align("xaby", "xbcy") == ([(0, 0), (1, None), (2, 1), (None, 2), (3, 3)], True)
    assert align("xabby", "xbcdy") == (
        [(0, 0), (1, None), (2, None), (3, None), (None, 1), (None, 2), (None, 3), (4, 4)],
        False,
    )
    monkeypatch.undo()
    n = 100_000
    first, second = ["a"] * n + ["b"] * n, ["a"] * n + ["c"] * n
    pairs, is_longest = align(first, second)
    assert not is_longest
    assert [pair for pair in pairs if None not in pair] == [(i, i) for i in range(n)]


@pytest.fixture(scope="module")
def compared():
    return single().explain(FIRST).against(single().explain(SECOND))


def test_differences_counted_by_hand(compared):
    (found,) = compared.json()["differences"]["towers"]

    def at(chunk, place, weight=1.0):
        return {"chunk": chunk, "place": place, "weight": weight}

    assert json.loads(json.dumps(found)) == {
        "same": 3,
        "tokens": [
            {
                "change": "weight",
                "token": "red",
                "id": 736,
                "first": at(0, 2, 1.3),
                "second": at(0, 2, 0.8),
            },
            {"change": "added", "token": "blue", "id": 1746, "first": None, "second": at(0, 3)},
            {"change": "removed", "token": ",", "id": 267, "first": at(0, 4), "second": None},
            {"change": "added", "token": "snow", "id": 2583, "first": None, "second": at(1, 1)},
        ],
        "aligned": True,
    }
    assert compared.json()["differences"]["negatives"] == []


def test_kinds_of_change():
    def check(case):
        first, second, expected = case
        (tower,) = single().explain(first).against(single().explain(second)).towers
        assert [(pair.token, pair.change) for pair in tower.pairs] == expected

    cases = [
        ("", "", []),
        ("cat", "(cat)", [("cat", "weight")]),
        ("cat", "(cat:1.0000001)", [("cat", "")]),
        ("a cat", "a BREAK cat", [("a", ""), ("cat", "chunk")]),
        ("a cat", "a BREAK (cat)", [("a", ""), ("cat", "weight and chunk")]),
        ("a cat", "", [("a", "removed"), ("cat", "removed")]),
        ("a cat dog", "a dog", [("a", ""), ("cat", "removed"), ("dog", "")]),
    ]
    assert not failures_of(check, cases)


def test_json_is_the_first_report_and_the_second(compared):
    values = compared.json()
    first, second = (single().explain(text).json() for text in (FIRST, SECOND))

    assert {name: values[name] for name in first} == first
    assert values["against"] == second
    assert set(values) == {*first, "against", "differences"}
    assert compared.json(compact=True)["against"] == single().explain(SECOND).json(compact=True)


def test_dialects_of_one_prompt():
    reports = [single(dialect=name).explain("a (red:1.3) cat") for name in ("a1111", "compel")]
    compared = reports[0].against(reports[1])
    (tower,) = compared.towers

    changes = [(pair.token, pair.change) for pair in tower.changes]
    assert changes == [("red", "weight"), *((sign, "added") for sign in ":1.3")]
    for shown in (compared.table(200), compared.html()):
        assert "movement=True shows how far embeds differ" in shown
    assert "movement" not in reports[0].against(reports[0]).table(200)
    measured = [
        single(dialect=name).explain("a (red:1.3) cat", movement=True)
        for name in ("a1111", "comfyui")
    ]
    compared = measured[0].against(measured[1])
    assert not compared.towers[0].changes
    assert compared.towers[0].chunks[0].max > 0.01
    assert "movement=True" not in compared.table(200)


def distances(a, b):
    difference = (a.double() - b.double()).flatten()
    return difference.abs().max().item(), (difference.norm() / a.double().norm()).item()


def test_embeds_differ_as_those_of_the_conditioner():
    conditioner = pair()
    texts = (FIRST, f"{SECOND} BREAK x", "bad", "worse")
    reports = [
        conditioner.explain(texts[0], texts[2], movement=True),
        conditioner.explain(texts[1], texts[3], movement=True),
    ]
    compared = reports[0].against(reports[1])
    guided = [conditioner.guided(*texts[i::2]) for i in (0, 1)]
    pooled = [each.positive.pooled[0] for each in guided]

    for found, made in (
        (compared.towers, [each.positive for each in guided]),
        (compared.negatives, [each.negative for each in guided]),
    ):
        for tower, columns in zip(found, (slice(0, 32), slice(32, None)), strict=True):
            embeds = [each.embeds[0, :, columns] for each in made]
            assert len(embeds[0]) == 77
            assert len(embeds[1]) == 3 * 77
            first, *others = tower.chunks
            assert (first.max, first.relative) == pytest.approx(
                distances(embeds[0], embeds[1][:77]), rel=1e-9
            )
            assert others == [None, None]
    assert compared.towers[0].pooled is None
    distance = compared.towers[1].pooled
    assert (distance.max, distance.relative) == pytest.approx(distances(*pooled), rel=1e-9)
    values = compared.json()["differences"]
    assert values["towers"][1]["pooled"] == {"max": distance.max, "relative": distance.relative}
    assert values["towers"][0]["chunks"][1:] == [None, None]
    same = reports[0].against(reports[0])
    assert {(each.max, each.relative) for each in same.towers[0].chunks} == {(0.0, 0.0)}


def test_zeros_against_what_is_encoded():
    reports = [pair().explain("a", text, movement=True) for text in ("", "bad")]
    compared = reports[1].against(reports[0])

    assert [each.chunks[0].relative for each in compared.negatives] == [1.0, 1.0]
    assert compared.negatives[0].changes[0].change == "removed"
    other_way = reports[0].against(reports[1])
    assert other_way.negatives[0].chunks[0].relative == float("inf")


def test_towers_that_cannot_be_compared():
    small, large = (
        Conditioner(tower).explain("a cat", movement=True) for tower in (tower_l(), tower_g())
    )
    (tower,) = small.against(large).towers

    assert (tower.chunks, tower.pooled, tower.changes) == ((), None, ())
    assert len(pair().explain("a").against(single().explain("a")).towers) == 1
    without = single().explain("a cat").against(small)
    assert without.towers[0].chunks == ()


def test_the_table_says_what_differs(compared):
    lines = [line.split() for line in compared.table(width=100).splitlines()]

    assert (
        "tower L: 4 differences; 3 tokens are the same, in 1 chunk against 2 chunks".split()
        in lines
    )
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in compared.table(100).splitlines()
        if "│" in line
    ]
    assert rows == [
        ["weight", "red", "chunk 1, weight 1.3", "chunk 1, weight 0.8"],
        ["added", "blue", "", "chunk 1, weight 1"],
        ["removed", ",", "chunk 1, weight 1", ""],
        ["added", "snow", "", "chunk 2, weight 1"],
    ]
    same = single().explain("a cat").against(single().explain("a cat"))
    assert "tower L: no token differs, 2 tokens in 1 chunk" in same.table(100)
    assert str(same) == same.table()
    both = pair().explain("a cat").against(pair().explain("a dog")).table(100)
    assert both.count("│ added") == 1
    assert "tower G: 2 differences; 1 token is the same, in 1 chunk; the same as above" in both
    long = single().explain("").against(single().explain("cat " * 80)).table(100)
    assert long.count("│ added") == 50
    assert "... and 30 more tokens" in long


def test_the_page_says_what_differs(compared):
    page = read_page(compared.html())
    (flow,) = [each for each in page.all("ol", "cc-flow") if each.all("ins")]
    shown = [each.text() for each in flow.all("li")]

    assert shown == ["a", "red1.3 → 0.8", "+blue", "fox", "−,", "castle", "+snow"]
    found = {rows[0][0]: rows for rows in tables(page)}
    rows = [[*row[1:2], *row[:1], *row[2:]] for row in found["Change"][1:]]
    assert rows == [
        ["weight", "red", "1", "1.3", "1", "0.8"],
        ["added", "blue", "", "", "1", "1"],
        ["removed", ",", "1", "1", "", ""],
        ["added", "snow", "", "", "2", "1"],
    ]
    assert found["Choice"][4:] == [["Chunks", "1", "2"], ["Tokens", "5", "6"]]
    assert [each.text() for each in page.all("p", "cc-prompt")] == [FIRST, SECOND]
    levels = [int(each.tag[1]) for each in page.all() if each.tag in ("h1", "h2", "h3", "h4")]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert "h1" not in {each.tag for each in read_page(compared.html_fragment()).all()}


def test_the_page_has_the_numbers_of_the_json():
    reports = [pair().explain(text, "bad", movement=True) for text in (FIRST, SECOND)]
    compared = reports[0].against(reports[1])
    values = compared.json()["differences"]
    found = [rows[1:] for rows in tables(read_page(compared.html())) if rows[0][0] == "Part"]

    def row(name, each):
        return [name, "–", "–"] if each is None else [name, *(f"{n:.4g}" for n in each.values())]

    expected = []
    for tower in [*values["towers"], *values["negatives"]]:
        expected.append([row(f"Chunk {i}", each) for i, each in enumerate(tower["chunks"], 1)])
        expected[-1] += [row("Pooled vector", tower["pooled"])] if tower["pooled"] else []
    assert found == expected
    assert [len(each) for each in found] == [2, 3, 2, 3]


def test_a_long_prompt_against_another_in_linear_time():
    explainer = Explainer((describe_tower("embedded"),))

    def page_of(n):
        reports = [explainer.explain("cat " * n + word) for word in ("dog", "fox")]
        return lambda: reports[0].against(reports[1]).html()

    page_of(10)()
    few, many = (n_calls(page_of(n)) for n in (4000, 16000))
    assert many < 4.5 * few
    page = page_of(16000)()
    assert len(page) < 2_000_000
    assert "… 15980 the same …" in page
