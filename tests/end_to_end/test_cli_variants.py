"""Templates and styles on the command line."""

import json
from pathlib import Path

import pytest

from clipcond.metadata import read_parameters
from clipcond.prompt import Template


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "animal.txt").write_text("fox\n# no\n{big|small} owl\n", encoding="utf-8")
    return "lists"


def made(outcome):
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_a_seed_chooses_the_text(generate, lists):
    template, negative = "a {red|blue} __animal__", "{dog|cat}"
    options = ("--wildcards", lists, "-n", negative, "--json", "--seed", "5")
    pictures = made(generate(template, *options, "--count", "3", steps=1))
    whole = Template(template, lists)
    assert [each["prompt"] for each in pictures] == [whole.random(seed) for seed in (5, 6, 7)]
    assert [each["seed"] for each in pictures] == [5, 6, 7]
    assert {each["template"] for each in pictures} == {template}
    (again,) = made(generate(template, *options, "-o", "again.png", steps=1))
    assert again["prompt"] == pictures[0]["prompt"]
    assert again["negative"] == pictures[0]["negative"]
    assert Path("again.png").read_bytes() == Path("out-1.png").read_bytes()

    read = read_parameters("out-1.png")
    assert read.prompt == pictures[0]["prompt"]
    assert (read.others["Template"], read.others["Negative Template"]) == (template, negative)
    plain = made(generate(read.prompt, "-n", read.negative, "--json", "--seed", "5", steps=1))
    assert "template" not in plain[0]


def test_all_combinations_have_one_seed(generate, lists):
    outcome = generate("{a|b} __animal__", "-n", "{x|y}", "--combinations", "--wildcards", lists,
                       "--json", "--count", "9", steps=1)  # fmt: skip
    pictures = made(outcome)
    assert "9 of 12 combinations are made" in outcome.err
    assert [(p["prompt"], p["negative"]) for p in pictures[:3]] == [
        ("a fox", "x"), ("a fox", "y"), ("a big owl", "x"),
    ]  # fmt: skip
    assert [Path(p["path"]).name for p in pictures] == [f"out-{i}.png" for i in range(1, 10)]
    assert {p["seed"] for p in pictures} == {0}

    many = generate("{a|b}" * 7, "--combinations")
    assert (many.code, many.out) == (2, "")
    assert many.err == "clipcond: there are 128 combinations: say how many with --count\n"


def test_lines_of_a_file_hold_templates(run, sd_folder, lists):
    Path("prompts.txt").write_text(
        'a {red|blue} fox\n{"prompt": "{x|y", "output": "no.png"}\n'
        '{"prompt": "__animal__", "negative": "{p|q}", "output": "z.png"}\n',
        encoding="utf-8",
    )
    options = ("--model", sd_folder, "--steps", "1", "--prompts", "prompts.txt")
    outcome = run("generate", *options, "--wildcards", lists, "--combinations")
    assert outcome.code == 1
    assert "clipcond: line 2: '{' is never closed\n  {x|y\n  ^\n" in outcome.err
    pictures = [json.loads(line) for line in outcome.out.splitlines()]
    names = ["out-1-1", "out-1-2", *(f"z-{i}" for i in range(1, 7))]
    assert [Path(p["path"]).stem for p in pictures] == names
    assert pictures[-1]["negative_template"] == "{p|q}"


def test_an_error_is_shown_in_the_template(generate, lists):
    outcome = generate("a ({red|blue}:1.{2.3|4}) fox", "--combinations")
    assert (outcome.code, outcome.err.split("\n")[:3]) == (
        2, ["clipcond: '1.2.3' is not a number", "  a ({red|blue}:1.{2.3|4}) fox", " " * 16 + "^"],
    )  # fmt: skip
    outcome = generate("a __animel__", "--wildcards", lists)
    assert outcome.code == 2
    assert "there is no list 'animel' in 'lists'. Did you mean 'animal'?" in outcome.err
    assert "a {b|c} __d__" not in generate("a {b|c}", "--wildcards", "none").out


def test_without_the_option_the_remedy_names_it(generate, inspect):
    said = generate("a {red|blue} __animal__", steps=1).err
    assert said.count("or expand the prompt: --wildcards DIR") == 2
    for prompt in ("a {red|blue} fox", "a __animal__"):
        assert "or expand the prompt: clipcond expand" in " ".join(inspect(prompt).out.split())


def test_styles(generate):
    Path("styles.csv").write_text(
        'name,prompt,negative_prompt\nphoto,"photo of {prompt}, {day|night}",drawing\nred,red,\n',
        encoding="utf-8",
    )
    options = ("--styles", "styles.csv", "--style", "photo", "--style", "red", "--json")
    (one,) = made(generate("a fox", "-n", "blurry", *options, steps=1))
    assert (one["prompt"], one["negative"]) == (
        "photo of a fox, {day|night}, red", "blurry, drawing",
    )  # fmt: skip
    assert read_parameters("out.png").prompt == one["prompt"]
    two = made(generate("a fox", *options, "--combinations", steps=1))
    assert [each["prompt"] for each in two] == [
        "photo of a fox, day, red", "photo of a fox, night, red",
    ]  # fmt: skip
    assert "no style 'phoot'. Did you mean 'photo'?" in generate("a", *options[:3], "phoot").err
    assert "--style goes with --styles" in generate("a", "--style", "photo").err


def test_expand(run, lists):
    template = "a {red|blue} __animal__"
    whole = Template(template, lists)
    lines = run("expand", template, "--wildcards", lists, "--count", "3", "--seed", "7").out
    assert lines.splitlines() == [whole.random(seed) for seed in (7, 8, 9)]
    found = made(run("expand", template, "--wildcards", lists, "--combinations", "--json"))
    assert [each["prompt"] for each in found] == [*whole.combinations()]
    assert [each["combination"] for each in found] == [*range(6)]
    outcome = run("expand", "{a|b}" * 400, "--combinations", "--count", "1", "--json")
    assert made(outcome) == [
        {"prompt": "a" * 400, "combination": 0, "combinations": "10 to the power of 120"}
    ]
    assert "1 of 10 to the power of 120 combinations are made" in outcome.err
    assert run("expand", "a } b").err.startswith("clipcond: warning: '}' closes nothing")
