"""The pictures of a file of prompts: each has a file of its own."""

import json
from functools import partial
from pathlib import Path

import pytest

from clipcond.cli.picture_jobs import (
    _KINDS,
    PictureJob,
    check_targets,
    jobs_of_file,
    jobs_of_prompt,
)
from clipcond.cli.usage import _OTHER_NAMES
from clipcond.errors import CheckpointError
from tests.failures import failures_of

one_of = partial(jobs_of_prompt, count=1)


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


def test_all_that_is_wrong_about_a_line_is_listed(tmp_path):
    def check(case):
        line, *said = case
        file = tmp_path / "prompts.jsonl"
        file.write_text(line, encoding="utf-8")
        made, bad = jobs_of_file(str(file), jobs("a.png")[0], one_of)
        assert made == []
        ((number, message),) = bad
        assert number == 1
        parts = message.split("; ")
        assert len(parts) == len(said)
        assert all(text in part for text, part in zip(said, parts, strict=True)), message

    cases = [
        (
            '{"prompt": "a", "promt": 1, "cfg": 5, "clip-skip": 2}',
            "an unknown 'promt'. Did you mean 'prompt'?",
            "an unknown 'cfg'. Did you mean 'guidance'?",
            "an unknown 'clip-skip'. Did you mean 'clip_skip'?",
        ),
        ('{"prompt": "a", "steps": "x", "sed": 1}', "'steps' is a whole number", "'seed'?"),
        ('{"prompt": 5, "size": 512}', "'prompt' is text, not 5", "'size' is text, not 512"),
        ('{"prompt": "a", "steps": 0, "seed": -2}', "'steps' is from 1 to", "'seed' is from -1"),
        ('{"prompt": "a cat"', "no JSON object: Expecting ',' delimiter at column 19"),
        ('["a cat"]', 'a list at column 1, not an object: {"prompt": "a cat"}'),
        ('["a cat", "b"', "no JSON object: Expecting ',' delimiter at column 14"),
        ('[{"prompt": "a"}]', "a list at column 1"),
        *((line, "no JSON object") for line in ("[", "]", "{", "},", '{"prompt', "{prompt: 'a'}")),
        *((line, "no JSON object") for line in ('{"prompt": "a"},', '["a",', "{'prompt': 'a'}")),
        ('{"prompt": "a", "clip_skip": 0}', "'clip_skip' counts from 1, the last layer, not 0"),
    ]
    assert not failures_of(check, cases)


def test_brackets_of_prompts_are_no_json(tmp_path):
    lines = [
        "{cat}",
        "[cat]",
        "{{cat}}, x",
        '["cat":0.5]',
        "[cat:dog:0.5]",
        "{a|b}",
        '"a cat"',
        "[a]:",
    ]
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    made, bad = jobs_of_file(str(file), jobs("a.png")[0], one_of)
    assert ([job.prompt for job in made], bad) == (lines, [])


def test_lines_know_what_other_tools_call_a_key(tmp_path):
    def check(case):
        key, name = case
        file = tmp_path / "prompts.txt"
        file.write_text(json.dumps({"prompt": "a cat", name: 1}), encoding="utf-8")
        job = PictureJob("", "", 0, None, None, None, None, Path("a.png"))
        ((_, said),) = jobs_of_file(str(file), job, one_of)[1]
        assert said.startswith(f"it has an unknown {name!r}. ")
        assert said.endswith(f"Did you mean {key!r}?") == (key in _KINDS), said

    cases = [
        (option.split(" ")[0][2:].replace("-", "_"), spelled)
        for option, names in _OTHER_NAMES.items()
        for name in names.split()
        for spelled in {name, name.replace("-", "_"), name.upper()}
    ]
    assert not failures_of(check, cases)
