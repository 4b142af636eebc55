"""Run functions in processes of their own that need not import torch first.

They are forked from a server, which imports once what they need and runs nothing itself. Forks of
the tests' own process would share its threads and locks.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

__all__ = ["Ended", "fork_all"]

ROOT = Path(__file__).parents[1]
PRELOADED = ["tests.training.child"]


class Ended(NamedTuple):
    """A process that ended: its exit code (-9: killed by signal 9), output and messages."""

    code: int
    out: str
    err: str


def fork_all(
    function: Callable[..., object],
    arguments: tuple[object, ...],
    environments: list[Mapping[str, str]],
    seconds: float = 300,
) -> list[Ended]:
    """Call a function of a module in one process for each environment, all at the same time.

    Args:
        environments: variables added to those of this process.
        seconds: after which a process is killed.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    here = Path.cwd()
    os.chdir(ROOT)  # where the server finds the tests
    ensure_running()
    os.chdir(here)
    with TemporaryDirectory() as name:
        folders = [Path(name, str(i)) for i in range(len(environments))]
        started: list[BaseProcess] = []
        for folder, environment in zip(folders, environments, strict=True):
            folder.mkdir()
            process = context.Process(
                target=_call, args=(folder, {**os.environ, **environment}, function, arguments)
            )
            process.start()
            started.append(process)
        for process in started:
            process.join(seconds)
            process.kill()
            process.join()
        return [
            Ended(process.exitcode or 0, *(_read(folder / name) for name in ("out", "err")))
            for process, folder in zip(started, folders, strict=True)
        ]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _call(
    folder: Path,
    environment: Mapping[str, str],
    function: Callable[..., object],
    arguments: tuple[object, ...],
) -> None:
    """Call a function with this environment, its output and messages going to files."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    for stream, name in ((sys.stdout, "out"), (sys.stderr, "err")):
        stream.flush()
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, stream.fileno())
    try:
        function(*arguments)
    except BaseException:
        traceback.print_exc()
        raise SystemExit(1) from None
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
