"""`clipcond tune-tower`: fine-tune a text tower on captions, by the objective of CLIP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["tune_tower"]


def tune_tower(
    tower: Annotated[str, typer.Option("--tower", metavar="T", help="The tower to train.")],
    vision: Annotated[
        str,
        typer.Option(
            "--vision",
            metavar="V",
            help="The frozen vision tower: a folder of CLIP or ChineseCLIP, or embedded.",
        ),
    ],
    pairs: Annotated[
        Path,
        typer.Option(
            "--pairs",
            metavar="FILE",
            help="Pictures and captions: .tsv, or columns image and text of .jsonl, .parquet.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The trained tower's folder.")],
    steps: Annotated[int, typer.Option("--steps", min=1)] = 2000,
    batch: Annotated[
        int, typer.Option("--batch", min=2, help="Captions a step, each other's negatives.")
    ] = 128,
    lr: Annotated[float, typer.Option("--lr", help="Peak learning rate.")] = 5e-5,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Of cosines, at first; it is learned.")
    ] = 0.07,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda or mps.")] = None,
    precision: Annotated[str | None, typer.Option("--precision", help="no, fp16 or bf16.")] = None,
    save_every: Annotated[
        float,
        typer.Option("--save-every", min=0, metavar="SECONDS", help="Between checkpoints."),
    ] = 120.0,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="FOLDER",
            help="Checkpoints; the same command goes on where it stopped.",
            show_default="beside the output",
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep that folder afterwards.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="The output may be replaced.")
    ] = False,
    tensorboard: Annotated[Path | None, typer.Option("--tensorboard", metavar="FOLDER")] = None,
    image_column: Annotated[
        str | None, typer.Option("--image-column", metavar="NAME", show_default="image")
    ] = None,
    text_column: Annotated[
        str | None, typer.Option("--text-column", metavar="NAME", show_default="text")
    ] = None,
    max_bad: Annotated[
        int | None,
        typer.Option(
            "--max-bad",
            min=0,
            help="Pairs that may be skipped because they cannot be used.",
            show_default="1 % of the lines, or 10",
        ),
    ] = None,
) -> None:
    """Fine-tune a text tower against a frozen vision tower."""
    from clipcond.training import LoopSettings, TuneSettings, read_captions
    from clipcond.training import tune_tower as train
    from clipcond.training.reporting import is_main_process

    loop = LoopSettings(
        seed=seed,
        device=device,
        precision=precision,
        save_every=save_every,
        tensorboard=str(tensorboard) if tensorboard else None,
    )
    found = read_captions(
        pairs, image_column=image_column, text_column=text_column, max_bad=max_bad
    )
    settings = TuneSettings(steps=steps, batch=batch, lr=lr, temperature=temperature)
    reached = train(
        tower, vision, found, output, settings=settings, loop=loop, run=run, keep=keep,
        overwrite=overwrite,
    )  # fmt: skip
    if is_main_process():
        print(output)
        for name, value in reached.items():
            print(f"{name} {value:.4f}")
