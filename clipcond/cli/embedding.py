"""Define `clipcond embed`: captions by the million into a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond.cli.console import waiting
from clipcond.cli.options import (
    AllowPickle,
    AsJson,
    ClipSkip,
    Dialect,
    check_name,
    model_option,
    plain_option,
    reading_option,
)

if TYPE_CHECKING:
    from clipcond.bulk import PictureSummary, Summary

WORK: dict[str, Any] = {"rich_help_panel": "How the work is done"}


def embed(
    captions: Annotated[
        Path,
        typer.Argument(help="A .txt, .tsv, .jsonl or .parquet file, or a folder of them."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="New, or what the same command began: it goes on there.",
        ),
    ],
    column: Annotated[
        str | None,
        plain_option("NAME", "The captions' column in a table.", "caption, text or prompt"),
    ] = None,
    keep: Annotated[
        str, plain_option("FORM", "full, trimmed = without padding, or pooled = one vector.")
    ] = "trimmed",
    dtype: Annotated[
        str, plain_option("NAME", "float32, float16, bfloat16, or int8 with a scale a row.")
    ] = "float16",
    files: Annotated[str, plain_option("KIND", "safetensors or parquet.")] = "safetensors",
    max_bad: Annotated[
        int | None,
        plain_option("N", "Captions that may be rejected.", "1 % of all, or 10", min=0),
    ] = None,
    model: Annotated[
        str,
        model_option("M", "Whose text tower encodes: folder, file or Hub id.", callback=check_name),
    ] = "embedded",
    adapter: Annotated[
        str | None,
        model_option("FILE", "Maps the tower's rows into a UNet's space.", callback=check_name),
    ] = None,
    device: Annotated[str | None, model_option("NAME", "cpu or cuda.", "the best there is")] = None,
    allow_pickle: AllowPickle = False,
    dialect: Dialect = "a1111",
    clip_skip: ClipSkip = None,
    weighting: Annotated[
        str | None, reading_option("W", "Another rule than the dialect's.", "the dialect's")
    ] = None,
    max_chunks: Annotated[
        int | None, reading_option("N", "Longer captions are cut.", "no limit", min=1)
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="local, or ray = Ray Data.", **WORK)
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster, such as auto.", **WORK)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Of Ray.", show_default="one for each GPU", **WORK),
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Captions a file.", **WORK)] = 4096,
    batch_size: Annotated[int, typer.Option(min=1, help="Captions at once.", **WORK)] = 256,
    as_json: AsJson = False,
) -> None:
    """Encode captions by the million into files to train from."""
    if engine != "ray" and (address is not None or workers is not None):
        raise typer.BadParameter("--address and --workers go with --engine ray")
    with waiting("loading"):
        from clipcond.bulk import CaptionEncoder, encode_captions

    encoder = CaptionEncoder(
        model,
        keep=keep,  # type: ignore[arg-type]  # names are checked there
        dtype=dtype,  # type: ignore[arg-type]
        adapter=adapter,
        device=device,
        allow_pickle=allow_pickle,
        dialect=dialect,
        clip_skip=clip_skip,
        weighting=weighting,
        max_chunks=max_chunks,
    )
    summary = encode_captions(
        captions,
        output,
        encoder,
        column=column,
        files=files,
        shard_size=shard_size,
        batch_size=batch_size,
        max_bad=max_bad,
        engine=engine,  # type: ignore[arg-type]
        address=address,
        n_workers=workers,
        progress=True,
    )
    if as_json:
        print(json.dumps({"output": str(output), **asdict(summary), "rate": summary.rate}))
        return
    for line in _lines(summary, output):
        print(line)


def _lines(summary: Summary, output: Path) -> list[str]:
    """Say in some lines how it went."""
    size = summary.n_bytes / 2**20
    lines = [f"{summary.n_captions} captions in {output}, {size:.1f} MiB"]
    if summary.n_new:
        share = summary.tower_share
        limit = "" if share is None else f", {share:.0%} of the time in the text tower"
        lines.append(f"{summary.n_new} of them new, {summary.rate:.0f} a second{limit}")
    if summary.largest_error:
        lines.append(f"largest error of a row by its dtype: {summary.largest_error:.1e}, relative")
    return lines + lines_of_issues(summary, output)


def lines_of_issues(summary: Summary | PictureSummary, output: Path) -> list[str]:
    """Say what was rejected, and what issues there are."""
    rejected = f"{summary.n_rejected} rejected: see {output / 'rejected.jsonl'}"
    issues = [f"{n} with the issue {code!r}" for code, n in sorted(summary.issues.items())]
    return [rejected] * bool(summary.n_rejected) + issues
