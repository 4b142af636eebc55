"""The command line: `clipcond ...`."""

from clipcond.cli.entry import main

__all__ = ["main"]
