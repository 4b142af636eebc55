"""Pictures of a list go on where they stopped, and are those that are drawn alone."""

import errno
import json
import os
from functools import wraps
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import clipcond.files
from clipcond import Conditioner
from clipcond.bulk import PictureDrawer, draw_pictures, picture_folder
from clipcond.bulk.folder import locked
from clipcond.errors import ArgumentError, BulkError, CheckpointError, LimitError, UnknownNameError
from clipcond.metadata import read_parameters
from tests.bulk.drawings import (
    N_GOOD,
    PROMPTS,
    all_contents,
    draw,
    drawer,
    tiny,
    write_prompts,
)


@pytest.fixture(scope="module")
def pipe():
    return tiny()


@pytest.fixture
def own(pipe):
    return drawer(lambda: pipe)


@pytest.fixture(scope="module")
def whole(pipe, tmp_path_factory):
    """A folder that was drawn without a disturbance; it is only read."""
    root = tmp_path_factory.mktemp("whole")
    made = draw(write_prompts(root), root / "out", drawer(lambda: pipe))
    assert (made.n_pictures, made.n_new, made.n_rejected) == (N_GOOD, N_GOOD, 1)
    return root / "out"


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_every_picture_is_the_one_that_is_drawn_alone(whole, pipe):
    lines = lines_of(whole)
    assert [line["line"] for line in lines] == [i + 2 for i in range(len(PROMPTS)) if i != 8]
    for line in lines:
        width, height = map(int, line["size"].split("x"))
        alone = pipe(
            line["prompt"],
            negative_prompt=line["negative"],
            width=width,
            height=height,
            num_inference_steps=3,
            generator=torch.Generator().manual_seed(line["seed"]),
        ).images[0]
        with Image.open(whole / line["file_name"]) as image:
            assert image.tobytes() == alone.tobytes()
        written = read_parameters(whole / line["file_name"])
        assert (written.prompt, written.negative) == (line["prompt"], line["negative"])
        assert (written.seed, written.size) == (line["seed"], (width, height))


def test_a_line_says_where_its_picture_is_from(whole):
    assert lines_of(whole)[7] == {
        "file_name": "00000/0000008.png",
        "prompt": "a small cat",
        "negative": "bad",
        "seed": 3,
        "steps": 3,
        "guidance": 7.5,
        "clip_skip": 1,
        "size": "24x16",
        "source": "prompts.tsv",
        "line": 9,
        "name": "",
        "issues": [],
        "columns": {"Category": "kind 7"},
    }
    assert [line["seed"] for line in lines_of(whole)] == [*range(6), 7, 3, *range(9, 14)]
    (rejected,) = map(json.loads, (whole / "rejected.jsonl").read_text().splitlines())
    assert (rejected["file"], rejected["line"]) == ("prompts.tsv", 10)
    assert "1.2.3" in rejected["reason"]


class Stopping(PictureDrawer):
    """Stops after so many batches, as Ctrl-C does."""

    n_left = 1

    def draw(self, part):
        if not self.n_left:
            raise KeyboardInterrupt
        self.n_left -= 1
        return super().draw(part)


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path, whole, pipe):
    prompts, folder = write_prompts(tmp_path), tmp_path / "out"
    times, n_runs = {}, 0
    while not (folder / "index.json").exists():
        n_runs += 1
        try:
            draw(prompts, folder, Stopping(lambda: pipe, steps=3, negative="bad"))
        except KeyboardInterrupt:
            now = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.png")}
            assert times.items() <= now.items()  # no picture is drawn twice
            times = now
    assert n_runs > 4
    assert all_contents(folder) == all_contents(whole)
    assert draw(prompts, folder, Stopping(lambda: pipe, steps=3, negative="bad")).n_new == 0
    assert all_contents(folder) == all_contents(whole)


