"""clipcond interrogate: a prompt on standard output, JSON, lists of words, messages."""

import json

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.reading import interrogate, load_encoder


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (80, 64), (214, 46, 48)).save("red.png")

    def run(*argv):
        code = main(["interrogate", *(str(word) for word in argv)])
        return (code, *capsys.readouterr())

    return run


def test_a_prompt_is_printed(run, tmp_path):
    found = interrogate(load_encoder(), tmp_path / "red.png")

    assert run("red.png") == (0, f"{found.prompt}\n", "")
    code, out, _ = run("red.png", "--json")
    shown = json.loads(out)
    assert code == 0
    assert (shown["encoder"], shown["file"]) == ("embedded", "red.png")
    assert (shown["prompt"], shown["score"]) == (found.prompt, found.score)
    assert shown["phrases"] == {kind: list(own) for kind, own in found.phrases.items()}
    best = found.ranked["backgrounds"][0]
    assert shown["ranked"]["backgrounds"][0] == {"text": best[0], "score": best[1]}
    assert len(shown["ranked"]["nouns"]) == 10
    assert shown["caption"] is None


def test_words_come_from_files_in_the_syntax_of_a_dialect(run, tmp_path):
    (tmp_path / "mine.txt").write_text("(red) background\n")
    words = ("red.png", "--words", "mine.txt", "--beam", 1)

    assert run(*words)[:2] == (0, "\\(red\\) background\n")
    assert run(*words, "--dialect", "plain")[:2] == (0, "(red) background\n")


def test_in_chinese(run, tmp_path):
    (tmp_path / "颜色.txt").write_text("红色背景\n蓝色背景\n", encoding="utf-8")

    code, out, _ = run("red.png", "--encoder", "embedded-zh", "--words", "颜色.txt")

    assert (code, out) == (0, "红色背景\n")


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["none.png"], 1, "there is no picture 'none.png'"),
        (["red.png", "--words", "noun"], 2, "Did you mean 'nouns'?"),
        (["red.png", "--words", "none.txt"], 1, "'none.txt' cannot be read"),
        (["red.png", "--beam", "0"], 2, "--beam"),
        (["red.png", "--dialect", "a111"], 2, "Did you mean 'a1111'?"),
        (["red.png", "--captioner", "."], 1, "there is no config.json"),
        (["red.png", "--encoder", "nothing"], 1, "there is no file or folder"),
    ],
)
def test_wrong_use_says_what_is_wrong(run, argv, code, message):
    found, out, err = run(*argv)

    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
