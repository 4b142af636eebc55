"""Labels as they are written into pictures: on one line, cut, or by their numbers."""

import pytest

from clipcond.errors import ClipcondWarning
from clipcond.reading.lettering import shown_labels


def test_a_label_of_24_letters_is_whole_and_a_longer_one_is_cut():
    whole, longer = "x" * 24, "y" * 25

    assert shown_labels([whole, longer], has_own_font=False) == [whole, "y" * 21 + "..."]
    assert shown_labels([longer], has_own_font=False, n_letters=25) == [longer]


def test_line_breaks_and_runs_of_blanks_are_one_blank():
    assert shown_labels([" a\n\tred  cat "], has_own_font=False) == ["a red cat"]


def test_labels_that_pillows_font_lacks_are_shown_by_their_numbers():
    labels = ["dog", "猫", "ключ"]

    assert shown_labels(labels, has_own_font=True) == labels
    with pytest.warns(ClipcondWarning, match="has no letters for some labels"):
        assert shown_labels(labels, has_own_font=False) == ["dog", "2", "3"]
