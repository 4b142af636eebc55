"""The same bytes on Ray Data; workers that die cost time, or end in one clear message."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from clipcond.bulk import CaptionEncoder, PictureDrawer, encode_captions
from clipcond.errors import BulkError
from tests.bulk.drawings import N_GOOD, all_contents, draw, write_prompts
from tests.bulk.jobs import contents, encode, write_captions
from tests.bulk.test_kills import kill_often, run, write

ray = pytest.importorskip("ray", reason="Ray is not installed")

# Ray copies its own settings, the deprecated ones too
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Dying(CaptionEncoder):
    """Kills its process at a caption, as often as there are marks left in a folder."""

    def __init__(self, marks, **choices):
        super().__init__(**choices)
        self.marks = marks

    def encode(self, captions):
        left = sorted(self.marks.iterdir())
        if left and any("number 12" in str(each) for each in captions):
            left[0].unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(captions)


class DyingDrawer(PictureDrawer):
    """Kills its process in the middle of a shard of pictures, as often as there are marks left."""

    def __init__(self, marks, **choices):
        super().__init__(steps=2, **choices)
        self.marks = marks

    def draw(self, part):
        left = sorted(self.marks.iterdir())
        if left and part[0].row.prompt == "a small cat":
            left[0].unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(part)


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def test_ray_makes_the_same_bytes_and_survives_a_worker_that_dies(tmp_path, marks):
    captions = write_captions(tmp_path)
    encode(captions, tmp_path / "local", CaptionEncoder())
    (marks / "0").touch()

    made = encode(captions, tmp_path / "ray", Dying(marks), engine="ray", n_workers=2)

    assert not list(marks.iterdir())
    assert (made.n_captions, made.n_new, made.tower_share) == (23, 23, None)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert not ray.is_initialized()


def test_pictures_of_ray_are_the_same_and_survive_a_worker_that_dies(tmp_path, marks):
    prompts = write_prompts(tmp_path)
    prompts.write_text(prompts.read_text().replace("24x16", "64x48"))
    draw(prompts, tmp_path / "local", PictureDrawer(steps=2))
    (marks / "0").touch()

    made = draw(prompts, tmp_path / "ray", DyingDrawer(marks), engine="ray", n_workers=2)

    assert not list(marks.iterdir())
    assert (made.n_pictures, made.n_new, made.n_rejected) == (N_GOOD, N_GOOD, 1)
    assert all_contents(tmp_path / "ray") == all_contents(tmp_path / "local")


def test_a_row_that_always_kills_its_worker_ends_in_a_message(tmp_path, marks):
    prompts = write_prompts(tmp_path)
    prompts.write_text(prompts.read_text().replace("24x16", "64x48"))
    for i in range(50):
        (marks / f"{i:02d}").touch()
    with pytest.raises(BulkError, match="Ray stopped"):
        draw(prompts, tmp_path / "out", DyingDrawer(marks), engine="ray", n_workers=1)
    assert len(list(marks.iterdir())) > 30

    draw(prompts, tmp_path / "local", PictureDrawer(steps=2))
    draw(prompts, tmp_path / "out", PictureDrawer(steps=2))
    assert all_contents(tmp_path / "out") == all_contents(tmp_path / "local")


def test_a_worker_that_always_dies_ends_in_a_message_and_the_run_goes_on_later(tmp_path, marks):
    captions = write_captions(tmp_path)
    for i in range(50):
        (marks / f"{i:02d}").touch()
    with pytest.raises(BulkError, match="Ray stopped") as raised:
        encode(captions, tmp_path / "out", Dying(marks), engine="ray", n_workers=1)
    assert "the same command goes on" in str(raised.value)
    assert len(list(marks.iterdir())) > 40

    encode(captions, tmp_path / "local", CaptionEncoder())
    assert encode(captions, tmp_path / "out", CaptionEncoder()).n_new > 0
    assert contents(tmp_path / "out") == contents(tmp_path / "local")


@pytest.fixture
def short_folder():
    """A folder with a short path, for Ray has sockets in it."""
    place = Path(tempfile.mkdtemp(prefix="ray-"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_a_cluster_that_was_killed_is_not_waited_for(tmp_path, short_folder, monkeypatch):
    folder = short_folder / "ray"  # where Ray looks for the last cluster of this machine
    folder.mkdir()
    (folder / "ray_current_cluster").write_text("127.0.0.1:1")
    monkeypatch.setenv("RAY_TMPDIR", str(short_folder))
    captions = write_captions(tmp_path)
    began = time.monotonic()
    made = encode(captions, tmp_path / "out", CaptionEncoder(), engine="ray", n_workers=1)
    assert made.n_captions == 23
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(BulkError, match=r"Ray does not start at '127\.0\.0\.1:1'"):
        encode(captions, tmp_path / "new", CaptionEncoder(), engine="ray")
    assert time.monotonic() - began < 110  # Ray itself tries for longer


def test_our_own_errors_come_through(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("a cat\n\n\n")
    with pytest.raises(BulkError, match="2 captions cannot be encoded; 1 may be"):
        encode(path, tmp_path / "out", CaptionEncoder(), engine="ray", max_bad=1)
    with pytest.raises(BulkError, match="Ray does not start at"):
        encode(path, tmp_path / "new", CaptionEncoder(), engine="ray", address="127.0.0.1:1")


def test_the_encoder_serves_ray_data_itself(tmp_path):
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        captions = ["a cat", "a (red:1.3) dog", "x " * 90, "a cat"]
        data = ray.data.from_items([{"caption": each} for each in captions])
        strategy = ray.data.ActorPoolStrategy(size=1)
        made = data.map_batches(
            CaptionEncoder,
            fn_constructor_kwargs={"keep": "trimmed", "pooled": True},
            batch_size=2,
            compute=strategy,
        ).take_all()
        direct = CaptionEncoder(pooled=True)({"caption": np.array(captions, object)})
        assert [row["caption"] for row in made] == captions
        for i, row in enumerate(made):
            for name in ("embeds", "rows", "pooled"):
                np.testing.assert_allclose(row[name], direct[name][i], atol=2e-3)
    finally:
        ray.shutdown()


@pytest.fixture
def cluster(short_folder, monkeypatch):
    """A cluster of its own that asks for a token: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a token of the tests, for nothing else")
    ray_command = Path(sys.executable).with_name("ray")
    start = [ray_command, "start", "--head", f"--port={port}", "--num-cpus=2", "--block"]
    start.append(f"--temp-dir={short_folder}")
    head = subprocess.Popen(
        [*start, "--include-dashboard=false", "--disable-usage-stats"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"},
    )  # fmt: skip
    address = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.2)
    yield address
    head.terminate()
    head.wait(60)


def test_a_killed_run_on_a_cluster_goes_on_there(cluster, tmp_path, monkeypatch):
    captions = write(tmp_path, 600)
    encode_captions(captions, tmp_path / "whole", CaptionEncoder(), shard_size=20, batch_size=10)
    folder = tmp_path / "killed"
    command = ["embed", captions, "-o", folder, "--shard-size", 20, "--batch-size", 10]
    command += ["--engine", "ray", "--address", cluster, "--workers", 2]

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    refused = run(*command)
    output = refused.communicate(timeout=120)[0]
    assert refused.returncode == 1
    assert "set RAY_AUTH_MODE=token here" in " ".join(output.split())

    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    n_done = kill_often(command, folder, "part-*.json", 3, random.Random(0), most=4)
    assert n_done[-1] > 0
    assert contents(folder) == contents(tmp_path / "whole")
