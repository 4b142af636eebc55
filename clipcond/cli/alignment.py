"""`clipcond align`: train an adapter that lets a pipeline's UNet read another text tower."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["align"]

TRAINING = "Training"
PAIRS = "Pairs"


def align(
    tower: Annotated[
        str, typer.Option("--tower", metavar="T", help="The tower to read: as for generate.")
    ],
    pairs: Annotated[
        Path,
        typer.Option(
            "--pairs",
            metavar="FILE",
            help="Texts that say the same, the teacher's and the tower's: .tsv, .jsonl, .parquet.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The adapter's .safetensors.")],
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            metavar="PIPE",
            help="The pipeline whose UNet is to read it: folder, .safetensors file or Hub id.",
            show_default="embedded",
        ),
    ] = None,
    adapter: Annotated[
        str, typer.Option("--adapter", metavar="KIND", help="resampler or linear.")
    ] = "resampler",
    hidden: Annotated[
        int | None, typer.Option("--hidden", min=1, help="The resampler's width.")
    ] = None,
    layers: Annotated[
        int | None, typer.Option("--layers", min=1, help="Its blocks.", show_default="2")
    ] = None,
    clip_skip: Annotated[
        list[int] | None,
        typer.Option(
            "--clip-skip",
            min=1,
            help="The layers trained, of tower and teacher. More than once.",
            show_default="1 and 2",
        ),
    ] = None,
    teacher_clip_skip: Annotated[
        list[int] | None,
        typer.Option(
            "--teacher-clip-skip",
            min=1,
            help="The teacher's layers instead, one for all or one for each.",
        ),
    ] = None,
    dialect: Annotated[
        str, typer.Option("--dialect", metavar="D", help="How both sides' prompts are read.")
    ] = "a1111",
    text_steps: Annotated[
        int,
        typer.Option(
            "--text-steps", min=0, help="Steps of the text stage.", rich_help_panel=TRAINING
        ),
    ] = 3000,
    unet_steps: Annotated[
        int,
        typer.Option(
            "--unet-steps",
            min=0,
            help="Steps of the UNet stage; 0 = without.",
            rich_help_panel=TRAINING,
        ),
    ] = 1000,
    text_batch: Annotated[
        int, typer.Option("--text-batch", min=1, help="Pairs a step.", rich_help_panel=TRAINING)
    ] = 64,
    unet_batch: Annotated[
        int, typer.Option("--unet-batch", min=1, help="Pairs a step.", rich_help_panel=TRAINING)
    ] = 16,
    text_lr: Annotated[
        float, typer.Option("--text-lr", help="Peak learning rate.", rich_help_panel=TRAINING)
    ] = 5e-3,
    unet_lr: Annotated[
        float, typer.Option("--unet-lr", help="Peak learning rate.", rich_help_panel=TRAINING)
    ] = 1e-3,
    guidance: Annotated[
        float,
        typer.Option(
            "--guidance",
            help="Of the teacher's own drawing, whose latents the UNet stage sees.",
            rich_help_panel=TRAINING,
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, rich_help_panel=TRAINING)] = 0,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda or mps.", rich_help_panel=TRAINING)
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", help="no, fp16 or bf16.", rich_help_panel=TRAINING),
    ] = None,
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing",
            help="Less memory in the UNet stage, a third more time.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
    cache: Annotated[
        float,
        typer.Option(
            "--cache",
            min=0,
            metavar="GB",
            help="Encoded pairs kept on disk.",
            rich_help_panel=TRAINING,
        ),
    ] = 8.0,
    save_every: Annotated[
        float,
        typer.Option(
            "--save-every",
            min=0,
            metavar="SECONDS",
            help="Between checkpoints.",
            rich_help_panel=TRAINING,
        ),
    ] = 120.0,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="FOLDER",
            help="Checkpoints and encoded pairs; the same command goes on where it stopped.",
            show_default="beside the output",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--start-from",
            metavar="FILE",
            help="An adapter of this tower to train further; kind and sizes are its own.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep that folder afterwards.", rich_help_panel=TRAINING)
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="The output may be replaced.", rich_help_panel=TRAINING),
    ] = False,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="FOLDER", rich_help_panel=TRAINING)
    ] = None,
    teacher_column: Annotated[
        str | None,
        typer.Option(
            "--teacher-column", metavar="NAME", rich_help_panel=PAIRS, show_default="teacher"
        ),
    ] = None,
    tower_column: Annotated[
        str | None,
        typer.Option("--tower-column", metavar="NAME", rich_help_panel=PAIRS, show_default="tower"),
    ] = None,
    image_column: Annotated[
        str | None,
        typer.Option("--image-column", metavar="NAME", rich_help_panel=PAIRS, show_default="image"),
    ] = None,
    max_bad: Annotated[
        int | None,
        typer.Option(
            "--max-bad",
            min=0,
            help="Pairs that may be skipped because they cannot be used.",
            show_default="1 % of the lines, or 10",
            rich_help_panel=PAIRS,
        ),
    ] = None,
    max_chunks: Annotated[
        int,
        typer.Option(
            "--max-chunks", min=1, help="Longer pairs are skipped.", rich_help_panel=PAIRS
        ),
    ] = 4,
) -> None:
    """Train an adapter that lets a pipeline's UNet read another text tower."""
    from clipcond.training import AlignSettings, Columns, LoopSettings, read_pairs
    from clipcond.training import align as train
    from clipcond.training.reporting import is_main_process

    settings = AlignSettings(
        adapter=adapter,
        hidden=hidden,
        layers=layers,
        clip_skips=tuple(clip_skip or (1, 2)),
        teacher_clip_skips=tuple(teacher_clip_skip) if teacher_clip_skip else None,
        dialect=dialect,
        text_steps=text_steps,
        unet_steps=unet_steps,
        text_batch=text_batch,
        unet_batch=unet_batch,
        text_lr=text_lr,
        unet_lr=unet_lr,
        guidance=guidance,
        max_chunks=max_chunks,
        cache_gb=cache,
        gradient_checkpointing=gradient_checkpointing,
    )
    loop = LoopSettings(
        seed=seed,
        device=device,
        precision=precision,
        save_every=save_every,
        tensorboard=str(tensorboard) if tensorboard else None,
    )
    found = read_pairs(pairs, Columns(teacher_column, tower_column, image_column), max_bad=max_bad)
    record = train(
        teacher, tower, found, output, settings=settings, loop=loop, run=run,
        start_from=start_from, keep=keep,
        overwrite=overwrite,
    )  # fmt: skip
    if is_main_process():
        print(output)
        for name, value in record.losses.items():
            print(f"{name} {value:.4f}")
