"""Train an adapter that lets a pipeline's UNet read another tower, and write its record."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clipcond import __version__
from clipcond.adapters import (
    Adapter,
    AlignmentRecord,
    load_adapter,
    save_adapter,
    tower_fingerprint,
)
from clipcond.checkpoints import load_tower
from clipcond.checkpoints.hashes import tower_hash
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialects import find_dialect
from clipcond.errors import CheckpointError
from clipcond.files import disk_errors, local_path
from clipcond.pipelines.protocols import DiffusersPipeline
from clipcond.towers import TextTower
from clipcond.training.accelerator import own_accelerate
from clipcond.training.adapter_setup import copy_adapter, new_adapter, set_first_rows
from clipcond.training.checkpoint import CHECKPOINT
from clipcond.training.loop import Loop, check_gradients
from clipcond.training.measures import Baseline, check_progress, measure_baseline
from clipcond.training.objectives import Latents, TextObjective, UnetObjective
from clipcond.training.pair_encoding import GB, EncodedPairs, PromptEncoder, count_pair_chunks
from clipcond.training.pair_files import Columns
from clipcond.training.pairs import Pairs, read_pairs
from clipcond.training.pictures import encode_latents, encode_pictures, find_broken_pictures
from clipcond.training.reporting import check_tensorboard, report_skipped
from clipcond.training.run_folder import check_absent
from clipcond.training.settings import AlignSettings, LoopSettings, check_settings, plain_values
from clipcond.training.stage import Stage
from clipcond.training.teacher import Teacher, open_teacher

MAX_HELD_OUT = 256  # pairs that are measured and not trained on
N_PICTURES = 8  # encoded at once
_ENCODING_KEYS = ("pairs", "teacher", "tower", "dialect", "clip_skips", "teacher_clip_skips")


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
    check_gradients()
    settings = check_settings("settings", settings, AlignSettings)
    loop = check_settings("loop", loop, LoopSettings)
    output = check_output(output)
    check_tensorboard(loop)
    folder = local_path(run) if run else output.with_suffix(".run")
    check_absent(output, overwrite=overwrite or (folder / CHECKPOINT).is_file())
    if not isinstance(pairs, Pairs):
        pairs = read_pairs(pairs, columns, max_bad=max_bad)
    teacher = open_teacher(teacher)
    tower = load_tower(tower) if isinstance(tower, str | os.PathLike) else tower
    start = None if start_from is None else load_adapter(start_from)[0]
    with own_accelerate():
        alignment = _Alignment(teacher, tower, pairs, folder, settings, loop, start)
        return alignment.run(output, keep=keep)


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


@dataclass
class _Alignment:
    """One call of `align`."""

    teacher: Teacher
    tower: TextTower
    pairs: Pairs
    folder: Path
    settings: AlignSettings
    loop_settings: LoopSettings
    start: Adapter | None

    def run(self, output: Path, *, keep: bool) -> AlignmentRecord:
        """Train, or train what is left, and write the adapter."""
        self.tower_hash = tower_fingerprint(self.tower)
        if self.start is None:
            adapter = new_adapter(self.teacher, self.tower, self.settings, self.loop_settings.seed)
        else:
            adapter = copy_adapter(self.start, self.teacher, self.tower, self.tower_hash)
        encoders = self._make_encoders()
        sizes = self._skip_unusable(*encoders)
        self.loop = loop = Loop(self.folder, self._keys(), self.loop_settings, adapter)
        self._move_frozen()
        trained, held_out = self._encode_pairs(encoders, sizes)
        latents = self._encode_pictures(trained)
        n, seed = self.settings.unet_batch, self.loop_settings.seed
        baseline = measure_baseline(self.teacher, trained, held_out, n, seed)
        if loop.is_new:
            if self.start is None:
                set_first_rows(adapter, baseline.rows, baseline.pooled_mean)
            loop.share_weights()
        self._run_stages(adapter, baseline, trained, latents)
        record = self._record()
        loop.finish(lambda: save_adapter(adapter.float(), record, output), keep=keep)
        return record

    def _make_encoders(self) -> tuple[PromptEncoder, PromptEncoder]:
        """Make the encoders of the teacher's texts and of the tower's.

        Raises:
            TowerError: a layer that is not there.
        """
        settings, dialect = self.settings, find_dialect(self.settings.dialect)
        teacher = Conditioner(*self.teacher.towers, dialect=dialect)
        tower = Conditioner(self.tower, dialect=dialect, pooled=False)
        for ours, theirs in zip(settings.clip_skips, settings.paired_teacher_skips, strict=True):
            tower.layers(ours)
            teacher.layers(theirs)
        return (
            PromptEncoder(teacher, settings.paired_teacher_skips, self.teacher.length),
            PromptEncoder(tower, settings.clip_skips, self.tower.special.context_length),
        )

    def _skip_unusable(self, teacher: PromptEncoder, tower: PromptEncoder) -> list[tuple[int, int]]:
        """Skip pairs that cannot be used after all; return the others' numbers of chunks."""
        pairs, settings = self.pairs.pairs, self.settings
        bad, sizes = count_pair_chunks(pairs, teacher, tower, settings.max_chunks)
        broken = find_broken_pictures(pairs) if settings.unet_steps else []
        self.pairs = self.pairs.without((*bad, *broken))
        report_skipped(self.pairs, self.loop_settings)
        return [sizes[pair] for pair in self.pairs.pairs]

    def _keys(self) -> dict[str, Any]:
        """Collect all arguments that change the result."""
        return {
            **plain_values(self.settings),
            "version": __version__,
            "pairs": self.pairs.fingerprint(),
            "teacher": self.teacher.hashes[0],
            "unet": self.teacher.hashes[1],
            "tower": self.tower_hash,
            "start": None if self.start is None else tower_hash(self.start.state_dict()),
        }

    def _move_frozen(self) -> None:
        device, dtype = self.loop.device, self.loop.frozen_dtype
        self.teacher.to(device, dtype)
        model: Any = getattr(self.tower, "model", None)
        if model is not None:
            model.requires_grad_(False).eval().to(device, dtype)
        if self.settings.gradient_checkpointing:
            self.teacher.unet.train()  # diffusers needs it for that; no module here has dropout
            self.teacher.unet.enable_gradient_checkpointing()

    def _encode_pairs(
        self, encoders: tuple[PromptEncoder, PromptEncoder], sizes: list[tuple[int, int]]
    ) -> tuple[EncodedPairs, EncodedPairs]:
        loop, pairs = self.loop, self.pairs.pairs
        trained, held_out = self.pairs.split(MAX_HELD_OUT)
        keys = {name: value for name, value in self._keys().items() if name in _ENCODING_KEYS}
        keys["dtype"] = str(loop.frozen_dtype)
        most = self.settings.cache_gb * GB
        encoded = []
        with loop.storing("encoding", len(pairs)) as store:
            for name, chosen in (("trained", trained), ("held_out", held_out)):
                some = EncodedPairs([pairs[i] for i in chosen], *encoders, loop.device)
                some.prepare([sizes[i] for i in chosen], self.folder / name, most, store, keys)
                encoded.append(some)
        return encoded[0], encoded[1] if held_out else encoded[0]

    def _encode_pictures(self, trained: EncodedPairs) -> Latents:
        """Encode the pictures of pairs to train on, if the UNet is to see them."""
        pictures = [(i, p.image) for i, p in enumerate(trained.pairs) if p.image is not None]
        if not pictures or not self.settings.unet_steps:
            return {}, np.empty(0)
        loop, vae = self.loop, self.teacher.vae
        _, height, width = self.teacher.latent_shape()
        scale = self.teacher.pixels_per_latent
        size = (height * scale, width * scale)
        keys = {"unet": self.teacher.hashes[1], "pairs": self.pairs.fingerprint(), "size": size}
        with loop.storing("pictures", len(pictures)) as store:
            encode = partial(encode_latents, vae.to(loop.device))
            compute = partial(encode_pictures, [image for _, image in pictures], size, encode)
            latents = store(self.folder / "latents", len(pictures), keys, compute, N_PICTURES)
        return {pair: row for row, (pair, _) in enumerate(pictures)}, latents

    def _run_stages(
        self, adapter: Adapter, baseline: Baseline, pairs: EncodedPairs, latents: Latents
    ) -> None:
        settings, loop = self.settings, self.loop
        text = TextObjective(pairs, baseline, settings)

        def measure() -> dict[str, float]:
            reached = baseline.measure(adapter, self.teacher)
            check_progress(reached)
            return reached

        loop.run(Stage("text", settings.text_steps, settings.text_lr, has_muon=True), text, measure)
        unet = UnetObjective(self.teacher, pairs, baseline, settings, latents)
        loop.run(Stage("unet", settings.unet_steps, settings.unet_lr, has_muon=True), unet, measure)

    def _record(self) -> AlignmentRecord:
        settings, pairs = self.settings, self.pairs.pairs
        losses: Mapping[str, float] = {
            f"{stage}.{name}": value
            for stage, reached in self.loop.finished.items()
            for name, value in reached.items()
        }
        stages, minutes = {"text": settings.text_steps, "unet": settings.unet_steps}, 0.0
        before = None if self.start is None else self.start.record
        if before is not None:
            stages = {name: n + before.stages.get(name, 0) for name, n in stages.items()}
            losses, minutes = {**before.losses, **losses}, before.minutes
        n_pictures = sum(pair.image is not None for pair in pairs)
        return AlignmentRecord(
            tower=self.tower_hash,
            tower_name=self.tower.name,
            tower_clip_skips=settings.clip_skips,
            teacher=self.teacher.hashes[0],
            teacher_clip_skips=settings.paired_teacher_skips,
            unet=self.teacher.hashes[1],
            family=self.teacher.family,
            width=self.teacher.width,
            data=self.pairs.path.name + (f", {n_pictures} with pictures" if n_pictures else ""),
            n_pairs=len(pairs),
            stages=stages,
            losses=losses,
            minutes=round(self.loop.seconds / 60 + minutes, 2),
        )
