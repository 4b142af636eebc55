"""transformers and diffusers are silent while a model loads, and afterwards as they were."""

import itertools

import diffusers.utils.logging as diffusers_logging
import huggingface_hub.utils as hub
import pytest
import transformers.utils.logging as transformers_logging

from clipcond.pipelines.verbosity import silent_libraries

LOGGINGS = (transformers_logging, diffusers_logging)


def switch(logging, enabled):
    logging.enable_progress_bar() if enabled else logging.disable_progress_bar()


def state():
    return [
        *((each.get_verbosity(), each.is_progress_bar_enabled()) for each in LOGGINGS),
        hub.are_progress_bars_disabled(),
    ]


@pytest.fixture(autouse=True)
def restored():
    before = [(each.get_verbosity(), each.is_progress_bar_enabled()) for each in LOGGINGS]
    yield
    for logging, (verbosity, enabled) in zip(LOGGINGS, before, strict=True):
        logging.set_verbosity(verbosity)
        switch(logging, enabled)
    hub.enable_progress_bars()


@pytest.mark.parametrize("bars", [True, False])
def test_verbosity_and_bars_are_restored(bars):
    for in_transformers, in_diffusers, in_hub in itertools.product([True, False], repeat=3):
        switch(transformers_logging, in_transformers)
        switch(diffusers_logging, in_diffusers)
        hub.enable_progress_bars() if in_hub else hub.disable_progress_bars()
        transformers_logging.set_verbosity_info()
        diffusers_logging.set_verbosity_warning()
        before = state()
        with silent_libraries(bars=bars):
            inside = [each.is_progress_bar_enabled() for each in LOGGINGS]
            assert [each.get_verbosity() for each in LOGGINGS] == [transformers_logging.ERROR] * 2
            assert inside == ([in_transformers, in_diffusers] if bars else [False, False])

        assert state() == before
