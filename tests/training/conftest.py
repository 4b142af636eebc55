"""Fixtures of the pipelines' tests, here too."""

from tests.pipelines.conftest import sd_folder

__all__ = ["sd_folder"]
