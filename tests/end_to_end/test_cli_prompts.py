"""clipcond generate --prompts: many pictures of one loaded model; a bad line costs only itself."""

import io
import json

import pytest
from PIL import Image

from clipcond.cli.pictures import Artist
from clipcond.pipelines import building


@pytest.fixture
def batch(run, sd_folder, tmp_path):
    """Run generate on a file with these lines: exit code, the JSON objects printed, stderr."""

    def batch(content: str | bytes, *options: str):
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / "prompts.txt").write_bytes(content)
        always = ("--model", sd_folder, "--steps", "1", "--prompts", "prompts.txt")
        outcome = run("generate", *always, *options)
        return outcome.code, [json.loads(line) for line in outcome.out.splitlines()], outcome.err

    return batch


def test_a_prompt_a_line(batch, generate, monkeypatch):
    loads = []
    load = building.load_pipeline
    monkeypatch.setattr(building, "load_pipeline", lambda *a, **k: loads.append(a) or load(*a, **k))
    code, made, _ = batch("a cat\n\n{a} [dog]\r\n  一只猫  \n", "-n", "blurry", "--seed", "4")

    assert (code, len(loads)) == (0, 1)
    assert [each["path"] for each in made] == ["out-1.png", "out-3.png", "out-4.png"]
    assert [each["prompt"] for each in made] == ["a cat", "{a} [dog]", "一只猫"]
    assert [each["line"] for each in made] == [1, 3, 4]
    assert made[0] == {
        "path": "out-1.png",
        "line": 1,
        "prompt": "a cat",
        "negative": "blurry",
        "seed": 4,
        "steps": 1,
        "guidance": 7.5,
        "clip_skip": 1,
        "size": "16x16",
    }
    assert generate("a cat", "-n", "blurry", "--seed", "4", steps=1).code == 0
    with Image.open("out.png") as one, Image.open("out-1.png") as of_file:
        assert one.tobytes() == of_file.tobytes()
        assert one.text == of_file.text


def test_a_line_says_what_differs(batch):
    line = {"prompt": "a cat", "negative": "x", "seed": 9, "steps": 2, "guidance": 3}
    line |= {"clip_skip": 2, "size": "24x16", "output": "my.png"}
    code, (made, other), _ = batch(json.dumps(line) + "\na dog\n")

    assert code == 0
    assert made == {**{k: v for k, v in line.items() if k != "output"}, "path": "my.png", "line": 1}
    assert (other["path"], other["seed"], other["clip_skip"]) == ("out-2.png", 0, 1)
    with Image.open("my.png") as image:
        assert image.size == (24, 16)
        settings = image.text["parameters"].splitlines()[-1]
    assert settings.startswith("Steps: 2, Sampler: DDIM, CFG scale: 3, Seed: 9, Size: 24x16,")
    assert "Clip skip: 2" in settings


BAD = [
    ('{"prompt": "a"', "it is no JSON object"),
    ("{'prompt': 'a'}", "it is no JSON object"),
    ("{}", 'it has no "prompt"'),
    ('{"negative": "a"}', 'it has no "prompt"'),
    ('{"prompt": 3}', "'prompt' is text, not 3"),
    ('{"prompt": "a", "seed": "3"}', "'seed' is a whole number, not \"3\""),
    ('{"prompt": "a", "seed": true}', "'seed' is a whole number, not true"),
    ('{"prompt": "a", "seed": -7}', "'seed' is from -1 to"),
    ('{"prompt": "a", "seed": 18446744073709551616}', "'seed' is from -1 to"),
    ('{"prompt": "a", "guidance": NaN}', "a number from 0 to 100 is needed, not nan"),
    ('{"prompt": "a", "negativ": "b"}', "it has an unknown 'negativ'. Did you mean 'negative'?"),
    ('{"prompt": "a", "steps": 0}', "'steps' is from 1 to"),
    ('{"prompt": "a", "steps": 5000}', "this model has 999 steps at most"),
    ('{"prompt": "a", "size": "big"}', "'big' is no WIDTHxHEIGHT"),
    ('{"prompt": "a", "size": "20x16"}', "sides are multiples of 8"),
    ('{"prompt": "a", "clip_skip": 99}', "clip-skip 99 names no layer"),
    ('{"prompt": "a", "output": "a.gif"}', "pictures are written as .png, .jpg or .webp"),
    ('{"prompt": "a", "output": "no/such/a.png"}', "cannot be written"),
    ('{"prompt": "a", "output": "a\\u0000.png"}', "'output' is no file name"),
    ('{"prompt": "a", "output": "' + "x" * 300 + '.png"}', "File name too long"),
    ('{"prompt": "\\ud83d"}', "not valid UTF-8"),
    ('{"prompt": ' * 1 + '"a", "x": ' + "[" * 20_000, "it is no JSON object"),
    (b"caf\xe9", "it is no UTF-8"),
    ("(a:1.2.3)", "'1.2.3' is not a number"),
    ("(a:" + "9" * 39 + ")", "leads to NaN or infinite values"),
]


