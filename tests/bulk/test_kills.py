"""Kills at random moments end with the bytes of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from clipcond.bulk import CaptionEncoder, encode_captions
from tests.bulk.jobs import contents

pytestmark = pytest.mark.slow

N_CAPTIONS, SHARD, N_KILLS = 600, 20, 8


def run(captions, folder, engine="local"):
    """The command in a process group of its own."""
    command = [sys.executable, "-m", "clipcond", "embed", captions, "-o", folder]
    choices = ["--shard-size", SHARD, "--batch-size", 10, "--engine", engine]
    return subprocess.Popen(
        [*map(str, (*command, *choices))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def write(folder):
    path = folder / "captions.txt"
    colours = ("red", "blue", "green")
    path.write_text("".join(f"a {colours[i % 3]} cat, number {i}\n" for i in range(N_CAPTIONS)))
    return path


def kill_often(captions, folder, engine, n_kills, rng):
    """Start the command again and again; kill it while it loads, encodes or writes."""
    n_done = []
    for _ in range(n_kills):
        process = run(captions, folder, engine)
        before = len([*folder.glob("part-*.json")])
        wanted = before + rng.randrange(3)  # shards more, then a moment in the next one
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if len([*folder.glob("part-*.json")]) >= wanted and (folder / ".lock").exists():
                break
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)
        assert process.poll() is None, process.stdout.read()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        n_done.append(len([*folder.glob("part-*.json")]))
    return n_done


def test_kills_end_with_the_bytes_of_an_undisturbed_run(tmp_path):
    captions, folder = write(tmp_path), tmp_path / "killed"
    choices = {"shard_size": SHARD, "batch_size": 10}
    encode_captions(captions, tmp_path / "whole", CaptionEncoder(), **choices)

    n_done = kill_often(captions, folder, "local", N_KILLS, random.Random(0))

    assert n_done == sorted(n_done)  # nothing that was done is lost
    assert n_done[-1] > 2
    last = run(captions, folder)
    output = last.communicate(timeout=300)[0]
    assert last.returncode == 0, output
    assert contents(folder) == contents(tmp_path / "whole")
