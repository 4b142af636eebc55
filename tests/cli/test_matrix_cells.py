"""Cells of a matrix: the prompts that its axes make."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import typer

from clipcond.cli.entry import main
from clipcond.cli.job_listing import writable
from clipcond.cli.matrix_axes import read_axes
from clipcond.cli.matrix_cells import make_matrix
from clipcond.cli.picture_jobs import PictureJob, jobs_of_prompt
from clipcond.errors import ArgumentError
from tests.failures import failures_of


def matrix(prompt, *specs, negative=""):
    job = PictureJob(prompt, negative, 0, None, None, None, None, Path("m.png"))
    axes = read_axes(specs, lambda name: str)
    return make_matrix(axes, job, partial(jobs_of_prompt, count=1), ({}, []))


def test_texts_are_replaced_at_once():
    def check(case):
        prompt, specs, expected = case
        assert [cell.job.prompt for cell in matrix(prompt, *specs).cells] == expected

    cases = [
        ("a cat and a dog", ["prompt:cat=owl,fox", "prompt:dog=cat,dog"],
         ["a owl and a cat", "a fox and a cat", "a owl and a dog", "a fox and a dog"]),
        ("a cat, a dog", ["prompt:cat=dog,cat", "prompt:dog=cat,dog"],
         ["a dog, a cat", "a cat, a cat", "a dog, a dog", "a cat, a dog"]),
        ("x y", ["prompt:x=y", "prompt:y=x"], ["y x"]),
        ("xyx", ["prompt:x=,yy", "prompt:y=x"], ["x", "yyxyy"]),
        ("aaa", ["prompt:aa=b"], ["ba"]),  # as str.replace
        ("no", ["prompt:cat=owl", "prompt:dog=cat", "prompt=cat dog,dog cat"],
         ["owl cat", "cat owl"]),
    ]  # fmt: skip
    assert not failures_of(check, cases)
    (cell,) = matrix("cat", "negative:cat=dog", "prompt:cat=owl", negative="cat, dog").cells
    assert (cell.job.prompt, cell.job.negative) == ("owl", "dog, dog")


def test_axes_of_one_place_are_refused():
    def check(case):
        prompt, specs, text, position = case
        with pytest.raises(typer.BadParameter, match="overlap") as caught:
            matrix(prompt, *specs)
        assert caught.value.message.split("\n")[1:3] == [f"  {text}", " " * (2 + position) + "^"]

    cases = [
        ("a cat", ["prompt:cat=cat,dog", "prompt:a=a,the"], "a cat", 3),
        ("a red cat", ["prompt:red cat=x", "prompt:a red=y"], "a red cat", 2),
        ("cat", ["prompt:cat=x", "prompt:cat =y", "prompt=cat dog"], "cat dog", 0),
        ("cats", ["prompt:cat=x", "prompt:s=y", "prompt:ts=z"], "cats", 2),
    ]
    assert not failures_of(check, cases)


def test_a_style_that_the_axis_replaces_is_said(capsys, tmp_path):
    styles = tmp_path / "styles.csv"
    styles.write_text("name,prompt\nbig,big\nblue,blue\n", encoding="utf-8")
    given = ["generate", "", "--styles", str(styles), "--matrix", "style=,blue"]
    for more, is_said in ((["--style", "big"], True), ([], False)):
        assert main([*given, *more]) == 2  # there is no prompt
        said = capsys.readouterr().err
        assert ("--style big is not used: the axis 'style' has the styles" in said) == is_said


def test_values_of_another_kind_are_said_in_our_words(capsys):
    def check(case):
        axis, value, kind, place = case
        assert main(["generate", "a", "--matrix", axis]) == 2
        said = f"clipcond: {kind} is needed, not {value!r}\n  {axis}\n{' ' * (2 + place)}^\n"
        assert capsys.readouterr().err == said

    cases = [
        ("steps=2,x", "x", "a whole number", 8),
        ("clip-skip=,2", "", "a whole number", 10),
        ("seed=1.5", "1.5", "a whole number", 5),
        ("guidance=7,x", "x", "a number", 11),
        ("fullwidth=yes,x", "x", "true or false", 14),
        ("extra-networks=2", "2", "true or false", 15),
    ]
    assert not failures_of(check, cases)


def test_a_prompt_that_is_written_twice_needs_room_twice(tmp_path):
    job = PictureJob("", "", 0, None, None, None, None, tmp_path / "a.jpg")
    long = "x" * 20_000
    assert writable([replace(job, prompt=f"a\n{long}")])
    with pytest.raises(ArgumentError, match="a JPEG file holds"):
        writable([replace(job, prompt=f"a\nNegative prompt: {long}")])
