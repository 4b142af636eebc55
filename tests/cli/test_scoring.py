"""clipcond score of folders: each picture with its own prompt or with one; the matrix."""

import json

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.metadata import save_picture
from clipcond.reading import clip_score, draw_score_matrix, load_encoder

COLOURS = {"blue": (44, 100, 222), "red": (214, 46, 48)}


@pytest.fixture
def run(capsys):
    def run(*argv):
        code = main(["score", *(str(word) for word in argv)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path):
    for name, colour in COLOURS.items():
        text = f"({name}:1.2) background\nSteps: 2, Dialect: a1111"
        save_picture(Image.new("RGB", (64, 48), colour), tmp_path / f"{name}.png", text)
    return tmp_path


@pytest.fixture
def scores(folder):
    """The score of each picture with the text of its own prompt."""
    files = [folder / f"{name}.png" for name in COLOURS]
    texts = [f"{name} background" for name in COLOURS]
    return clip_score(load_encoder(), files, texts).tolist()


def test_pictures_are_scored_with_their_own_prompts(run, folder, scores):
    lines = [f"{s:.4f}  {folder / name}.png" for s, name in zip(scores, COLOURS, strict=True)]
    mean = sum(scores) / 2

    code, out, _ = run(folder)
    assert (code, out.splitlines()) == (0, [*lines, f"mean {mean:.4f} of 2"])
    assert run(folder / "red.png")[:2] == (0, f"{scores[1]:.4f}\n")
    code, out, _ = run(folder, "--json")
    found = json.loads(out)
    assert (code, found["encoder"], found["mean"]) == (0, "embedded", pytest.approx(mean))
    assert [each["prompt"] for each in found["pictures"]] == [
        "(blue:1.2) background",
        "(red:1.2) background",
    ]


def test_the_dialect_of_a_picture_is_its_own(run, folder):
    text = "a red+ background\nSteps: 2, Dialect: compel"
    save_picture(Image.new("RGB", (64, 48), COLOURS["red"]), folder / "red.png", text)
    expected = clip_score(load_encoder(), folder / "red.png", "a red+ background", dialect="compel")

    assert run(folder / "red.png")[1] == f"{float(expected[0]):.4f}\n"


def test_the_encoder_is_that_of_the_pictures_tower(run, folder, tmp_path):
    """Alone, and in a folder of such; where others are among them, one is taken for all."""
    chinese = tmp_path / "zh"
    chinese.mkdir()
    for name, prompt in (("red", "红色背景"), ("blue", "蓝色背景")):
        text = f"{prompt}\nSteps: 2, Tower: embedded-zh"
        save_picture(Image.new("RGB", (64, 48), COLOURS[name]), chinese / f"{name}.png", text)
    file, zh = chinese / "red.png", load_encoder("embedded-zh")
    expected = float(clip_score(zh, file, "红色背景")[0])

    assert run(file)[:] == (0, f"{expected:.4f}\n", "")
    assert run(file, "--encoder", "embedded-zh")[1] == f"{expected:.4f}\n"
    found = json.loads(run(chinese, "--json")[1])
    assert found["encoder"] == "embedded-zh"
    assert found["pictures"][1]["score"] == pytest.approx(expected)
    code, out, err = run(folder, "--json")
    assert (code, json.loads(out)["encoder"]) == (0, "embedded")
    assert "Say --encoder embedded-zh for the others" in err
    for argv in ((file, "--encoder", "embedded"), (file, "红色背景")):
        assert "For Chinese: --encoder embedded-zh" in run(*argv)[2]


def test_one_prompt_for_all(run, folder):
    files = [folder / f"{name}.png" for name in COLOURS]
    scores = clip_score(load_encoder(), files, "red background").tolist()

    code, out, _ = run(folder, "red background")

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:2]] == [f"{s:.4f}" for s in scores]


def test_pictures_without_a_prompt_are_named(run, folder, scores):
    Image.new("RGB", (9, 9)).save(folder / "none.png")
    (folder / "text.png").write_text("no picture")

    code, out, err = run(folder)

    assert (code, len(out.splitlines())) == (0, 3)
    assert f"{str(folder / 'none.png')!r}" in err
    assert f"{str(folder / 'text.png')!r}" in err
    for name in COLOURS:
        (folder / f"{name}.png").unlink()
    code, out, err = run(folder)
    assert (code, out) == (1, "")


def test_the_matrix_shows_every_pair(run, folder):
    matrix = folder / "made" / "matrix.png"
    matrix.parent.mkdir()

    code, _, err = run(folder, "--matrix", matrix)

    assert code == 0
    assert f"wrote {matrix}" in err
    with Image.open(matrix) as image:
        width, height = image.size
        assert height == 12 + 3 * 64
        left, top = width - 6 - 2 * 64 + 3, 6 + 64 + 3
        places = [[(left + 64 * c, top + 64 * r) for c in (0, 1)] for r in (0, 1)]
        cells = [[image.getpixel(place) for place in row] for row in places]
    dark = [[sum(pixel) for pixel in row] for row in cells]
    assert dark[0][0] < dark[0][1]  # the diagonal is darker
    assert dark[1][1] < dark[1][0]
    files, texts = (
        [folder / f"{name}.png" for name in COLOURS],
        [f"{n} background" for n in COLOURS],
    )
    scores, _ = draw_score_matrix(load_encoder(), files, texts)
    for row, text in zip(scores, texts, strict=True):
        assert row.tolist() == pytest.approx(clip_score(load_encoder(), files, text).tolist())


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ([".", "--parts"], 2, "--parts takes one picture"),
        (["red.png", "--matrix", "m.png"], 2, "--matrix takes a folder of pictures"),
        ([".", "--matrix", "m.txt"], 2, "pictures are written as .png, .jpg or .webp"),
        ([".", "(:1.2)"], 2, "the prompt has no text that could be scored"),
        ([".", "--dialect", "a111"], 2, "Did you mean 'a1111'?"),
        (["none.png"], 1, "none.png"),
    ],
)
def test_wrong_use_says_what_is_wrong(run, folder, monkeypatch, argv, code, message):
    monkeypatch.chdir(folder)

    found, out, err = run(*argv)

    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
