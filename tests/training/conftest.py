"""Fixtures of the pipelines' tests, here too, and short measurements."""

from collections.abc import Iterator

import pytest

from tests.pipelines.conftest import sd_folder
from tests.training.made import few_measures

__all__ = ["measure_little", "sd_folder"]


@pytest.fixture
def measure_little() -> Iterator[None]:
    with few_measures():
        yield
