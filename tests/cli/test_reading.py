"""clipcond classify and clipcond score: results, JSON, exit codes, messages."""

import json

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.reading import ZeroShotClassifier, load_encoder, score_parts

RED, BLUE = (214, 46, 48), (44, 100, 222)
LABELS = "red background,blue background"


@pytest.fixture
def run(capsys, monkeypatch):
    def run(*argv):
        code = main([str(word) for word in argv])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path):
    for name, colour in (("red background", RED), ("blue background", BLUE)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (80, 64), colour).save(tmp_path / name / "a.png")
    return tmp_path


def test_classify_shows_the_likeliest_labels(run, folder):
    red = folder / "red background" / "a.png"

    code, out, err = run("classify", red, "--labels", f"{LABELS}、a cat", "--top", 1)

    (((label, p),),) = ZeroShotClassifier(load_encoder(), [*LABELS.split(","), "a cat"])(
        red, top_k=1
    )
    assert (code, out, err) == (0, f"{red}: {label} {p:.1%}\n", "")


def test_classify_gives_json_and_skips_what_it_cannot_read(run, folder):
    (folder / "text.png").write_text("a cat")

    code, out, err = run("classify", folder, "--labels", LABELS, "--json", "--templates", "{}")

    found = json.loads(out)
    assert code == 0
    assert (found["encoder"], found["labels"]) == ("embedded", LABELS.split(","))
    blue, red, text = found["pictures"]
    assert [each["labels"][0]["label"] for each in (red, blue)] == LABELS.split(",")
    assert sum(each["probability"] for each in red["labels"]) == pytest.approx(1)
    assert text == {
        "file": str(folder / "text.png"),
        "error": f"{str(folder / 'text.png')!r} is no picture that Pillow can read",
    }
    assert f"clipcond: {text['error']}\n" in err


def test_a_named_picture_that_cannot_be_read_is_a_failure(run, folder):
    red = folder / "red background" / "a.png"

    code, out, err = run("classify", red, folder / "none.png", "--labels", LABELS)

    assert code == 1
    assert out.startswith(f"{red}: red background")
    assert f"clipcond: there is no picture {str(folder / 'none.png')!r}\n" in err


def test_classify_measures_a_labelled_folder(run, folder):
    (folder / "red background" / "bad.png").write_text("a cat")
    picture = folder / "confusion.png"

    code, out, err = run("classify", "--test", folder, "--confusion", picture)

    assert (code, out) == (
        0,
        f"pictures 2\nacc1 100.0%\nmean per class recall 100.0%\nwrote {picture}\n",
    )
    assert "bad.png' is no picture that Pillow can read" in err
    with Image.open(picture) as image:
        assert min(image.size) > 60
    picture.unlink()
    code, out, _ = run("classify", "--test", folder, "--json", "--labels", f"a cat,{LABELS}")
    found = json.loads(out)
    assert found["labels"] == ["a cat", *LABELS.split(",")]
    assert found["confusion"] == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert (found["n_pictures"], found["acc1"], found["acc5"]) == (2, 1.0, None)
    assert found["unreadable"] == [str(folder / "red background" / "bad.png")]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["a.png"], 2, "labels are missing, such as --labels cat,dog"),
        (["a.png", "--labels", " , "], 2, "labels are missing, such as --labels cat,dog"),
        (["a.png", "--labels", "cat,cat"], 1, "the label 'cat' is there twice"),
        (["a.png", "--labels", "cat", "--templates", "phot"], 2, "Did you mean 'photo'?"),
        (["a.png", "--labels", "cat", "--confusion", "c.png"], 2, "--confusion goes with --test"),
        (["a", "b", "--test"], 2, "--test takes one folder"),
        (["nowhere", "--test"], 1, "there is no folder 'nowhere'"),
        (["a.png", "--labels", "cat", "--top", "0"], 2, "--top"),
        (["a.png", "--labels", "cat", "--encoder", "nothing"], 1, "there is no file or folder"),
    ],
)
def test_wrong_use_says_what_is_wrong(run, argv, code, message):
    found, out, err = run("classify", *argv)

    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_score_prints_a_number_and_its_parts(run, folder):
    red, prompt = folder / "red background" / "a.png", "(red:1.2) background, a cat"
    expected = score_parts(load_encoder(), red, prompt)

    assert run("score", red, prompt) == (0, f"{expected.score:.4f}\n", "")
    code, out, _ = run("score", red, prompt, "--parts")
    lines = out.splitlines()
    assert (code, lines[0], len(lines)) == (0, f"{expected.score:.4f}", 4)
    assert [line.split(None, 2)[2] for line in lines[2:]] == ["red background", "a cat"]
    code, out, _ = run("score", red, prompt, "--json")
    found = json.loads(out)
    assert (found["prompt"], found["encoder"], found["file"]) == (prompt, "embedded", str(red))
    assert found["score"] == expected.score
    assert found["parts"][1] == {
        "text": "a cat",
        "start": 22,
        "stop": 27,
        "score": expected.parts[1].score,
        "gain": expected.parts[1].gain,
    }


def test_a_chinese_prompt_with_the_chinese_tower(run, folder):
    scores = [
        float(
            run(
                "score",
                folder / f"{name} background" / "a.png",
                "红色背景",
                "--encoder",
                "embedded-zh",
            )[1]
        )
        for name in ("red", "blue")
    ]

    assert scores[0] > scores[1] + 0.2


def test_score_fails_with_one_message(run, folder, monkeypatch):
    assert run("score", "none.png", "a cat") == (
        1,
        "",
        "clipcond: there is no picture 'none.png'\n",
    )
    code, out, err = run("score", folder / "red background" / "a.png", "()")
    assert (code, out) == (2, "")
    assert "the prompt has no text that could be scored" in err
    code, _, err = run("score", "none.png", "a cat", "--dialect", "a111")
    assert code == 2
    assert "Did you mean 'a1111'?" in err
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run("score", "none.png", "a cat")[2] == "clipcond: 没有图片 'none.png'\n"
