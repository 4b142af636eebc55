"""Define `clipcond align` and `clipcond tune-tower`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

TRAINING: dict[str, Any] = {"rich_help_panel": "Training"}
PAIRS: dict[str, Any] = {"rich_help_panel": "Pairs"}
RATE = typer.Option(help="Peak learning rate.", **TRAINING)

# The options of both commands.
Seed = Annotated[int, typer.Option(min=0, max=2**64 - 1, **TRAINING)]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps.", **TRAINING)]
Precision = Annotated[str | None, typer.Option(help="no, fp16 or bf16.", **TRAINING)]
SaveEvery = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Between checkpoints.", **TRAINING)
]
Run = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Checkpoints and what was encoded; the same command goes on where it stopped.",
        show_default="next to the output",
        **TRAINING,
    ),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep that folder afterwards.", **TRAINING)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="The output may be replaced.", **TRAINING)
]
Tensorboard = Annotated[Path | None, typer.Option(metavar="FOLDER", **TRAINING)]
ImageColumn = Annotated[str | None, typer.Option(metavar="NAME", show_default="image", **PAIRS)]
MaxBad = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Pairs that may be skipped because they cannot be used.",
        show_default="1 % of the lines, or 10",
        **PAIRS,
    ),
]


def align(
    tower: Annotated[
        str,
        typer.Option(
            metavar="T",
            help="The tower to read: as for generate; with --image a CLIP of both halves.",
        ),
    ],
    pairs: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Texts that say the same, the teacher's and the tower's; with --image pictures "
            "and captions, as for tune-tower: .tsv, .jsonl, .parquet.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The adapter's .safetensors.")],
    image: Annotated[
        bool, typer.Option("--image", help="Train an adapter that reads pictures.")
    ] = False,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="PIPE",
            help="The pipeline whose UNet is to read it: folder, .safetensors file or Hub id.",
            show_default="embedded",
        ),
    ] = None,
    adapter: Annotated[
        str, typer.Option(metavar="KIND", help="resampler or linear.")
    ] = "resampler",
    hidden: Annotated[int | None, typer.Option(min=1, help="The resampler's width.")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="Its blocks.", show_default="2")] = None,
    clip_skip: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="The layers trained, of tower and teacher. More than once.",
            show_default="1 and 2",
        ),
    ] = None,
    teacher_clip_skip: Annotated[
        list[int] | None,
        typer.Option(min=1, help="The teacher's layers instead, one for all or one for each."),
    ] = None,
    dialect: Annotated[
        str, typer.Option(metavar="D", help="How both texts of a pair are read.")
    ] = "a1111",
    text_steps: Annotated[
        int, typer.Option(min=0, help="Steps of the text stage.", **TRAINING)
    ] = 3000,
    unet_steps: Annotated[
        int, typer.Option(min=0, help="Steps of the UNet stage; 0 = without.", **TRAINING)
    ] = 1000,
    text_batch: Annotated[int, typer.Option(min=1, help="Pairs a step.", **TRAINING)] = 64,
    unet_batch: Annotated[int, typer.Option(min=1, help="Pairs a step.", **TRAINING)] = 16,
    text_lr: Annotated[float, RATE] = 5e-3,
    unet_lr: Annotated[float, RATE] = 1e-3,
    guidance: Annotated[
        float,
        typer.Option(
            help="Of the teacher's own drawing, whose latents the UNet stage sees.", **TRAINING
        ),
    ] = 1.0,
    seed: Seed = 0,
    device: Device = None,
    precision: Precision = None,
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing",
            help="Less memory in the UNet stage, a third more time.",
            **TRAINING,
        ),
    ] = False,
    cache: Annotated[
        float, typer.Option(min=0, metavar="GB", help="Encoded pairs kept on disk.", **TRAINING)
    ] = 8.0,
    save_every: SaveEvery = 120.0,
    run: Run = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An adapter of this tower to train further; kind and sizes are its own.",
            **TRAINING,
        ),
    ] = None,
    keep: Keep = False,
    overwrite: Overwrite = False,
    tensorboard: Tensorboard = None,
    teacher_column: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="teacher", **PAIRS)
    ] = None,
    tower_column: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="tower", **PAIRS)
    ] = None,
    image_column: ImageColumn = None,
    max_bad: MaxBad = None,
    max_chunks: Annotated[int, typer.Option(min=1, help="Longer pairs are skipped.", **PAIRS)] = 4,
) -> None:
    """Train an adapter that lets a pipeline's UNet read another text tower, or pictures."""
    from clipcond.training import (
        AlignSettings,
        Columns,
        LoopSettings,
        align,
        align_images,
        read_captions,
        read_pairs,
    )

    if image and (adapter != "resampler" or clip_skip or tower_column):
        raise typer.BadParameter(
            "--image goes without --adapter, --clip-skip and --tower-column: a picture is one "
            "vector, and its caption the teacher's"
        )
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
    loop = LoopSettings(seed, device, precision, save_every, tensorboard)
    more: dict[str, Any] = {"settings": settings, "loop": loop, "run": run}
    more |= {"start_from": start_from, "keep": keep, "overwrite": overwrite}
    if image:
        captions = read_captions(
            pairs, image_column=image_column, text_column=teacher_column, max_bad=max_bad
        )
        _print_results(output, align_images(teacher, tower, captions, output, **more).losses)
        return
    names = "--teacher-column, --tower-column, --image-column"
    columns = Columns(teacher_column, tower_column, image_column, options=names)
    texts = read_pairs(pairs, columns, max_bad=max_bad)
    _print_results(output, align(teacher, tower, texts, output, **more).losses)


