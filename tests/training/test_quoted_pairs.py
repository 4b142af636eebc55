"""Quotes of csv writers come off the cells of a .tsv, and those of captions stay."""

import csv

import pytest
from hypothesis import given
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
