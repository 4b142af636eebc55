"""Train an adapter that lets a pipeline's UNet read another tower, or pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from clipcond.adapters import AlignmentRecord, load_adapter
from clipcond.checkpoints import load_tower
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.image_prompts import EncodesImages
from clipcond.errors import CheckpointError, excerpt, warn
from clipcond.files import disk_errors, local_path
from clipcond.pipelines.protocols import DiffusersPipeline
from clipcond.reading import load_encoder
from clipcond.towers import TextTower
from clipcond.training.accelerator import own_accelerate
from clipcond.training.alignment import Alignment
from clipcond.training.checkpoint import CHECKPOINT
from clipcond.training.loop import check_gradients
from clipcond.training.pair_files import Columns
from clipcond.training.pairs import Pairs, check_pictures, read_captions, read_pairs
from clipcond.training.reporting import check_tensorboard
from clipcond.training.run_folder import check_absent
from clipcond.training.settings import AlignSettings, LoopSettings, check_settings
from clipcond.training.sources import PictureSource, Source, TowerSource
from clipcond.training.teacher import Teacher, open_teacher

N_LOOKED_AT = 500  # texts, in which words that a tower cannot read are looked for


def align(
    teacher: Teacher | DiffusersPipeline | str | os.PathLike[str] | None,
    tower: TextTower | str | os.PathLike[str],
    pairs: str | Path | Pairs,
    output: str | Path,
    *,
    settings: AlignSettings | None = None,
    loop: LoopSettings | None = None,
    run: str | Path | None = None,
    start_from: str | Path | None = None,
    columns: Columns | None = None,
    max_bad: int | None = None,
    keep: bool = False,
    overwrite: bool = False,
) -> AlignmentRecord:
    """Train an adapter that lets a pipeline's UNet read another tower.

    Args:
        teacher: a Stable Diffusion 1, 2 or XL pipeline, or where to find one; None = the embedded
            model. A pipeline's modules are frozen and may be moved and cast.
        tower: the tower to read instead of the pipeline's own, or a name for `load_tower`.
        pairs: a file of pairs, or what `read_pairs` made of one.
        output: the adapter's file, .safetensors.
        run: the folder of checkpoints and encoded pairs; by default next to the output. A run that
            was stopped goes on there. One that was started with other arguments is an error, and
            stays as it is.
        start_from: an adapter of this tower to train further, kind and sizes included; its steps
            and minutes count in the record.
        columns, max_bad: as for `read_pairs`.
        keep: leave the run's folder at the end.
        overwrite: replace an output that exists.
    Returns:
        the record that the output holds.
    Raises:
        PairsError: the file of pairs cannot be read, or too much of it cannot be used.
        TrainingError: settings that do not go together, a folder of another run or a damaged one,
            a loss that is not finite, gradients that are switched off.
        CheckpointError: tower, teacher or `start_from` cannot be read, or the output not written.
        PipelineError: the teacher is of no supported family.
        TowerError: a layer that is not there, or an adapter that does not fit tower and UNet.
        UnknownNameError: no such dialect or kind of adapter.
        ArgumentError: settings, loop or columns are of another class.
    """
    setup = _Setup(output, settings, loop, run, overwrite=overwrite)
    if not isinstance(pairs, Pairs):
        pairs = read_pairs(pairs, columns, max_bad=max_bad)
    teacher = open_teacher(teacher)
    tower = load_tower(tower) if isinstance(tower, str | os.PathLike) else tower
    _warn_of_unread(teacher.towers[0], [pair.teacher for pair in pairs.pairs], "teacher's")
    _warn_of_unread(tower, [pair.tower for pair in pairs.pairs], "new tower's")
    return setup.run(teacher, TowerSource(tower), pairs, setup.settings, start_from, keep=keep)


def align_images(
    teacher: Teacher | DiffusersPipeline | str | os.PathLike[str] | None,
    encoder: EncodesImages | str | os.PathLike[str],
    pairs: str | Path | Pairs,
    output: str | Path,
    *,
    settings: AlignSettings | None = None,
    loop: LoopSettings | None = None,
    run: str | Path | None = None,
    start_from: str | Path | None = None,
    keep: bool = False,
    overwrite: bool = False,
) -> AlignmentRecord:
    """Train an adapter that lets a pipeline's UNet read pictures in place of a prompt.

    Args:
        encoder: encodes the pictures, as `load_encoder` opens it, or a name for that.
        pairs: pictures with captions, or their file: as for `tune_tower`.
        settings: `adapter` and `clip_skips` are not read; `teacher_clip_skips` names one layer, by
            default the pipeline's own.
        teacher, output, loop, run, start_from, keep, overwrite: as for `align`, and so are the
            record and the errors.
    """
    setup = _Setup(output, settings, loop, run, overwrite=overwrite)
    pairs = pairs if isinstance(pairs, Pairs) else read_captions(pairs)
    check_pictures(pairs)
    captioned = tuple(replace(pair, teacher=pair.tower) for pair in pairs.pairs)
    pairs = replace(pairs, pairs=captioned)
    teacher = open_teacher(teacher)
    _warn_of_unread(teacher.towers[0], [pair.teacher for pair in pairs.pairs], "teacher's")
    if isinstance(encoder, str | os.PathLike):
        encoder = load_encoder(encoder)
    settings = setup.settings
    skips = settings.teacher_clip_skips or (Conditioner(*teacher.towers).clip_skip,)
    settings = replace(settings, adapter="image", clip_skips=(1,), teacher_clip_skips=skips)
    return setup.run(teacher, PictureSource(encoder), pairs, settings, start_from, keep=keep)


def _warn_of_unread(tower: TextTower, texts: Sequence[str], whose: str) -> None:
    """Warn if a tower cannot read most of its texts: they may be the other tower's.

    Args:
        whose: what the message calls the texts.
    """
    find = getattr(tower, "unread_words", None)
    looked_at = texts[:: max(1, len(texts) // N_LOOKED_AT)]
    unread = [words for text in looked_at if find is not None and (words := find([text]))]
    if 2 * len(unread) > len(looked_at):
        warn(
            f"{tower.name!r} cannot read words in {len(unread)} of {len(looked_at)} of the {whose} "
            f"texts, such as {excerpt(unread[0][0])!r}; are the columns the other way round?"
        )


class _Setup:
    """Check at once what would stop a run hours later.

    Raises:
        ArgumentError, TrainingError, CheckpointError: as for `align`.
    """

    def __init__(
        self,
        output: str | Path,
        settings: AlignSettings | None,
        loop: LoopSettings | None,
        run: str | Path | None,
        *,
        overwrite: bool,
    ) -> None:
        check_gradients()
        self.settings = check_settings("settings", settings, AlignSettings)
        self.loop = check_settings("loop", loop, LoopSettings)
        self.output = check_output(output)
        check_tensorboard(self.loop)
        self.folder = local_path(run) if run else self.output.with_suffix(".run")
        is_resumed = (self.folder / CHECKPOINT).is_file()
        check_absent(self.output, overwrite=overwrite or is_resumed)

    def run(
        self,
        teacher: Teacher,
        source: Source,
        pairs: Pairs,
        settings: AlignSettings,
        start_from: str | Path | None,
        *,
        keep: bool,
    ) -> AlignmentRecord:
        """Train an adapter of this source and write it."""
        start = None if start_from is None else load_adapter(start_from)[0]
        with own_accelerate():
            alignment = Alignment(teacher, source, pairs, self.folder, settings, self.loop, start)
            return alignment.run(self.output, keep=keep)


def check_output(path: str | Path) -> Path:
    """Check that an adapter's file can be written, before it takes hours to make.

    Raises:
        CheckpointError: another ending, a folder, or a folder that cannot be written to.
    """
    path = local_path(path)
    if path.suffix != ".safetensors" or path.is_dir():
        raise CheckpointError(f"{str(path)!r}: an adapter is written to a .safetensors file", path)
    with disk_errors(f"{str(path.parent)!r} cannot be made", partial(CheckpointError, path=path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise CheckpointError(f"nothing can be written to {str(path.parent)!r}", path)
    return path
