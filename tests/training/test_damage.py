"""Damaged files of runs and pairs: the result of undamaged ones, or one of our errors."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from clipcond.errors import ClipcondError, ClipcondWarning, PairsError, TrainingError
from clipcond.training import LoopSettings, read_pairs
from clipcond.training.accelerator import own_accelerate
from clipcond.training.checkpoint import CHECKPOINT, write_checkpoint
from clipcond.training.loop import Loop
from clipcond.training.run_folder import load_or_compute
from clipcond.training.stage import Losses, Objective, Stage

STAGES = (Stage("first", 3, 1e-2, has_muon=True), Stage("second", 4, 1e-2))
REFUSED = r"^the checkpoint '.*checkpoint\.pt' cannot be read: "


class Stop(Exception):
    """Ends a run from within."""


class Drift(Objective):
    """Follow the sum of all inputs drawn so far; ends the run when no steps are left."""

    def __init__(self, steps: Iterator[int]) -> None:
        self.sum, self.steps = torch.zeros(3), steps

    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        if next(self.steps, None) is None:
            raise Stop
        inputs = torch.tensor([rng.random() for _ in range(3)])
        self.sum = self.sum + inputs
        return {"loss": (model(inputs) - self.sum).square().mean()}

    def state(self) -> dict[str, torch.Tensor]:
        return {"sum": self.sum}

    def load(self, state) -> None:
        self.sum = state["sum"].clone()


def train(folder: Path, end: int = 99, save_every: float = 1e9) -> bytes:
    """Train a layer through both stages, or what is left of them: its weights."""
    torch.manual_seed(0)
    model, settings = nn.Linear(3, 3), LoopSettings(device="cpu", quiet=True, save_every=save_every)
    loop = Loop(folder, {"of": "these"}, settings, model)
    steps = iter(range(end))
    for stage in STAGES:
        loop.run(stage, Drift(steps), lambda: {"weight": float(model.weight.detach().sum())})
    return model.weight.detach().numpy().tobytes()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Iterator[tuple[bytes, list[bytes]]]:
    """(weights of a whole run, checkpoints within both stages and between them)."""
    folder, checkpoints = tmp_path_factory.mktemp("runs"), []
    with own_accelerate():
        whole = train(folder / "whole")
        for end, save_every in ((2, 0.0), (3, 1e9), (5, 0.0)):
            with pytest.raises(Stop):
                train(folder / str(end), end, save_every)
            checkpoints.append((folder / str(end) / CHECKPOINT).read_bytes())
        yield whole, checkpoints


def attempt(action: Callable[[], object]) -> object:
    """What an action returns, or our error."""
    try:
        return action()
    except ClipcondError as error:
        return error


def mutants(content: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Damage a file in n ways: flipped bits, cuts, zeroed, doubled and other pieces."""
    rng = random.Random(seed)
    for i in range(n):
        changed = bytearray(content)
        at, size = rng.randrange(len(content)), rng.randrange(1, 64)
        if i % 6 < 2:
            changed[at] ^= 1 << rng.randrange(8)
        elif i % 6 == 2:
            del changed[at:]
        elif i % 6 == 3:
            changed[at : at + size] = bytes(len(changed[at : at + size]))
        elif i % 6 == 4:
            changed[at:at] = changed[at : at + size]
        else:
            changed[at : at + size] = rng.randbytes(size)
        yield bytes(changed)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_refused_or_does_no_harm(tmp_path, runs):
    whole, checkpoints = runs
    n_same, wrong = 0, []
    for i, content in enumerate([b"", *checkpoints]):
        for changed in mutants(content, 90, i) if content else [b""]:
            (tmp_path / CHECKPOINT).write_bytes(changed)
            found = attempt(lambda: train(tmp_path))
            n_same += found == whole
            if found != whole and not str(found).startswith("the checkpoint '"):
                wrong.append((changed, found))

    assert not wrong
    assert n_same > 3  # bits of no meaning do no harm: not everything is refused


def changes() -> Iterator[tuple[str, object]]:
    """Parts of a checkpoint, each missing or with a value that it cannot have."""
    for part in ("keys", "stage", "step", "model", "finished", "seconds"):
        yield part, ...
    for part in ("optimizer", "average", "objective", "smoothed", "scaler"):
        yield part, ...
        yield part, 5
    for step in (10**9, -5, 0, 4, True, 1.5, "2", None):
        yield "step", step
    for stage in ("third", "", "first", 7, None):
        yield "stage", stage
    for value in (None, [], 7, "x", {}, {"weight": 1}, {"weight": torch.zeros(2, 2)}):
        yield "model", value
    yield "finished", {"first": {"weight": float("nan")}}
    yield "finished", {"first": 3}
    yield "seconds", -1.0
    yield "seconds", float("inf")
    yield "average", [torch.zeros(3)]
    yield "average", [torch.zeros(1), torch.zeros(3)]
    yield "objective", []
    yield "objective", [{}]
    yield "smoothed", {"loss": "much"}
    yield "optimizer", {"state": {}, "param_groups": []}


