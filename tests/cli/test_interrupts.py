"""Ctrl-C ends a command as interrupted; an EOFError of a library does not look like it."""

from pathlib import Path

import pytest

from clipcond import training
from clipcond.cli import checkpoints, main
from clipcond.errors import TrainingError
from clipcond.training import LoopSettings
from clipcond.training.settings import MAX_SEED

ALIGN = ["align", "--tower", "T", "--pairs", "pairs.tsv", "-o", "out.safetensors"]


@pytest.fixture
def failing(monkeypatch):
    """Let the checkpoint, align and tune-tower commands fail with an error."""

    def fail_with(error: BaseException) -> None:
        def fails(*_, **__):
            raise error

        monkeypatch.setattr(checkpoints, "checkpoint_report", fails)
        monkeypatch.setattr(training, "read_pairs", fails)
        monkeypatch.setattr(training, "read_captions", fails)

    return fail_with


COMMANDS = (
    ["checkpoint", "x"],
    ["checkpoint", "x", "--json"],
    ALIGN,
    [*ALIGN, "--seed", "7"],
    ["tune-tower", "--vision", "V", *ALIGN[1:]],
)


def test_an_end_of_file_is_no_interrupt(failing, capsys):
    messages = ("No data left in file", "", "Ran out of input", "EOF when reading a line")
    more = ("Compressed file ended before the end-of-stream marker was reached", "read over buffer")
    for error in map(EOFError, (*messages, *more)):
        failing(error)
        for command in COMMANDS:
            assert main(command) == 1, command
            first, second = capsys.readouterr().err.strip().splitlines()
            assert first.rstrip() == f"clipcond: unexpected EOFError: {error}".rstrip()
            assert second == "Set CLIPCOND_TRACEBACK=1 to see where it comes from."


def test_an_interrupt_is_one(failing, capsys):
    failing(KeyboardInterrupt())
    for command in COMMANDS:
        assert main(command) == 130
        assert capsys.readouterr().err.strip() == "clipcond: interrupted"


def test_the_traceback_of_an_end_of_file(failing, monkeypatch):
    monkeypatch.setenv("CLIPCOND_TRACEBACK", "1")
    failing(EOFError("No data left in file"))
    with pytest.raises(EOFError, match="No data left in file"):
        main(COMMANDS[0])


def test_seeds_that_no_generator_takes(capsys):
    for command in (ALIGN, ["tune-tower", "--vision", "V", *ALIGN[1:]]):
        for seed in ("9" * 30, str(MAX_SEED + 1), "-1", "1.5", "x"):
            assert main([*command, "--seed", seed]) == 2
            assert "Invalid value for '--seed'" in capsys.readouterr().err
    assert LoopSettings(seed=MAX_SEED).seed == 2**64 - 1
    for wrong in (MAX_SEED + 1, -1, 1.5, "3", None, True):
        with pytest.raises(TrainingError, match=r"^seed is (a whole number|at )"):
            LoopSettings(seed=wrong)  # type: ignore[arg-type]


def test_outputs_that_no_system_takes(tmp_path, capsys):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("a cat\t猫\n", encoding="utf-8")
    names = ("x" * 300 + ".safetensors", "~nosuchuser/a.safetensors", "a\0.safetensors")
    for output in names:
        for more in ([], ["--run", str(Path("y" * 300))]):
            command = ["align", "--tower", "T", "--pairs", str(pairs), "-o", output, *more]
            assert main(command) == (2 if "\0" in output else 1)
            error = capsys.readouterr().err
            assert error.startswith("clipcond: ")
            assert "unexpected" not in error
