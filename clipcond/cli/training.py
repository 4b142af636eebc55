"""Define `clipcond align` and `clipcond tune-tower`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["align", "tune_tower"]


def _training(*names: str, **more: Any) -> Any:
    """Declare an option that --help lists under "Training"."""
    return typer.Option(*names, rich_help_panel="Training", **more)


def _pairs(*names: str, **more: Any) -> Any:
    """Declare an option that --help lists under "Pairs"."""
    return typer.Option(*names, rich_help_panel="Pairs", **more)


# Options of both commands.
Seed = Annotated[int, _training("--seed", min=0)]
Device = Annotated[str | None, _training("--device", help="cpu, cuda or mps.")]
Precision = Annotated[str | None, _training("--precision", help="no, fp16 or bf16.")]
SaveEvery = Annotated[
    float, _training("--save-every", min=0, metavar="SECONDS", help="Between checkpoints.")
]
Run = Annotated[
    Path | None,
    _training(
        "--run",
        metavar="FOLDER",
        help="Checkpoints and what was encoded; the same command goes on where it stopped.",
        show_default="next to the output",
    ),
]
Keep = Annotated[bool, _training("--keep", help="Keep that folder afterwards.")]
Overwrite = Annotated[bool, _training("--overwrite", help="The output may be replaced.")]
Tensorboard = Annotated[Path | None, _training("--tensorboard", metavar="FOLDER")]
ImageColumn = Annotated[str | None, _pairs("--image-column", metavar="NAME", show_default="image")]
MaxBad = Annotated[
    int | None,
    _pairs(
        "--max-bad",
        min=0,
        help="Pairs that may be skipped because they cannot be used.",
        show_default="1 % of the lines, or 10",
    ),
]


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
        str, typer.Option("--dialect", metavar="D", help="How both texts of a pair are read.")
    ] = "a1111",
    text_steps: Annotated[
        int, _training("--text-steps", min=0, help="Steps of the text stage.")
    ] = 3000,
    unet_steps: Annotated[
        int, _training("--unet-steps", min=0, help="Steps of the UNet stage; 0 = without.")
    ] = 1000,
    text_batch: Annotated[int, _training("--text-batch", min=1, help="Pairs a step.")] = 64,
    unet_batch: Annotated[int, _training("--unet-batch", min=1, help="Pairs a step.")] = 16,
    text_lr: Annotated[float, _training("--text-lr", help="Peak learning rate.")] = 5e-3,
    unet_lr: Annotated[float, _training("--unet-lr", help="Peak learning rate.")] = 1e-3,
    guidance: Annotated[
        float,
        _training(
            "--guidance", help="Of the teacher's own drawing, whose latents the UNet stage sees."
        ),
    ] = 1.0,
    seed: Seed = 0,
    device: Device = None,
    precision: Precision = None,
    gradient_checkpointing: Annotated[
        bool,
        _training(
            "--gradient-checkpointing", help="Less memory in the UNet stage, a third more time."
        ),
    ] = False,
    cache: Annotated[
        float, _training("--cache", min=0, metavar="GB", help="Encoded pairs kept on disk.")
    ] = 8.0,
    save_every: SaveEvery = 120.0,
    run: Run = None,
    start_from: Annotated[
        Path | None,
        _training(
            "--start-from",
            metavar="FILE",
            help="An adapter of this tower to train further; kind and sizes are its own.",
        ),
    ] = None,
    keep: Keep = False,
    overwrite: Overwrite = False,
    tensorboard: Tensorboard = None,
    teacher_column: Annotated[
        str | None, _pairs("--teacher-column", metavar="NAME", show_default="teacher")
    ] = None,
    tower_column: Annotated[
        str | None, _pairs("--tower-column", metavar="NAME", show_default="tower")
    ] = None,
    image_column: ImageColumn = None,
    max_bad: MaxBad = None,
    max_chunks: Annotated[int, _pairs("--max-chunks", min=1, help="Longer pairs are skipped.")] = 4,
) -> None:
    """Train an adapter that lets a pipeline's UNet read another text tower."""
    from clipcond.training import AlignSettings, Columns, LoopSettings, align, read_pairs

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
    loop = LoopSettings(seed, device, precision, save_every, _text(tensorboard))
    columns = Columns(teacher_column, tower_column, image_column)
    record = align(
        teacher, tower, read_pairs(pairs, columns, max_bad=max_bad), output,
        settings=settings, loop=loop, run=run, start_from=start_from, keep=keep,
        overwrite=overwrite,
    )  # fmt: skip
    _print_results(output, record.losses)


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
    steps: Annotated[int, _training("--steps", min=1)] = 2000,
    batch: Annotated[
        int, _training("--batch", min=2, help="Captions a step, each other's negatives.")
    ] = 128,
    lr: Annotated[float, _training("--lr", help="Peak learning rate.")] = 5e-5,
    temperature: Annotated[
        float, _training("--temperature", help="Of cosines, at first; it is learned.")
    ] = 0.07,
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
        str | None, _pairs("--text-column", metavar="NAME", show_default="text")
    ] = None,
    max_bad: MaxBad = None,
) -> None:
    """Fine-tune a text tower against a frozen vision tower."""
    from clipcond.training import LoopSettings, TuneSettings, read_captions, tune_tower

    loop = LoopSettings(seed, device, precision, save_every, _text(tensorboard))
    settings = TuneSettings(steps=steps, batch=batch, lr=lr, temperature=temperature)
    captions = read_captions(
        pairs, image_column=image_column, text_column=text_column, max_bad=max_bad
    )
    measures = tune_tower(
        tower, vision, captions, output,
        settings=settings, loop=loop, run=run, keep=keep, overwrite=overwrite,
    )  # fmt: skip
    _print_results(output, measures)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _print_results(output: Path, measures: Mapping[str, float]) -> None:
    """Print the output's path and what was measured, from one of the processes only."""
    from clipcond.training.accelerator import is_main_process

    if is_main_process():
        print(output)
        for name, value in measures.items():
            print(f"{name} {value:.4f}")
