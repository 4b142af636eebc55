"""generate --best-of: the picture nearest to its prompt is kept, and is the one of its seed."""

import json

import pytest
from PIL import Image

from clipcond.cli import best_of
from clipcond.cli.entry import main
from clipcond.reading import clip_score, load_encoder
from tests.pipelines.models import tiny_sd

PROMPT = "a (red:1.3) background, a cat"


@pytest.fixture(scope="module")
def sd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sd")
    tiny_sd().save_pretrained(folder)
    return folder


@pytest.fixture
def run(sd, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        always = ("--model", sd, "--steps", 2, "--force", "--encoder", "embedded")
        code = main([str(word) for word in ("generate", *argv, *always)])
        return (code, *capsys.readouterr())

    return run


def pixels(name):
    with Image.open(name) as image:
        return image.convert("RGB").tobytes(), image.text["parameters"]


@pytest.fixture
def alone(sd, capsys, monkeypatch, tmp_path):
    """Draw a prompt with single seeds, one by one."""
    monkeypatch.chdir(tmp_path)

    def alone(seeds):
        for seed in seeds:
            name = f"alone-{seed}.png"
            words = ("generate", PROMPT, "--model", sd, "--steps", 2, "--seed", seed, "-o", name)
            assert main([str(word) for word in words]) == 0
        capsys.readouterr()
        images = [Image.open(f"alone-{seed}.png").convert("RGB") for seed in seeds]
        scores = clip_score(load_encoder(), images, PROMPT, dialect="a1111").tolist()
        return dict(zip(seeds, scores, strict=True))

    return alone


def test_the_nearest_is_kept_with_its_seed(run, alone):
    scores = alone(range(5, 9))
    best = max(scores, key=scores.get)

    code, out, err = run(PROMPT, "--seed", 5, "--best-of", 4, "-o", "best.png")

    assert (code, out) == (0, "best.png\n")
    assert pixels("best.png") == pixels(f"alone-{best}.png")
    ranked = sorted(scores, key=lambda seed: -scores[seed])
    shown = ", ".join(f"{seed} {scores[seed]:.4f}" for seed in ranked)
    assert f"clipcond: seed and score: {shown}\n" in err


def test_several_pictures_have_candidates_of_their_own(run, alone):
    scores = alone(range(4))

    code, out, _ = run(PROMPT, "--count", 2, "--best-of", 2, "-o", "c.png", "--json")

    made = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["path"] for each in made] == ["c-1.png", "c-2.png"]
    for each, seeds in zip(made, ([0, 1], [2, 3]), strict=True):
        assert [own["seed"] for own in each["candidates"]] == seeds
        for own in each["candidates"]:
            assert own["score"] == pytest.approx(scores[own["seed"]], abs=1e-5)
        assert each["seed"] == max(seeds, key=scores.get)
        assert each["score"] == max(own["score"] for own in each["candidates"])
        assert pixels(each["path"]) == pixels(f"alone-{each['seed']}.png")


def test_of_a_file_a_bad_line_leaves_the_others(run, tmp_path):
    (tmp_path / "prompts.txt").write_text(f"{PROMPT}\n\n(:1.2)\na dog\n")

    code, out, err = run("--prompts", "prompts.txt", "--best-of", 2, "-o", "f.png")

    assert code == 1
    assert [json.loads(line)["path"] for line in out.splitlines()] == ["f-1.png", "f-4.png"]
    assert "line 3: " in err
    assert "the prompt has no text that could be scored" in err


def test_a_prompt_without_text_draws_nothing(run, monkeypatch):
    monkeypatch.setattr(best_of, "_draw", lambda *_: pytest.fail("it was drawn"))

    code, out, err = run("(:1.2)", "--best-of", 2)

    assert (code, out) == (2, "")
    assert "the prompt has no text that could be scored" in err


def test_black_pictures_are_never_the_best(run, monkeypatch):
    draw, black = best_of._draw, Image.new("RGB", (16, 16))
    monkeypatch.setattr(best_of, "_draw", lambda *a: [black, *draw(*a)[1:]])
    code, out, _ = run("black background", "--best-of", 2, "--json")
    made = json.loads(out)
    assert (code, made["seed"]) == (0, 1)
    assert made["candidates"][0] == {"seed": 0, "score": -1.0}

    monkeypatch.setattr(best_of, "_draw", lambda *a: [black, black])
    code, out, err = run("black background", "--best-of", 2)
    assert (code, out) == (1, "")
    assert "all 2 pictures are black" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["a cat", "--best-of", "0"], "--best-of"),
        (["a cat", "--encoder", "embedded"], "--encoder goes with --best-of"),
        (["a cat", "--best-of", "2", "--model", "."], "name one with --encoder"),
        (["a cat", "--best-of", "2", "--model", ".", "--encoder", "none"], "there is no file or"),
        (
            ["a cat", "--best-of", "2", "--count", "2", "--seed", str(2**64 - 3)],
            f"--seed plus --count times --best-of goes beyond {2**64 - 1}",
        ),
    ],
)
def test_wrong_use_says_what_is_wrong(capsys, monkeypatch, tmp_path, argv, message):
    monkeypatch.chdir(tmp_path)

    code = main(["generate", *argv])

    out, err = capsys.readouterr()
    assert (code, out) == (1 if "none" in argv else 2, "")
    assert message in err