def test_what_a_kill_cut_off_is_drawn_again(tmp_path, whole, own, pipe):
    prompts, folder = write_prompts(tmp_path), tmp_path / "out"
    stopping = Stopping(lambda: pipe, steps=3, negative="bad")
    stopping.n_left = 2  # the second batch of the second shard is not drawn
    with pytest.raises(KeyboardInterrupt):
        draw(prompts, folder, stopping)
    (journal,) = (folder / ".work").glob("*.journal")
    journal.write_bytes(journal.read_bytes()[:-7])
    (folder / "00000" / ".0000002.png.1.part").write_bytes(b"half")
    made = draw(prompts, folder, own)
    assert made.n_pictures == N_GOOD
    assert all_contents(folder) == all_contents(whole)
    for damage in (os.unlink, lambda path: path.write_bytes(b"half")):
        damage(folder / "00000" / "0000006.png")
        assert draw(prompts, folder, own).n_new == 4  # the shard
        assert all_contents(folder) == all_contents(whole)


def test_what_the_folder_holds_decides_what_may_go_on_there(
    tmp_path, whole, own, pipe, monkeypatch
):
    prompts = write_prompts(tmp_path)
    folder = whole
    before = all_contents(folder)
    for other, choices, differs in [
        (drawer(lambda: pipe, seed=1), {}, "drawer.seed is 0 there, 1 here"),
        (drawer(lambda: pipe, steps=4), {}, "drawer.steps is 3 there, 4 here"),
        (drawer(lambda: pipe, guidance=2.0), {}, "drawer.guidance"),
        (drawer(lambda: pipe, negative=""), {}, "drawer.negative"),
        (drawer(lambda: pipe, size=(24, 24)), {}, "drawer.size"),
        (drawer(lambda: pipe, batch_size=2), {}, "drawer.batch_size"),
        (PictureDrawer(), {}, "drawer.unet"),
        (own, {"count": 2}, "count is 1 there, 2 here"),
        (own, {"files": "webp"}, "files"),
        (own, {"columns": {"seed": ""}}, "sources"),
    ]:
        with pytest.raises(BulkError, match="holds other pictures") as raised:
            draw(prompts, folder, other, **choices)
        assert differs in str(raised.value)
    with monkeypatch.context() as patch:
        patch.setattr(pipe, "conditioner", Conditioner(*pipe.conditioner.towers, dialect="compel"))
        with pytest.raises(BulkError, match=r'drawer\.dialect is "a1111" there, "compel" here'):
            draw(prompts, folder, own)
    prompts.write_text(prompts.read_text().replace("cat", "dog", 1))
    with pytest.raises(BulkError, match="sources"):
        draw(prompts, folder, own)
    assert all_contents(folder) == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.png").write_text("")
    with pytest.raises(BulkError, match="is not empty, and holds no pictures"):
        draw(prompts, tmp_path / "full", own)


def test_two_runs_into_one_folder_refuse_each_other(tmp_path, own):
    with (
        locked(tmp_path / "out"),
        pytest.raises(BulkError, match="another run writes into"),
    ):
        draw(write_prompts(tmp_path), tmp_path / "out", own)


def test_a_full_disk_ends_in_a_message_and_loses_nothing(tmp_path, whole, own, monkeypatch):
    prompts, folder = write_prompts(tmp_path), tmp_path / "out"
    replace, n = os.replace, []

    def filling(*args):
        n.append(1)
        if len(n) > 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(clipcond.files.os, "replace", filling)
        with pytest.raises(CheckpointError, match="No space left on device"):
            draw(prompts, folder, own)
    with monkeypatch.context() as patch:
        patch.setattr(picture_folder, "os", SimpleNamespace(**{**vars(os), "fsync": filling}))
        with pytest.raises(CheckpointError, match=r"journal' cannot be written: No space left"):
            draw(prompts, folder, own)
    assert draw(prompts, folder, own).n_pictures == N_GOOD
    assert all_contents(folder) == all_contents(whole)


