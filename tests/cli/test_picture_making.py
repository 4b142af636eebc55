"""Pictures drawn several at once: the same as alone, and none lost."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from clipcond import attach
from clipcond.cli import picture_making, pictures
from clipcond.cli.console import short_warnings
from clipcond.cli.picture_jobs import PictureJob, settings_of
from clipcond.cli.pictures import Artist
from clipcond.errors import CheckpointError
from clipcond.pipelines import build_pipeline
from clipcond.pipelines.picture_batches import in_parts, most_at_once
from clipcond.pipelines.schedulers import make_scheduler
from tests.pipelines.models import tiny_sd

JOB = PictureJob("a (red:1.3) fox", "blurry", 3, 2, 7.5, None, None, Path("a.png"))


@pytest.fixture
def artist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipe = attach(tiny_sd())
    pipe.set_progress_bar_config(disable=True)
    with short_warnings():  # printed, as the command does
        yield Artist(pipe, {})


@pytest.fixture
def sizes(monkeypatch):
    """The number of pictures of each call of the pipeline."""
    sizes, draw = [], pictures.draw
    monkeypatch.setattr(pictures, "draw", lambda p, s, *a: sizes.append(len(s)) or draw(p, s, *a))
    return sizes


def several(job, n, **changes):
    changed = replace(job, **changes)
    return [
        replace(changed, seed=job.seed + i, output=Path(f"{i}.png"), line=i + 1) for i in range(n)
    ]


def pixels(jobs):
    made = []
    for job in jobs:
        with Image.open(job.output) as image:
            made.append((image.tobytes(), image.text["parameters"]))
    return made


def together_and_alone(artist, jobs):
    """Return which pictures of a list differ from those that are made one by one."""
    assert picture_making.make_all(artist, jobs, as_json=True) == len(jobs)
    together = pixels(jobs)
    assert len({bits for bits, _ in together}) == len(jobs)
    for job in jobs:
        assert picture_making.make_all(artist, [job], as_json=True) == 1
    return [job.seed for job, a, b in zip(jobs, together, pixels(jobs), strict=True) if a != b]


def test_pictures_of_a_batch_are_those_drawn_alone(artist, sizes):
    table = [{}, {"guidance": 1.0}, {"clip_skip": 2}, {"size": "32x24"}, {"negative": ""}]
    differing = {}
    for changes in (*table, {"prompt": "cat, " * 60}):
        seeds = together_and_alone(artist, several(JOB, 2, steps=1, **changes))
        if seeds or sizes != [2, 1, 1]:
            differing[str(changes)] = seeds, list(sizes)
        sizes.clear()
    assert not differing
    assert not artist.pipe.vae.use_slicing


@pytest.mark.slow
def test_samplers_draw_a_batch_as_they_draw_one(artist, sizes):
    own, differing = artist.pipe.scheduler, {}
    for name in ("DDIM", "Euler", "Euler a", "DPM++ 2M SDE", "UniPC", "Heun", "DPM2 a"):
        artist.pipe.scheduler = make_scheduler(name, own)
        seeds = together_and_alone(artist, several(JOB, 7, steps=4))
        if seeds or sizes != [7] + [1] * 7:
            differing[name] = seeds, list(sizes)
        sizes.clear()
    assert not differing


def test_lines_of_a_file_share_a_batch_where_texts_are_as_long(artist, sizes):
    prompts = ["a cat", "a (dog:0.7)", "fox, " * 60, "hen, " * 60, "[a:b:0.5]", "a", "b AND c", "d"]
    jobs = [
        replace(job, prompt=prompt, steps=1)
        for job, prompt in zip(several(JOB, len(prompts)), prompts, strict=True)
    ]
    assert not together_and_alone(artist, jobs)
    assert sizes[: -len(jobs)] == [2, 2, 1, 1, 1, 1]


@pytest.mark.slow
def test_pictures_of_the_embedded_model(artist, sizes):
    embedded = Artist(build_pipeline(device="cpu"), {})
    embedded.pipe.set_progress_bar_config(disable=True)
    assert not together_and_alone(embedded, several(JOB, 9, guidance=None, steps=5))
    assert sizes == [4, 5] + [1] * 9


def test_batches_are_even_and_have_one_setting():
    jobs = [*several(JOB, 16), *several(JOB, 2, steps=5), *several(JOB, 1), *several(JOB, 8)]
    assert [len(part) for part in in_parts(jobs, settings_of, lambda _: 7)] == [5, 5, 6, 2, 4, 5]
    assert [len(part) for part in in_parts(jobs[:5], settings_of, lambda _: 1)] == [1] * 5
    assert [job for part in in_parts(jobs, settings_of, lambda _: 3) for job in part] == jobs


def test_how_many_are_drawn_at_once(artist):
    pipe = artist.pipe
    expected = {(128, 128): 7, (256, 256): 4, (512, 512): 1, (1024, 1024): 1, (16, 16): 7}
    assert {size: most_at_once(pipe, *size) for size in expected} == expected
    assert most_at_once(pipe.to("meta"), 16, 16) == 1


def test_a_file_that_cannot_be_written_costs_only_its_picture(artist, monkeypatch, capsys):
    save = pictures.Artist.save

    def fails(artist, image, job):
        if job.seed == 4:
            raise CheckpointError("'1.png' cannot be written: No space left on device")
        return save(artist, image, job)

    monkeypatch.setattr(pictures.Artist, "save", fails)
    jobs = several(JOB, 4)
    assert picture_making.make_all(artist, jobs, as_json=False) == 3
    printed = capsys.readouterr()
    assert printed.out.split() == ["0.png", "2.png", "3.png"]
    assert "clipcond: line 2: '1.png' cannot be written: No space" in printed.err
    of_a_prompt = [replace(job, line=0) for job in jobs]
    with pytest.raises(CheckpointError, match="No space left"):
        picture_making.make_all(artist, of_a_prompt, as_json=False)
    assert capsys.readouterr().out.split() == ["0.png", "2.png", "3.png"]


def test_an_interrupt_waits_for_what_is_drawn(artist, monkeypatch, capsys):
    save = pictures.Artist.save

    def interrupted(artist, image, job):
        if job.seed == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return save(artist, image, job)

    monkeypatch.setattr(pictures.Artist, "save", interrupted)
    # a run in the background may have been started with interrupts ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            picture_making.make_all(artist, several(JOB, 9), as_json=False)
    finally:
        signal.signal(signal.SIGINT, before)
    written = capsys.readouterr().out.split()
    assert written == ["0.png", "1.png", "2.png", "3.png"]
    assert sorted(path.name for path in Path().iterdir()) == written


def test_a_failing_batch_is_drawn_one_by_one(artist, monkeypatch, capsys):
    draw = pictures.draw

    def fails(pipe, seeds, *rest):
        if 5 in seeds:
            raise MemoryError("too large")
        return draw(pipe, seeds, *rest)

    monkeypatch.setattr(pictures, "draw", fails)
    assert picture_making.make_all(artist, several(JOB, 4), as_json=False) == 3
    printed = capsys.readouterr()
    assert printed.out.split() == ["0.png", "1.png", "3.png"]
    assert "clipcond: line 3: out of memory: too large" in printed.err
    assert "4 of 4: step 2 of 2" in printed.err
