"""Axes of a matrix: what is typed, and what is refused with its place."""

import csv
from io import StringIO

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.cli.matrix_axes import AXES, MAY_BE_DEFAULT, read_axes
from clipcond.errors import UnknownNameError
from tests.failures import failures_of


def reader(name):
    def read(text):
        if name == "steps" and not text.isdigit():
            raise typer.BadParameter("a number is needed")
        if name == "dialect" and text != "a1111":
            raise UnknownNameError("dialect", text, ["a1111"])
        return int(text) if name == "steps" else text

    return read


def test_axes():
    def check(case):
        spec, name, searched, values, title = case
        (axis,) = read_axes([spec], reader)
        assert (axis.name, axis.searched, [*axis.values]) == (name, searched, values)
        assert axis.title == title
        assert [*axis.written] == [str(value) for value in values]
        assert len(axis.labels) == len(axis.places) == len(values)

    cases = [
        ("steps=1,20", "steps", "", [1, 20], "steps"),
        ("--steps= 1 , 20 ", "steps", "", [1, 20], "steps"),
        ("Clip skip=1", "clip-skip", "", ["1"], "clip-skip"),
        ("clip_skip=1,2", "clip-skip", "", ["1", "2"], "clip-skip"),
        ('prompt:cat=cat,"a dog, red", "say ""x"""', "prompt", "cat",
         ["cat", "a dog, red", 'say "x"'], "prompt:cat"),
        ("prompt:a:b=c=d,e", "prompt", "a:b", ["c=d", "e"], "prompt:a:b"),
        ("negative=,blurry,", "negative", "", ["", "blurry", ""], "negative"),
        ("prompt=(a cat:1.2),猫", "prompt", "", ["(a cat:1.2)", "猫"], "prompt"),
        ('prompt:x=5" disk,""', "prompt", "x", ['5" disk', ""], "prompt:x"),
    ]  # fmt: skip
    assert not failures_of(check, cases)


def test_full_width_commas_separate_where_no_other_does():
    def check(case):
        spec, values, places = case
        (axis,) = read_axes([spec], reader)
        assert ([*axis.values], [*axis.places]) == (values, places)

    cases = [
        ("prompt:猫=猫，狗", ["猫", "狗"], [9, 11]),
        ("prompt:猫=猫、狗，一只 鸟 ", ["猫", "狗", "一只 鸟"], [9, 11, 13]),
        ("steps=1，20", [1, 20], [6, 8]),
        ("negative=，模糊，", ["", "模糊", ""], [9, 10, 13]),
        ('prompt="猫，草地"，"狗，雪"', ["猫，草地", "狗，雪"], [7, 14]),
        ('prompt="猫,草地"，狗', ["猫,草地", "狗"], [7, 14]),
        ("prompt=“猫，草地”，狗", ["“猫，草地”", "狗"], [7, 14]),
        ('prompt=猫"甲，乙"，狗', ['猫"甲，乙"', "狗"], [7, 14]),
        ('prompt=猫"甲"、狗"乙、丙"红', ['猫"甲"', '狗"乙、丙"红'], [7, 12]),
        ('prompt=猫"甲，乙', ['猫"甲', "乙"], [7, 11]),
        ("prompt=“猫，狗", ["“猫", "狗"], [7, 10]),
        # an ASCII comma outside of quotes separates alone
        ("prompt=猫，草地,狗、雪", ["猫，草地", "狗、雪"], [7, 12]),
        ('prompt="猫，草地",狗，雪', ["猫，草地", "狗，雪"], [7, 14]),
        ("prompt=猫，草地,", ["猫，草地", ""], [7, 12]),
        ('prompt="猫，草地"', ["猫，草地"], [7]),
    ]
    assert not failures_of(check, cases)


def test_what_is_no_axis_is_shown():
    def check(case):
        spec, column, message = case  # a wide sign has two columns
        with pytest.raises(typer.BadParameter) as caught:
            read_axes([spec], reader)
        lines = caught.value.message.split("\n")
        assert lines[0].startswith(message)
        assert lines[1] == f"  {spec}"
        assert lines[2] == " " * (2 + column) + "^"

    cases = [
        ("stpes=1", 0, "'stpes' is no axis. Did you mean 'steps'?"),
        ("cfg=1", 0, "'cfg' is no axis. Did you mean 'guidance'?"),
        ("CFG scale=1", 0, "'CFG scale' is no axis. Did you mean 'guidance'?"),
        ("count=1", 0, "'count' is no axis."),
        ("=1", 0, "'' is no axis."),
        ("steps", 5, "'=' and the values are missing"),
        ("steps:2=1", 5, "only prompt and negative have a ':' behind them"),
        ("prompt:=a", 6, "':' needs a text of a prompt behind it"),
        ("steps=1, x", 9, "a number is needed"),
        ("steps=1,", 8, "a number is needed"),
        ("dialect=a1111,comfy", 14, "no dialect 'comfy'."),
        ('prompt="a,b', 7, "the quotes are never closed"),
        ('prompt="a"b,c', 10, "',' is missing behind the quotes"),
        ('prompt="a"b，c', 10, "',' is missing behind the quotes"),
        ('prompt=a，"b，c', 10, "the quotes are never closed"),
        ("steps=1，x", 9, "a number is needed"),
    ]
    assert not failures_of(check, cases)
    for specs, message in (
        (["steps=1"] * 2, "the axis 'steps' is there twice"),
        ([f"{name}=1" for name in AXES[2:6]], "a matrix has 3 axes at most, not 4"),
        (["seed=" + "1," * 20 + "1", "steps=" + "1," * 20 + "1"], "the matrix has 441 pictures"),
    ):
        with pytest.raises(typer.BadParameter, match=message):
            read_axes(specs, reader)
    assert len(read_axes(["prompt:a=b", "prompt:c=d", "prompt=a c"], reader)) == 3
    assert {*MAY_BE_DEFAULT} < {*AXES}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\r\n"), max_size=8), min_size=1))
def test_values_are_read_as_csv_writes_them(values):
    written = StringIO()
    csv.writer(written, lineterminator="", quoting=csv.QUOTE_ALL).writerow(values[:9])
    (axis,) = read_axes([f"prompt={written.getvalue()}"], reader)
    assert [*axis.values] == values[:9]


@settings(max_examples=150, deadline=None)
@given(st.text('ab,，“”"= :', max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        (axis,) = read_axes([f"prompt={text}"], reader)
    except typer.BadParameter:
        return
    assert len(axis.values) >= 1
    assert (text.count(",") or text.count("，")) >= len(axis.values) - 1
