"""/inspect, /convert, /generate and /metrics give what the commands of those names give."""

import io
import json
import logging

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.cli.service import worded
from clipcond.metadata import read_parameters
from clipcond.prompt.conversion import convert
from tests.own_model import SIZE
from tests.service.clients import asked

SMALL = {"prompt": "a (red:1.3) fox", "negative": "blue", "seed": 7, "steps": 2}


def test_inspect_is_as_the_command(model, capsys):
    prompt = "a (red:1.3) [fox:owl:0.5] cat (dog"
    assert main(["inspect", prompt, "-n", "bad", "--compact"]) == 0
    said = json.loads(capsys.readouterr().out)

    body = {"prompt": prompt, "negative": "bad", "compact": True}
    (answer,) = asked(model, "/inspect", body, reword=worded)

    found = answer.json()
    for issue in [*said["issues"], *said["negative"]["issues"]]:
        del issue["prompt"], issue["remedy"]
    for issue in [*found["issues"], *found["negative"]["issues"]]:
        del issue["remedy"]  # the command's names what Python can do as well
    assert found == said


def test_inspect_with_a_weight_beyond_all_numbers(model):
    body = {"prompt": "(" * 8000 + "cat" + ")" * 8000}
    (answer,) = asked(model, "/inspect", body)

    assert answer.json()["segments"][0]["weight"] > 1e308


def test_convert(model):
    prompt = "a (red:1.3) fox, [cat]"
    (answer,) = asked(model, "/convert", {"prompt": prompt, "from": "a1111", "to": "compel"})

    assert answer.json() == {"prompt": convert(prompt, "a1111", "compel"), "issues": []}


def test_convert_says_what_is_lost(model):
    body = {"prompt": "a fox <lora:x:1>", "to": "compel"}
    (answer,) = asked(model, "/convert", body)

    (issue,) = answer.json()["issues"]
    assert (issue["position"], issue["prompt"], issue["negative"]) == (6, 0, False)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_picture_says_how_it_was_made(model, kind, tmp_path):
    (answer,) = asked(model, "/generate", {**SMALL, "format": kind})

    assert answer.headers["x-clipcond-seed"] == "7"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[kind]
    (tmp_path / f"x.{kind}").write_bytes(answer.content)
    parameters = read_parameters(tmp_path / f"x.{kind}")
    assert (parameters.prompt, parameters.negative) == (SMALL["prompt"], SMALL["negative"])
    assert (parameters.seed, parameters.steps, parameters.size) == (7, 2, SIZE)


@pytest.mark.slow
def test_a_picture_is_that_of_the_command(model, tmp_path, capsys):
    (answer,) = asked(model, "/generate", SMALL)
    options = ["-n", "blue", "--seed", "7", "--steps", "2", "--device", "cpu"]
    assert main(["generate", SMALL["prompt"], *options, "-o", str(tmp_path / "x.png")]) == 0

    with Image.open(tmp_path / "x.png") as ours, Image.open(io.BytesIO(answer.content)) as theirs:
        assert ours.info["parameters"] == theirs.info["parameters"]
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    ("prompt", "codes"),
    [
        ("a red apple", set()),
        ("a red (apple", {"bracket"}),
        ("zebra quux", {"unread-words"}),
        ("a cat <lora:x:1>", {"extra-network"}),
        ("a cat __x__ {a|b}", {"wildcard", "unread-words"}),
        ("a cat, " * 700, {"prompt-cut"}),
    ],
)
def test_issues_of_a_picture_are_those_of_its_prompt(model, prompt, codes):
    body = {**SMALL, "prompt": prompt, "negative": "", "steps": 1}
    (drawn,) = asked(model, "/generate", body)
    (encoded,) = asked(model, "/encode", {"prompt": prompt}, headers={"accept": "application/json"})

    found = set(filter(None, drawn.headers["x-clipcond-issues"].split(",")))
    assert {each.strip() for each in found} >= codes
    assert bool(found) == bool(codes)
    assert {issue["code"] for issue in encoded.json()["issues"]} >= codes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"size": "65x64"}, "size 65x64: sides are multiples of"),
        ({"size": "4096x4096"}, '"size": pictures have at most 4,194,304 pixels here'),
        ({"size": "64 x 64"}, "'size': String should match pattern"),
        ({"scheduler": "Eulr"}, "no scheduler 'Eulr'. Did you mean 'euler'?"),
        ({"guidance": 1e308}, "'guidance': it should be less than or equal to 100"),
        ({"seed": 2**64}, "'seed': it should be less than or equal to"),
        ({"format": "gif"}, "'format': it should be 'png', 'jpg' or 'webp'"),
    ],
)
def test_a_picture_that_cannot_be_drawn(model, body, message):
    (answer,) = asked(model, "/generate", {**SMALL, **body}, reword=worded)

    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"].startswith(message)


def test_the_log_has_no_prompts_unless_it_is_asked_to(model, caplog):
    caplog.set_level(logging.INFO, "clipcond.service")
    asked(model, "/encode", {"prompt": "a secret cat"}, {"prompt": "a (secret"})
    quiet = [record.fields for record in caplog.records]
    asked(model, "/encode", {"prompt": "a secret cat"}, log_prompts=True)

    assert [each["status"] for each in quiet] == [200, 200]
    assert quiet[1]["issues"] == ("bracket", "unread-words")
    assert "secret" not in str(quiet)
    assert caplog.records[-1].fields["asked"] == {"prompt": "a secret cat"}


def test_full_width_signs_are_read_where_a_request_says_so(model):
    plain, wide = asked(
        model, "/inspect", {"prompt": "（cat：1.3）"}, {"prompt": "（cat：1.3）", "fullwidth": True}
    )
    assert {part["weight"] for part in plain.json()["segments"]} == {1.0}
    assert {part["weight"] for part in wide.json()["segments"]} == {1.3}


def test_remedies_name_nothing_that_no_request_has(model):
    prompts = ["a <lora:x:1>", "embedding:foo", "{a|b} __x__", "a AND b", "[a:b:0.5]", "a " * 700]
    answers = asked(model, "/inspect", *({"prompt": prompt} for prompt in prompts), reword=worded)
    for answer in answers:
        for issue in answer.json()["issues"]:
            assert "In Python" not in issue["remedy"], issue
            assert "clipcond expand" not in issue["remedy"], issue
            assert "--" not in issue["remedy"], issue
