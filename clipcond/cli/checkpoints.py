"""`clipcond checkpoint`: what is inside a file, is it the same tower, one tower out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond.cli.checkpoint_summary import CheckpointReport, checkpoint_report
from clipcond.cli.console import waiting
from clipcond.errors import CheckpointError

__all__ = ["checkpoint"]


def checkpoint(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.")],
    other: Annotated[
        str | None,
        typer.Argument(help="With --hash: a file, folder or Hub id to compare with."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    hashed: Annotated[
        bool,
        typer.Option("--hash", help="Hash the towers, and look them up or compare with OTHER."),
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option("--known", help='Your own hashes: a JSON file, {"<hash>": "name", ...}.'),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--extract",
            metavar="OUT",
            help="Write one tower to OUT.safetensors, or with its config to a folder OUT.",
        ),
    ] = None,
    part: Annotated[
        int | None, typer.Option("--part", min=1, metavar="N", help="The tower's number.")
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", help="For --extract: gelu or quick_gelu, if untold."),
    ] = None,
    full_depth: Annotated[
        bool,
        typer.Option("--full-depth", help="Also the 24th layer and projection of SD2's tower."),
    ] = False,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Read weights out of a .pt or .ckpt file.")
    ] = False,
) -> None:
    """Show which text towers a file holds, from its header alone."""
    if other is not None and not hashed:
        raise typer.BadParameter(f"{other!r} is compared with --hash")
    report = checkpoint_report(file, part=part, allow_pickle=allow_pickle)
    told = report.json()
    if hashed:
        with waiting("reading"):
            names = _names(known)
            found = list(_hashes(report, other, names, allow_pickle))
        for entry, more in zip(told["towers"], found, strict=True):
            entry.update(more)
    if target is not None:
        with waiting("writing"):
            told["extracted"] = _extracted(
                file, target, part=part, activation=activation, full_depth=full_depth,
                allow_pickle=allow_pickle,
            )  # fmt: skip
    if as_json:
        print(json.dumps(told))
    else:
        print(report.table() + "".join(_lines(told)), end="")


def _hashes(
    report: CheckpointReport, other: str | None, names: dict[str, str], allow_pickle: bool
) -> Iterator[dict[str, Any]]:
    """For each tower of a report its hash and name, or how it compares with another file's."""
    from clipcond.checkpoints.hashes import tower_hash, tower_weights
    from clipcond.checkpoints.single_file import open_file
    from clipcond.checkpoints.tower_choice import TowerChoice

    for tower in report.towers:
        if tower.problem:
            yield {}
            continue
        # the activation changes no tensor: any will do
        choice = TowerChoice(tower.part, activation="gelu", allow_pickle=allow_pickle)
        weights = tower_weights(open_file(report.contents.header.path, choice, name=str(tower)))
        if other is None:
            found = tower_hash(weights)
            yield {"hash": found, "known_as": names.get(found)}
        else:
            yield {"comparison": _compared(weights, tower.sizes.width, other, allow_pickle)}


def _compared(weights: Any, width: int, other: str, allow_pickle: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from clipcond.checkpoints import load_tower
    from clipcond.checkpoints.hashes import compare, tower_weights
    from clipcond.checkpoints.single_file import open_file
    from clipcond.checkpoints.tower_choice import TowerChoice

    path, called = Path(other), other
    if path.is_file():
        towers = checkpoint_report(path, allow_pickle=allow_pickle).towers
        alike = [tower for tower in towers if tower.sizes.width == width]
        if not alike:
            return {"with": other, "told": f"no tower there is {width} wide"}
        choice = TowerChoice(alike[0].part, activation="gelu", allow_pickle=allow_pickle)
        theirs = open_file(path, choice, name=other)
        called = f"{other}#{alike[0].part}"
    else:
        theirs = load_tower(other, allow_pickle=allow_pickle)
    found = compare(weights, tower_weights(theirs))
    return {"with": called, "told": str(found), **asdict(found)}


def _extracted(file: Path, target: Path, **choices: Any) -> list[str]:
    from clipcond.checkpoints.extraction import extract
    from clipcond.checkpoints.single_file import open_file
    from clipcond.checkpoints.tower_choice import TowerChoice

    if target.exists() and target.resolve() in (file.resolve(), file.resolve().parent):
        raise CheckpointError(f"{str(target)!r} is where the tower comes from", target)
    tower = open_file(file, TowerChoice(**choices), name=file.stem)
    return [str(path) for path in extract(tower, target)]


def _names(path: Path | None) -> dict[str, str]:
    """Hashes that have a name: ours, and those of a JSON file."""
    from clipcond.checkpoints.hashes import KNOWN
    from clipcond.files import read_json

    own = {} if path is None else read_json(path)
    return {**KNOWN, **{str(key): str(value) for key, value in own.items()}}


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """What was hashed, compared and written, below the table."""
    for tower in told["towers"]:
        if "hash" in tower:
            name = tower["known_as"] or "not in the table of known towers"
            yield f"#{tower['part']} sha256 of float16: {tower['hash']}\n    {name}\n"
        if "comparison" in tower:
            found = tower["comparison"]
            yield f"#{tower['part']} and {found['with']}: {found['told']}\n"
    for path in told.get("extracted", ()):
        yield f"wrote {path}\n"
