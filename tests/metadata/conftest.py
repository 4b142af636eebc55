"""A pipeline that the tests of a file share."""

import pytest

from clipcond import build_pipeline


@pytest.fixture(scope="module")
def pipe():
    pipe = build_pipeline()
    pipe.set_progress_bar_config(disable=True)
    return pipe
