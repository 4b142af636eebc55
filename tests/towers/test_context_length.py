"""A tower's chunks have room for text, and what is asked for is possible."""

import pytest

from clipcond.errors import TowerError
from clipcond.towers.modules import choose_context_length


def test_a_tower_without_room_says_so():
    for n_positions in (2, 1, 0, -4):
        for wanted in (None, 1, 3, 77):
            with pytest.raises(TowerError) as caught:
                choose_context_length(wanted, 77, n_positions, "tiny")
            assert str(caught.value) == (
                f"'tiny' has {n_positions} positions: no room for a token of text"
            )


def test_a_range_that_is_offered_is_one():
    assert choose_context_length(None, 77, 3, "tiny") == 3
    assert choose_context_length(3, 77, 3, "tiny") == 3
    for wanted in (4, 2, "3", True, 3.0):
        with pytest.raises(TowerError, match=r"use a whole number from 3 to 3$"):
            choose_context_length(wanted, 77, 3, "tiny")