def test_a_bad_line_costs_only_itself(batch, tmp_path):
    lines = [line if isinstance(line, bytes) else line.encode() for line, _ in BAD]
    code, made, err = batch(b"a cat\n" + b"\n".join(lines) + b"\na dog")

    assert code == 1
    assert [(each["line"], each["prompt"]) for each in made] == [
        (1, "a cat"),
        (len(BAD) + 2, "a dog"),
    ]
    missing = [
        (number, message)
        for number, (_, message) in enumerate(BAD, 2)
        if not any(
            line.startswith(f"clipcond: line {number}: ") and message in line
            for line in err.splitlines()
        )
    ]
    assert not missing, err
    assert "Traceback" not in err
    assert {path.name for path in tmp_path.glob("*.png")} == {each["path"] for each in made}


def test_counts_and_random_seeds(batch):
    code, made, _ = batch(
        'a\n{"prompt": "b", "seed": 7}\n{"prompt": "c", "seed": -1}', "--count", "2"
    )

    assert code == 0
    assert [each["path"] for each in made[:4]] == [
        *("out-1-1.png", "out-1-2.png", "out-2-1.png", "out-2-2.png"),
    ]
    seeds = [each["seed"] for each in made]
    assert seeds[:4] == [0, 1, 7, 8]
    assert seeds[5] == seeds[4] + 1


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfa cat\r\n", "a cat\n".encode("utf-16"), b"a cat", b"\n\n a cat\n\n"]
)
def test_files_of_windows(batch, content):
    code, made, _ = batch(content)

    assert (code, [each["prompt"] for each in made]) == (0, ["a cat"])


def test_standard_input(run, sd_folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("a cat\n猫\n".encode())))
    outcome = run("generate", "--model", sd_folder, "--steps", "1", "--prompts", "-")

    assert outcome.code == 0
    assert [json.loads(line)["prompt"] for line in outcome.out.splitlines()] == ["a cat", "猫"]


def test_nothing_is_loaded_or_replaced_in_vain(batch, run, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "load_pipeline", lambda *_, **__: pytest.fail("loaded"))
    (tmp_path / "out-2.png").write_bytes(b"mine")

    code, made, err = batch("a\nb\nc")
    assert (code, made) == (1, [])
    assert err == (
        "clipcond: 'out-2.png' exists already\nSay --force to replace it, or -o for another name.\n"
    )
    assert (tmp_path / "out-2.png").read_bytes() == b"mine"
    same = '{"prompt": "a", "output": "x.png"}'
    assert batch(f"{same}\n{same}")[2].startswith(
        "clipcond: line 2: 'x.png' is the output of line 1 too\n"
    )
    assert batch("{}\n")[:2] == (1, [])
    assert batch("\n")[::2] == (2, "clipcond: 'prompts.txt' holds no prompt\n")
    assert run("generate", "a", "--prompts", "prompts.txt") == (
        *(2, ""),
        "clipcond: give a prompt or --prompts, not both\n",
    )
    assert run("generate", "--prompts", "none.txt")[::2] == (
        1,
        "clipcond: 'none.txt' cannot be read: No such file or directory\n",
    )


def test_the_traceback_of_a_bad_line_is_shown_where_asked_for(batch, monkeypatch):
    draw = Artist.draw

    def fails(artist, jobs, encoded, label):
        if any("bad" in job.prompt for job in jobs):
            raise ZeroDivisionError("in a library")
        return draw(artist, jobs, encoded, label)

    monkeypatch.setattr(Artist, "draw", fails)
    lines = "bad\na cat\nbad dog\n"
    code, made, error = batch(lines)
    assert (code, [each["line"] for each in made]) == (1, [2])
    assert error.count("line 1: unexpected ZeroDivisionError: in a library\n") == 1
    assert error.count("Set CLIPCOND_TRACEBACK=1") == 2

    monkeypatch.setenv("CLIPCOND_TRACEBACK", "1")
    code, made, error = batch(lines, "--force")
    assert (code, [each["line"] for each in made]) == (1, [2])
    assert error.count("Traceback (most recent call last)") == 2
    assert error.count('raise ZeroDivisionError("in a library")') == 2
    assert "CLIPCOND_TRACEBACK" not in error

    code, _, error = batch('{"prompt": 5}\na cat\n', "--force")  # clipcond's own have none
    assert code == 1
    assert "Traceback" not in error


def test_lines_that_are_utf_8_by_chance_are_not_drawn(batch):
    """In GBK the first is two letters of UTF-8; what is ASCII is the same in all encodings."""
    code, made, err = batch("一只猫\na cat\n一只狗".encode("gbk"))

    assert code == 1
    assert [each["prompt"] for each in made] == ["a cat"]
    assert err.count("it is no UTF-8") == 2
