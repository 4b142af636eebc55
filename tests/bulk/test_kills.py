"""Kills at random moments end with the bytes of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from clipcond.bulk import CaptionEncoder, PictureDrawer, draw_pictures, encode_captions
from tests.bulk.drawings import all_contents
from tests.bulk.jobs import contents

pytestmark = pytest.mark.slow

SHARD, N_KILLS = 20, 20


def run(*command):
    """The command in a process group of its own; Ray's workers give way to nothing."""
    return subprocess.Popen(
        [*map(str, (sys.executable, "-m", "clipcond", *command))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=os.environ | {"RAY_worker_niceness": "0"},
    )  # fmt: skip


def write(folder, n_captions):
    path = folder / "captions.txt"
    colours = ("red", "blue", "green")
    path.write_text("".join(f"a {colours[i % 3]} cat, number {i}\n" for i in range(n_captions)))
    return path


def kill_often(command, folder, made, n_kills, rng, most=2, longest=0.3):
    """Start the command again and again; kill it while it loads, works or writes.

    Args:
        made: what is counted in the folder, as a pattern.
        most: how many more of that there are, at most, before a kill.
        longest: seconds that may pass then.
    """
    n_done = []
    for _ in range(n_kills):
        process = run(*command)
        before = len([*folder.glob(made)])
        wanted = before + rng.randrange(most + 1)  # then a moment in the next one
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if len([*folder.glob(made)]) >= wanted and (folder / ".lock").exists():
                break
            time.sleep(0.01)
        time.sleep(rng.random() * longest)
        assert process.poll() is None, process.stdout.read()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        n_done.append(len([*folder.glob(made)]))
    assert n_done == sorted(n_done)  # nothing that was done is lost
    last = run(*command)
    output = last.communicate(timeout=300)[0]
    assert last.returncode == 0, output
    return n_done


@pytest.mark.parametrize(
    ("engine", "n_captions", "longest"),
    [(["local"], 2000, 0.3), (["ray", "--workers", 2], 4000, 1.0)],
    ids=["local", "ray"],
)
def test_kills_end_with_the_bytes_of_an_undisturbed_run(engine, n_captions, longest, tmp_path):
    if engine[0] == "ray":
        pytest.importorskip("ray", reason="Ray is not installed")
    captions, folder = write(tmp_path, n_captions), tmp_path / "killed"
    choices = {"shard_size": SHARD, "batch_size": 10}
    encode_captions(captions, tmp_path / "whole", CaptionEncoder(), **choices)
    command = ["embed", captions, "-o", folder, "--shard-size", SHARD, "--batch-size", 10]
    command += ["--engine", *engine]

    n_done = kill_often(command, folder, "part-*.json", N_KILLS, random.Random(0), longest=longest)

    assert n_done[-1] > 2
    assert contents(folder) == contents(tmp_path / "whole")


def test_kills_while_pictures_are_drawn(tmp_path):
    prompts, folder = tmp_path / "prompts.tsv", tmp_path / "killed"
    lines = [f"a {i} (cat:1.2)\t{'' if i % 3 else i}\n" for i in range(70)]
    prompts.write_text("prompt\tseed\n" + "".join(lines))
    command = ["generate", "--prompts", prompts, "-o", folder, "--steps", 4, "--device", "cpu"]
    draw_pictures(prompts, tmp_path / "whole", PictureDrawer(steps=4, device="cpu"))

    n_done = kill_often(command, folder, "00000/*.png", 4, random.Random(1), most=14)

    assert n_done[-1] > 10
    assert all_contents(folder) == all_contents(tmp_path / "whole")