def tune_tower(
    tower: Annotated[str, typer.Option(metavar="T", help="The tower to train.")],
    vision: Annotated[
        str,
        typer.Option(
            metavar="V",
            help="The frozen vision tower: a folder of CLIP or ChineseCLIP, or embedded.",
        ),
    ],
    pairs: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Pictures and captions: .tsv, or columns image and text of .jsonl, .parquet.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The trained tower's folder.")],
    steps: Annotated[int, typer.Option(min=1, **TRAINING)] = 2000,
    batch: Annotated[
        int, typer.Option(min=2, help="Captions a step, each other's negatives.", **TRAINING)
    ] = 128,
    lr: Annotated[float, RATE] = 5e-5,
    encode_at_once: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Captions whose activations are in memory at a time; a third slower.",
            show_default="all of a batch",
            **TRAINING,
        ),
    ] = None,
    loss: Annotated[str, typer.Option(help="softmax or sigmoid.", **TRAINING)] = "softmax",
    temperature: Annotated[
        float | None,
        typer.Option(
            help="Of cosines, at first; it is learned.",
            show_default="0.07, sigmoid 0.1",
            **TRAINING,
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = None,
    precision: Precision = None,
    save_every: SaveEvery = 120.0,
    run: Run = None,
    keep: Keep = False,
    overwrite: Overwrite = False,
    tensorboard: Tensorboard = None,
    image_column: ImageColumn = None,
    text_column: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="text", **PAIRS)
    ] = None,
    max_bad: MaxBad = None,
) -> None:
    """Fine-tune a text tower against a frozen vision tower."""
    from clipcond.training import LoopSettings, TuneSettings, read_captions, tune_tower

    loop = LoopSettings(seed, device, precision, save_every, tensorboard)
    settings = TuneSettings(
        steps=steps,
        batch=batch,
        lr=lr,
        encode_at_once=encode_at_once,
        loss=loss,
        temperature=temperature,
    )
    captions = read_captions(
        pairs, image_column=image_column, text_column=text_column, max_bad=max_bad
    )
    measures = tune_tower(
        tower, vision, captions, output,
        settings=settings, loop=loop, run=run, keep=keep, overwrite=overwrite,
    )  # fmt: skip
    _print_results(output, measures)


def _print_results(output: Path, measures: Mapping[str, float]) -> None:
    """Print the output's path and what was measured, from one of the processes only."""
    from clipcond.training.reporting import is_main_process

    if is_main_process():
        print(output)
        for name, value in measures.items():
            print(f"{name} {value:.4f}")
