"""Standard output that is full, closed, or cannot encode what is printed."""

import subprocess
import sys

import pytest

STREAMS = [
    (["--help"], ">/dev/full", 1, "No space left on device"),
    (["--version"], ">/dev/full", 1, "No space left on device"),
    (["convert", "a", "--to", "compel"], ">/dev/full", 1, "No space left on device"),
    (["convert", "a", "--to", "compel"], ">&-", 1, "it is closed"),
    (["generate", "--help"], "| true", None, "Broken pipe"),
    (["convert", "a", "--to", "compel"], "2>/dev/full", 0, None),
    (["convert", "a", "--to", "compel"], "2>&-", 0, None),
]


@pytest.mark.slow
def test_streams_that_cannot_be_written():
    wrong = []
    for argv, redirection, code, reason in STREAMS:
        words = [sys.executable, "-m", "clipcond", *argv]
        line = " ".join(f"'{word}'" for word in words) + f" {redirection}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        said = f"clipcond: standard output cannot be written: {reason}\n" if reason else ""
        if code not in (None, done.returncode) or done.stderr not in {
            said,
            "" if code is None else said,
        }:
            wrong.append((line, done))

    assert not wrong


HELP = """
from clipcond.cli import main
for command in ("generate", "inspect", "convert"):
    assert main([command, "--help"]) == 0
"""


@pytest.mark.slow
def test_help_in_every_encoding(monkeypatch):
    wrong = []
    for encoding in ("ascii", "latin-1", "cp437", "cp1252", "gbk"):
        monkeypatch.setenv("PYTHONIOENCODING", encoding)
        done = subprocess.run([sys.executable, "-c", HELP], capture_output=True)
        if done.returncode or done.stderr or done.stdout.count(b"Usage") != 3:
            wrong.append((encoding, done))

    assert not wrong
