"""The kinds of adapters: one table row a kind."""

from __future__ import annotations

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.adapters.linear import LinearAdapter
from clipcond.adapters.resampler import ResamplerAdapter
from clipcond.errors import UnknownNameError

__all__ = ["KINDS", "build_adapter"]

KINDS: dict[str, type[Adapter]] = {"linear": LinearAdapter, "resampler": ResamplerAdapter}


def build_adapter(config: AdapterConfig) -> Adapter:
    """A new adapter, untrained, its weights drawn from torch's generator.

    Raises:
        UnknownNameError: no such kind.
    """
    if config.kind not in KINDS:
        raise UnknownNameError("kind of adapter", config.kind, KINDS)
    return KINDS[config.kind](config)
