"""Servers in processes of their own, and what they use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import ROOT

PATIENCE = 120  # seconds in which a server has to be ready


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready: its process, port, and the file with its log."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def megabytes(self) -> float:
        """Measure its memory now: the resident set, in MB."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def seconds(self) -> float:
        """Measure the CPU time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def lines(self) -> list[dict[str, object]]:
        """Read its log, each line of which is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def served(log: Path, arguments: Sequence[str], **environment: str) -> Iterator[Server]:
    """Start Python with these arguments, a server that prints its address; end it afterwards.

    Raises:
        RuntimeError: it ends, or is not ready in time; with what it wrote.
    """
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "HF_HUB_OFFLINE"), "1")
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **one, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"{arguments} does not start:\n{log.read_text()}")
        _wait_until_ready(process, f"{address}healthz", log)
        yield Server(process, int(address.rstrip("/").rpartition(":")[2]), log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_until_ready(process: subprocess.Popen[str], address: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"{address} is not ready:\n{log.read_text()}")