def test_a_poisoned_row_costs_only_itself(tmp_path, own, pipe, monkeypatch):
    prompts = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"cat {i}", "id": f"../{i} x.png"} for i in range(5)]
    rows[2]["size"] = "20x16"
    rows[3]["guidance"] = 7.6
    prompts.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    call = type(pipe).__call__

    @wraps(call)
    def fails(self, *args, **kwargs):
        if kwargs["guidance_scale"] == 7.6:
            raise RuntimeError("the numbers are not finite\nmore")
        return call(self, *args, **kwargs)

    monkeypatch.setattr(type(pipe), "__call__", fails)
    with pytest.raises(BulkError, match="2 prompts cannot be drawn; 1 may be") as raised:
        draw(prompts, tmp_path / "out", own, max_bad=1)
    assert "prompts.jsonl, line 3: size=20x16: sides are multiples of 8" in str(raised.value)
    assert "prompts.jsonl, line 4: the numbers are not finite" in str(raised.value)
    made = draw(prompts, tmp_path / "out", own, max_bad=2)
    assert made.n_pictures + made.n_rejected == len(rows)
    assert (made.n_pictures, made.n_rejected) == (3, 2)
    names = [line["file_name"] for line in lines_of(tmp_path / "out")]
    assert names == [f"00000/000000{i + 1}-{i}-x.png" for i in (0, 1, 4)]


def test_a_lack_of_memory_is_no_fault_of_a_row(tmp_path, whole, own, pipe, monkeypatch):
    prompts, call = write_prompts(tmp_path), type(pipe).__call__

    @wraps(call)
    def fails(self, *args, **kwargs):
        if kwargs["width"] == 24:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")
        return call(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(pipe), "__call__", fails)
        with pytest.raises(BulkError, match=r"prompts.tsv, line 9: out of memory: CUDA") as raised:
            draw(prompts, tmp_path / "out", own)
    assert "the same command goes on there" in str(raised.value)
    assert draw(prompts, tmp_path / "out", own).n_new == N_GOOD - 7
    assert all_contents(tmp_path / "out") == all_contents(whole)


def test_several_pictures_a_row_have_seeds_of_their_own(tmp_path, own, monkeypatch):
    monkeypatch.setattr(picture_folder, "PER_FOLDER", 4)
    prompts = tmp_path / "prompts.txt"
    prompts.write_text('a cat\n{"prompt": "a dog", "seed": 40}\na (cat\n')
    made = draw(prompts, tmp_path / "out", own, count=2, files="webp", max_bad=0)
    assert made.n_pictures == 6
    assert made.issues == {"bracket": 2}
    lines = lines_of(tmp_path / "out")
    assert [line["seed"] for line in lines] == [0, 1, 40, 41, 4, 5]
    assert [line["file_name"] for line in lines] == [
        *("00000/0000001-1.webp", "00000/0000001-2.webp", "00000/0000002-1.webp"),
        *("00000/0000002-2.webp", "00001/0000003-1.webp", "00001/0000003-2.webp"),
    ]


def test_batches_of_a_size_of_ones_own_are_cut_alike_after_a_stop(tmp_path, pipe):
    prompts = write_prompts(tmp_path)
    choices = {"steps": 1, "batch_size": 3}
    draw(prompts, tmp_path / "whole", PictureDrawer(lambda: pipe, **choices), shard_size=14)
    with pytest.raises(KeyboardInterrupt):
        draw(prompts, tmp_path / "out", Stopping(lambda: pipe, **choices), shard_size=14)
    draw(prompts, tmp_path / "out", PictureDrawer(lambda: pipe, **choices), shard_size=14)
    assert all_contents(tmp_path / "out") == all_contents(tmp_path / "whole")


def test_wrong_arguments_are_refused(tmp_path, own):
    prompts = write_prompts(tmp_path)
    with pytest.raises(LimitError, match="count is a whole number from 1"):
        draw(prompts, tmp_path / "out", own, count=0)
    with pytest.raises(UnknownNameError, match="no kind of files 'gif'"):
        draw(prompts, tmp_path / "out", own, files="gif")
    with pytest.raises(UnknownNameError, match="no engine 'rey'"):
        draw_pictures(prompts, tmp_path / "out", own, engine="rey")
    with pytest.raises(LimitError, match="seed is a whole number from 0"):
        PictureDrawer(seed=-1)
    with pytest.raises(LimitError, match="batch_size"):
        PictureDrawer(batch_size=0)
    with pytest.raises(ArgumentError, match="takes no choices"):
        PictureDrawer(tiny, dialect="compel")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(BulkError, match="holds no prompts"):
        draw(tmp_path / "empty.txt", tmp_path / "out", own)
    assert not (tmp_path / "out").exists()
