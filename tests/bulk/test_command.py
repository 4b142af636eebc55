"""`clipcond generate --prompts FILE -o FOLDER`: what goes with it, and what it prints."""

import json

import pytest

from clipcond.cli.entry import main


@pytest.fixture
def run(capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    (tmp_path / "a.tsv").write_text("Prompt\tNr\tKind\na cat\t4\tanimal\na (cat:1.2.3)\t5\tx\n")

    def run(*arguments):
        code = main(["generate", *map(str, arguments)])
        return code, *capfd.readouterr()

    return run


def test_a_list_is_drawn_into_a_folder(run, tmp_path):
    command = ("--prompts", "a.tsv", "-o", "out", "--steps", 1, "--column", "seed=Nr")
    code, out, err = run(*command, "--count", 2, "--files", "jpg")
    assert code == 0, err
    assert out.startswith("2 pictures in out, 0.0 MiB: see metadata.jsonl there\n2 of them new, ")
    assert out.endswith("1 rejected: see out/rejected.jsonl\n")
    assert "prompt 2 of 2, 0 s left" in err
    first, second = map(json.loads, (tmp_path / "out/metadata.jsonl").read_text().splitlines())
    assert (first["seed"], second["seed"]) == (4, 5)
    assert first["columns"] == {"Kind": "animal"}
    assert (tmp_path / "out" / second["file_name"]).name == "0000001-2.jpg"

    code, out, _ = run(*command, "--count", 2, "--files", "jpg", "--json")
    assert (code, json.loads(out)["n_new"]) == (0, 0)
    code, _, err = run(*command, "--files", "jpg")
    assert code == 1
    assert "'out' holds other pictures: count is 2 there, 1 here" in err
    code, _, err = run(*command, "--count", 2, "--files", "jpg", "--max-bad", 0)
    assert code == 1
    assert "1 prompt cannot be drawn; 0 may be\n  a.tsv, line 3: '1.2.3'" in err
    assert "allow more with --max-bad." in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a", "--prompts", "a.tsv", "-o", "out"], 2, "a prompt does not go with --prompts FILE"),
        (["--prompts", "a.tsv", "-o", "out", "--force"], 2, "--force does not go with --prompts"),
        (["--prompts", "a.tsv", "-o", "out", "--best-of", "2"], 2, "--best-of does not go with"),
        (["--prompts", "-", "-o", "out"], 2, "standard input cannot be read again"),
        (["--prompts", "a.tsv", "-o", "out", "--seed", "-1"], 2, "no random one"),
        (["--prompts", "a.tsv", "-o", "out", "--workers", "2"], 2, "go with --engine ray"),
        (["--prompts", "a.tsv", "-o", "out", "--column", "sed=Nr"], 1, "no column of kind 'sed'"),
        (["--prompts", "a.tsv", "-o", "out", "--column", "x"], 1, "no column 'x'; it has Prompt"),
        (["--prompts", "a.tsv", "-o", "out", "--files", "gif"], 2, "no kind of files 'gif'"),
        (["--prompts", "a.tsv", "-o", "out", "--engine", "rey"], 2, "no engine 'rey'"),
        (["--prompts", "a.tsv"], 1, "'a.tsv' is drawn into a folder, not to 'out.png'"),
        (["--prompts", "a.tsv", "-o", "x.gif"], 2, "'x.gif': pictures are written as .png"),
        (["--prompts", "none.tsv", "-o", "out"], 1, "there is no file or folder 'none.tsv'"),
        (["a cat", "-o", "out"], 2, "'out': pictures are written as .png"),
        (["a cat", "--engine", "ray"], 2, "--engine goes with --prompts FILE -o FOLDER"),
        (["a cat", "--batch-size", "4"], 2, "--batch-size goes with --prompts FILE -o FOLDER"),
    ],
)
def test_what_does_not_go_together_is_said(run, tmp_path, arguments, code, message):
    found, _, err = run(*arguments)
    assert (found, message in err) == (code, True), err
    assert not (tmp_path / "out").exists()