def test_a_checkpoint_with_a_part_missing_or_wrong_is_refused(tmp_path, runs):
    _, (*_, content) = runs
    (tmp_path / CHECKPOINT).write_bytes(content)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    checksum = state.pop("sha256")
    accepted = []
    for part, value in changes():
        changed = {name: each for name, each in state.items() if name != part or value is not ...}
        changed |= {} if value is ... else {part: value}
        write_checkpoint(tmp_path / CHECKPOINT, changed)  # with the right checksum
        for saved in (None, {**changed, "sha256": checksum}, changed):
            if saved is not None:
                torch.save(saved, tmp_path / CHECKPOINT)
            found = attempt(lambda: train(tmp_path))
            if "\nDelete it to start over" not in str(found):
                accepted.append((part, value, found))

    assert not accepted


def test_why_a_checkpoint_is_refused(tmp_path, runs):
    _, (*_, content) = runs
    path = tmp_path / CHECKPOINT
    path.write_bytes(content)
    state = torch.load(path, weights_only=True)
    state.pop("sha256")

    def reason() -> str:
        with pytest.raises(TrainingError, match=REFUSED) as caught:
            train(tmp_path)
        return str(caught.value).splitlines()[0].split("cannot be read: ")[1]

    torch.save(state, path)
    assert reason() == "it has no checksum, as those of older versions"
    torch.save({**state, "sha256": "0" * 64}, path)
    assert reason() == "it is damaged, its checksum is another"
    write_checkpoint(path, {**state, "step": 10**9})
    assert reason() == "it is at step 1000000000 of 'second', not in 'second'"
    write_checkpoint(path, {**state, "stage": "third"})
    assert reason() == "it is at step 2 of 'third', not in 'second'"
    write_checkpoint(path, {name: state[name] for name in state if name != "model"})
    assert reason() == "its 'model' is missing"
    path.write_bytes(b"")
    assert reason()
    path.unlink()
    path.mkdir()
    assert reason() == "it is no file"


def rows_of(some: range) -> np.ndarray:
    found = np.zeros(len(some), [("tower", "<f2", (5,)), ("mask", "<f2")])
    found["tower"] += np.array(some)[:, None]
    return found


def test_damaged_arrays_are_made_again(tmp_path):
    def load(keys, *, writes: bool) -> np.ndarray:
        return load_or_compute(tmp_path / "latents", 9, keys, rows_of, 4, len_of, writes=writes)

    def len_of(_: int) -> None:
        pass

    found = load({"of": "these"}, writes=True)
    path, expected = Path(found.filename), rows_of(range(9))
    content = path.read_bytes()
    n_same = 0
    for changed in [b"", content[:-32], *mutants(content, 130, 7)]:
        path.write_bytes(changed)
        found = attempt(lambda: load({"of": "these"}, writes=False))
        if isinstance(found, TrainingError):
            assert str(found) == f"there is no file {str(path)!r}, or it is damaged"
            with pytest.warns(ClipcondWarning, match="is damaged, or has no checksum"):
                found = load({"of": "these"}, writes=True)
        else:
            n_same += 1
        assert np.array_equal(found, expected)
        assert path.read_bytes() == content
    assert n_same < 10  # a mutant may be the same file: zeros put over zeros


def test_an_array_of_another_run_is_not_taken(tmp_path):
    load = {"n": 2, "compute": rows_of, "n_at_once": 2, "advance": lambda _: None, "writes": True}
    ours = Path(load_or_compute(tmp_path / "a", keys={"of": 1}, **load).filename)
    theirs = Path(load_or_compute(tmp_path / "b", keys={"of": 2}, **load).filename)
    ours.write_bytes(theirs.read_bytes())

    with pytest.warns(ClipcondWarning, match="is damaged"):
        load_or_compute(tmp_path / "a", keys={"of": 1}, **load)


def test_damaged_parquet(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "pairs.parquet"
    texts = {side: [f"{side} {i}" for i in range(40)] for side in ("teacher", "tower")}
    parquet.write_table(arrow.table(texts), path, write_page_checksum=True)
    content, whole = path.read_bytes(), read_pairs(path).pairs
    wrong, n_same = [], 0
    for changed in mutants(content, 150, 3):
        path.write_bytes(changed)
        found = attempt(lambda: read_pairs(path).pairs)
        n_same += found == whole
        if found != whole and not isinstance(found, PairsError):
            wrong.append((changed, found))

    assert not wrong
    assert n_same


def test_what_is_said_of_parquet_that_is_none(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "pairs.parquet"
    for content in (b"", b"PAR1", b"a cat\tcat\n", bytes(99), b"PAR1" + bytes(40) + b"PAR1"):
        path.write_bytes(content)
        found = attempt(lambda: read_pairs(path))
        assert isinstance(found, PairsError)
        assert str(found).startswith(f"{str(path)!r} cannot be read: ")
        assert len(str(found).splitlines()) == 1


def test_paths_in_pairs_that_no_system_takes(tmp_path):
    path = tmp_path / "pairs.jsonl"
    images = ("~nosuchuser/a.png", "x" * 5000, "a\\u0000b", "/", "")
    rows = [f'{{"teacher": "a", "tower": "b", "image": "{image}"}}' for image in images]
    path.write_text("\n".join(rows), encoding="utf-8")
    pairs = read_pairs(path)

    assert [pair.line for pair in pairs.pairs] == [5]
    assert [bad.line for bad in pairs.bad] == [1, 2, 3, 4]
    assert all(bad.reason.startswith("there is no picture ") for bad in pairs.bad)
    for name in ("~nosuchuser/a.tsv", "x" * 300, "a\0b", None, b"a.tsv", tmp_path / ("y" * 300)):
        with pytest.raises(PairsError):
            read_pairs(name)  # type: ignore[arg-type]
