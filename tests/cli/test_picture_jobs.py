"""The pictures of a file of prompts: each has a file of its own."""

from pathlib import Path

import pytest

from clipcond.cli.picture_jobs import PictureJob, check_targets
from clipcond.errors import CheckpointError


def jobs(*names):
    return [
        PictureJob("a", "", 0, None, None, None, None, Path(name), line)
        for line, name in enumerate(names, 1)
    ]


def test_one_file_under_two_names_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("x")
    same = [
        *(
            ("a.png", "a.png"),
            ("x/../a.png", "a.png"),
            ("a.png", "./a.png"),
            ("a.png", "x//../a.png"),
        ),
        *((tmp_path / "a.png", "a.png"), ("x/a.png", "link/a.png"), ("a.png", "link/../a.png")),
    ]
    for first, second in same:
        with pytest.raises(CheckpointError, match="is the output of line 1 too"):
            check_targets(jobs(first, second), force=True)
    check_targets(jobs("a.png", "b.png", "x/a.png", "x/b.png", "link/c.png"), force=False)


def test_a_file_that_exists_is_refused_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        check_targets(jobs("b.png", "x/../a.png"), force=False)
    assert caught.value.message == "'x/../a.png' exists already"
