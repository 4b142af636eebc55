"""Define `clipcond checkpoint`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond.cli.checkpoint_summary import CheckpointReport, checkpoint_report
from clipcond.cli.console import waiting
from clipcond.cli.options import AllowPickle, AsJson
from clipcond.errors import CheckpointError
from clipcond.files import read_json

if TYPE_CHECKING:
    from torch import Tensor


def checkpoint(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.")],
    other: Annotated[
        str | None, typer.Argument(help="With --hash: a file, folder or Hub id to compare with.")
    ] = None,
    as_json: AsJson = False,
    hashed: Annotated[
        bool,
        typer.Option("--hash", help="Hash the towers, and look them up or compare with OTHER."),
    ] = False,
    known: Annotated[
        Path | None, typer.Option(help='Your own hashes: a JSON file, {"<hash>": "name", ...}.')
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
        int | None, typer.Option(min=1, metavar="N", help="The tower's number.")
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(help="For --extract: gelu or quick_gelu, if the file does not say."),
    ] = None,
    full_depth: Annotated[
        bool,
        typer.Option("--full-depth", help="Also the 24th layer and projection of SD2's tower."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="OUT may be replaced.")] = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Show which text towers a file holds, from its header alone."""
    if other is not None and not hashed:
        raise typer.BadParameter(f"{other!r} is compared with --hash")
    report = checkpoint_report(file, part=part, allow_pickle=allow_pickle)
    results = report.json()
    if hashed:
        with waiting("reading"):
            hashes = list(_hash_towers(report, other, known, allow_pickle))
        for entry, more in zip(results["towers"], hashes, strict=True):
            entry.update(more)
    if target is not None:
        with waiting("writing"):
            results["extracted"] = _extract(
                file, target, force, part=part, activation=activation, full_depth=full_depth,
                allow_pickle=allow_pickle,
            )  # fmt: skip
    if as_json:
        print(json.dumps(results))
    else:
        print(report.table() + "".join(_result_lines(results)), end="")


def _hash_towers(
    report: CheckpointReport, other: str | None, known: Path | None, allow_pickle: bool
) -> Iterator[dict[str, Any]]:
    """Yield for each tower its hash and name, or its comparison with another file's tower."""
    from clipcond.checkpoints.hashes import KNOWN, tower_hash, tower_weights
    from clipcond.checkpoints.single_file import open_file
    from clipcond.checkpoints.tower_choice import TowerChoice

    names = KNOWN if known is None else {**KNOWN, **read_json(known)}
    for tower in report.towers:
        if tower.problem:
            yield {}
            continue
        # The activation is no tensor: any will do.
        choice = TowerChoice(tower.part, activation="gelu", allow_pickle=allow_pickle)
        weights = tower_weights(open_file(report.contents.header.path, choice, name=str(tower)))
        if other is None:
            digest = tower_hash(weights)
            name = names.get(digest)
            yield {"hash": digest, "known_as": None if name is None else str(name)}
        else:
            yield {"comparison": _compare(weights, tower.sizes.width, other, allow_pickle)}


def _compare(
    weights: Mapping[str, Tensor], width: int, other: str, allow_pickle: bool
) -> dict[str, Any]:
    from dataclasses import asdict

    from clipcond.checkpoints import load_tower
    from clipcond.checkpoints.hashes import compare, tower_weights

    name, part = other, None
    if Path(other).is_file():
        towers = checkpoint_report(Path(other), allow_pickle=allow_pickle).towers
        part = next((tower.part for tower in towers if tower.sizes.width == width), None)
        if part is None:
            return {"with": other, "summary": f"no tower there is {width} wide"}
        name = f"{other}#{part}"
    activation = None if part is None else "gelu"
    theirs = load_tower(other, part=part, activation=activation, allow_pickle=allow_pickle)
    comparison = compare(weights, tower_weights(theirs))
    return {"with": name, "summary": str(comparison), **asdict(comparison)}


def _extract(file: Path, target: Path, force: bool, **choices: Any) -> list[str]:
    from clipcond.checkpoints.extraction import extract
    from clipcond.checkpoints.single_file import open_file
    from clipcond.checkpoints.tower_choice import TowerChoice

    if target.exists() and target.resolve() in (file.resolve(), file.resolve().parent):
        raise CheckpointError(f"{str(target)!r} is where the tower comes from", target)
    if not force and (target.is_file() or (target / "model.safetensors").exists()):
        message = f"{str(target)!r} exists. Say --force to replace it, or another OUT."
        raise CheckpointError(message, target)
    tower = open_file(file, TowerChoice(**choices), name=file.stem)
    return [str(path) for path in extract(tower, target)]


def _result_lines(results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines below the table: hashes, comparisons and written files."""
    for tower in results["towers"]:
        if "hash" in tower:
            name = tower["known_as"] or "not in the table of known towers"
            yield f"#{tower['part']} sha256 of float16: {tower['hash']}\n    {name}\n"
        if "comparison" in tower:
            comparison = tower["comparison"]
            yield f"#{tower['part']} and {comparison['with']}: {comparison['summary']}\n"
    for path in results.get("extracted", ()):
        yield f"wrote {path}\n"
