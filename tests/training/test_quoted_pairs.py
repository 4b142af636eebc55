"""Quotes of csv writers come off the cells of a .tsv, and those of captions stay."""

import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipcond.training import read_pairs
from tests.training.test_pairs import texts

WORDS = st.lists(st.sampled_from(["a", "red", "猫", "(x:1.2)", '"b"', "'c'", ","]), min_size=1)


@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=2, max_size=4))
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_quotes_of_csv_writers_come_off(tmp_path_factory, quoting, rows):
    """As csv and pandas write captions with words in quotes, or all of them."""
    path = tmp_path_factory.mktemp("csv") / "pairs.tsv"
    expected = [(" ".join(first), " ".join(second)) for first, second in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\n")
        writer.writerows([("teacher", "tower"), *expected])

    assert texts(read_pairs(path)) == expected


@pytest.mark.parametrize("caption", ['"Stop" says a sign', 'a "b"', '"', '"a" and "b"'])
def test_quotes_that_are_words_stay(tmp_path, caption):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{caption}\tx\n" * 2, encoding="utf-8")
    assert texts(read_pairs(path)) == [(caption, "x")] * 2


@pytest.mark.parametrize(
    ("cells", "n_bad"),
    [
        (["a\ncat", "猫"], 2),
        (["a", "一\n只\n\n猫"], 4),
        (["a\ncat", "一\n猫"], 3),
        (["\na", "猫"], 2),
        (["a\n", "猫"], 2),
        (["a" + "\n" * 20 + "cat", "猫"], 21),
    ],
)
def test_half_a_cell_is_no_text(tmp_path, cells, n_bad):
    path = tmp_path / "pairs.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [("x", "y"), cells, ("z", "w"), cells, ("u", "v")]
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)

    found = read_pairs(path, max_bad=50)

    assert texts(found) == [("x", "y"), ("z", "w"), ("u", "v")]
    assert len(found.bad) == 2 * n_bad
    named = [each for each in found.bad if each.reason.startswith("it is part of a cell in quotes")]
    assert len(named) >= 4
    assert [each.line for each in named][:2] == [2, 3]


@pytest.mark.parametrize(
    "rows",
    [
        [('a 5" knife', "x"), ('a 6" knife', "y")],
        [("a", '"b'), ("c", "d")],
        [("a", '"b'), ('"c" and', 'd"')],
        [("a", '"b'), ("c", 'd"'), ('e"', "f")],
        [("a", '"b'), *[("c", "d")] * 20, ('e"', "f")],
    ],
)
def test_quotes_that_no_later_line_closes_are_texts(tmp_path, rows):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")

    assert texts(read_pairs(path)) == rows


@pytest.mark.parametrize("header", ["Tower\tTeacher", "TOWER\tTEACHER", "tower\tTeacher"])
def test_a_header_may_have_capitals(tmp_path, header):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{header}\n一只猫\ta cat\n", encoding="utf-8")

    assert texts(read_pairs(path)) == [("a cat", "一只猫")]


CELLS = st.lists(
    st.sampled_from(["a", "猫", "\n", '"', '"b"', "says", ","]), min_size=1, max_size=9
)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
@example(rows=[(["a"], ["\n"]), (["a"], ["a"]), (["\n"], ["a"])])
def test_of_what_a_csv_writer_writes_only_whole_cells_are_texts(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "pairs.tsv"
    written = [("x", "y"), *((" ".join(a), " ".join(b)) for a, b in rows), ("u", "v")]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(written)

    found = texts(read_pairs(path, max_bad=200))

    whole = [tuple(cell.strip() for cell in row) for row in written if "\n" not in "".join(row)]
    assert found == [row for row in whole if all(row)]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("teacher\tTeacher\ttower", "a cat\tx\t猫"),
        ("IMAGE\tTEACHER\tteacher\tTower", "x\ty\ta cat\t猫"),
    ],
)
def test_a_name_as_it_is_asked_for_goes_before_one_in_capitals(tmp_path, header, line):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{header}\n{line}\n".replace("IMAGE", "n"), encoding="utf-8")

    assert texts(read_pairs(path)) == [("a cat", "猫")]
