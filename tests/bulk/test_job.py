"""Encodings into folders go on where they stopped, and never mix what does not belong together."""

import errno
import json
import multiprocessing
import os

import pytest

import clipcond.files
from clipcond.bulk import CaptionEncoder
from clipcond.bulk.folder import locked
from clipcond.errors import BulkError, CheckpointError, LimitError, UnknownNameError
from tests.bulk.jobs import CAPTIONS, contents, encode, write_captions
from tests.conditioning.conditioners import single


class Stopping(CaptionEncoder):
    """Stops after so many batches, as Ctrl-C does."""

    n_left = 3

    def encode(self, captions):
        if not self.n_left:
            raise KeyboardInterrupt
        self.n_left -= 1
        return super().encode(captions)


@pytest.mark.parametrize("files", ["safetensors", "parquet"])
def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path, files):
    captions = write_captions(tmp_path)
    whole = encode(captions, tmp_path / "whole", files=files)
    assert (whole.n_captions, whole.n_new, whole.n_rejected) == (23, 23, 0)
    assert 0 < whole.tower_share < 1

    n_runs = 0
    while not (tmp_path / "parts" / "index.json").exists():
        n_runs += 1
        try:
            encode(captions, tmp_path / "parts", Stopping(single), files=files)
        except KeyboardInterrupt:
            done = sorted((tmp_path / "parts").glob("part-*.json"))
            assert len(done) == n_runs
    assert n_runs > 3
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "whole")) == 5 + 4

    again = encode(captions, tmp_path / "parts", Stopping(single), files=files)
    assert (again.n_captions, again.n_new) == (23, 0)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_half_shards_and_lost_ones_are_made_again(tmp_path):
    captions, folder = write_captions(tmp_path), tmp_path / "out"
    encode(captions, folder)
    whole = contents(folder)
    shard = folder / "part-0000002.safetensors"
    for damage in (shard.unlink, lambda: shard.write_bytes(shard.read_bytes()[:-1])):
        damage()
        assert encode(captions, folder).n_new == 5
        assert contents(folder) == whole
    (folder / ".part-0000003.safetensors.1.part").write_bytes(b"half")
    encode(captions, folder)
    assert contents(folder) == whole


def test_what_the_folder_holds_decides_what_may_go_on_there(tmp_path):
    captions, folder = write_captions(tmp_path), tmp_path / "out"
    encode(captions, folder)
    before = contents(folder)
    for encoder, choices, differs in [
        (CaptionEncoder(lambda: single(dialect="compel")), {}, "encoder.dialect"),
        (CaptionEncoder(lambda: single(clip_skip=2)), {}, "encoder.layers"),
        (CaptionEncoder(single, keep="full"), {}, "encoder.keep"),
        (CaptionEncoder(single, dtype="int8"), {}, "encoder.dtype"),
        (CaptionEncoder(), {}, "encoder.towers"),
        (None, {"shard_size": 6}, "shard_size is 5 there, 6 here"),
        (None, {"files": "parquet"}, "files"),
    ]:
        with pytest.raises(BulkError, match="holds other embeddings") as raised:
            encode(captions, folder, encoder, **choices)
        assert differs in str(raised.value)
    captions.write_text(captions.read_text().replace("cat", "dog", 1))
    with pytest.raises(BulkError, match="sources"):
        encode(captions, folder)
    assert contents(folder) == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    with pytest.raises(BulkError, match="is not empty"):
        encode(captions, tmp_path / "full")


def _hold(folder, ready, done):
    with locked(folder):
        ready.set()
        done.wait(60)


def test_two_runs_into_one_folder_refuse_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "out", ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(BulkError, match="another run writes into"):
            encode(write_captions(tmp_path), tmp_path / "out")
    finally:
        done.set()
        other.join()
    assert encode(write_captions(tmp_path), tmp_path / "out").n_new == 23


def test_bad_captions_are_written_down_and_limited(tmp_path):
    path = tmp_path / "captions.jsonl"
    lines = [json.dumps({"caption": each}) for each in CAPTIONS]
    lines[3], lines[9], lines[15] = "{", '{"caption": ""}', '{"caption": "a (cat:1.2.3)"}'
    path.write_text("\n".join(lines))
    with pytest.raises(BulkError, match="3 captions cannot be encoded; 2 may be") as raised:
        encode(path, tmp_path / "out", max_bad=2)
    assert "line 4: it is no JSON" in str(raised.value)

    made = encode(path, tmp_path / "out", max_bad=3)  # what is done stays
    assert (made.n_captions, made.n_rejected) == (20, 3)
    assert made.n_new < 20
    rejected = [
        json.loads(line) for line in (tmp_path / "out/rejected.jsonl").read_text().split("\n")[:-1]
    ]
    assert [each["line"] for each in rejected] == [4, 10, 16]
    assert {each["file"] for each in rejected} == {"captions.jsonl"}
    assert rejected[1]["reason"] == "it is empty"
    assert "1.2.3" in rejected[2]["reason"]


def test_a_full_disk_ends_in_a_message_and_loses_nothing(tmp_path, monkeypatch):
    captions, folder = write_captions(tmp_path), tmp_path / "out"
    replace, n = os.replace, []

    def filling(*args):
        n.append(1)
        if len(n) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(clipcond.files.os, "replace", filling)
        with pytest.raises(CheckpointError, match="No space left on device"):
            encode(captions, folder)
    assert len([*folder.glob("part-*.json")]) == 1
    assert encode(captions, folder).n_new == 18
    encode(captions, tmp_path / "whole")
    assert contents(folder) == contents(tmp_path / "whole")


def test_wrong_arguments_are_refused(tmp_path):
    captions = write_captions(tmp_path)
    for choices in ({"shard_size": 0}, {"batch_size": True}, {"n_workers": -1}):
        with pytest.raises(LimitError, match="whole number from 1"):
            encode(captions, tmp_path / "out", **choices)
    with pytest.raises(UnknownNameError, match=r"no engine 'rey'\. Did you mean 'ray'"):
        encode(captions, tmp_path / "out", engine="rey")
    with pytest.raises(UnknownNameError, match="no kind of files"):
        encode(captions, tmp_path / "out", files="pickle")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(BulkError, match="holds no captions"):
        encode(tmp_path / "empty.txt", tmp_path / "out")
