"""align: from a pipeline, a tower and pairs of texts to an adapter with its record."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

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
from clipcond.errors import CheckpointError, TrainingError
from clipcond.towers import TextTower
from clipcond.training.accelerator import dtype_of, release
from clipcond.training.adapter_setup import new_adapter, start_at, taken_up
from clipcond.training.encoded_pairs import GB, States
from clipcond.training.latents import Latents, latents_of, unreadable
from clipcond.training.loop import Loop, Stage
from clipcond.training.measures import Ruler, ruler_of
from clipcond.training.pair_encoding import Side, unusable
from clipcond.training.pairs import Pairs, read_pairs
from clipcond.training.run_folder import HELD_OUT, TRAINED, make_folder, remove_run
from clipcond.training.run_log import check_board, counting, say
from clipcond.training.settings import AlignSettings, LoopSettings, stated
from clipcond.training.tables import Columns
from clipcond.training.teacher import Teacher, open_teacher
from clipcond.training.text_stage import TextObjective
from clipcond.training.unet_stage import UnetObjective

__all__ = ["align", "check_output"]

HELD_OUT_EVERY, MAX_HELD_OUT = 20, 256  # one pair in so many is not trained on


def align(
    teacher: Any,
    tower: TextTower | str,
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
        run: the folder of checkpoints and states; by default beside the output. A run that is
            there is taken up where it stopped; of one that was started with other arguments nothing
            is touched.
        start_from: an adapter of this tower to train further, kind and sizes included; its steps
            and minutes count in the record.
        columns, max_bad: as for `read_pairs`.
        keep: leave the run's folder when all is done.
        overwrite: an output that is there may be replaced.
    Returns:
        the record, as it stands in the output.
    Raises:
        PairsError, TrainingError, CheckpointError, PipelineError, TowerError, UnknownNameError.
    """
    settings, loop = settings or AlignSettings(), loop or LoopSettings()
    output = check_output(output, ".safetensors")
    check_board(loop)
    folder = Path(run).expanduser() if run else output.with_suffix(".run")
    if output.exists() and not overwrite and not (folder / "checkpoint.pt").is_file():
        raise CheckpointError(
            f"{str(output)!r} is there already", output, "Name another, or say --overwrite."
        )
    if not isinstance(pairs, Pairs):
        pairs = read_pairs(pairs, columns, max_bad=max_bad)
    if isinstance(teacher, (str, Path)) or teacher is None:
        teacher = open_teacher(None if teacher is None else str(teacher), torch.float32)
    elif not isinstance(teacher, Teacher):
        teacher = Teacher.of(teacher)
    tower = load_tower(tower) if isinstance(tower, str) else tower
    start = None if start_from is None else load_adapter(start_from)[0]
    try:
        return _Run(teacher, tower, pairs, output, folder, settings, loop, start).done(keep=keep)
    finally:
        release()


def check_output(path: str | Path, suffix: str) -> Path:
    """Where something is to be written, before it takes hours to make.

    Raises:
        CheckpointError: another ending, a folder, or not to be written.
    """
    path = Path(path).expanduser()
    if path.suffix != suffix or path.is_dir():
        raise CheckpointError(f"{str(path)!r}: an adapter is written to a {suffix} file", path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        told = f"{str(path.parent)!r} cannot be made: {error.strerror}"
        raise CheckpointError(told, path) from error
    if not os.access(path.parent, os.W_OK):
        raise CheckpointError(f"nothing can be written to {str(path.parent)!r}", path)
    return path


@dataclass
class _Run:
    """One call of `align`: its parts, in the order in which they come to be."""

    teacher: Teacher
    tower: TextTower
    pairs: Pairs
    output: Path
    folder: Path
    settings: AlignSettings
    loop_settings: LoopSettings
    start: Adapter | None = None

    def done(self, *, keep: bool) -> AlignmentRecord:
        """Train, or train what is left, and write the adapter."""
        settings = self.settings
        self.tower_hash = tower_fingerprint(self.tower)
        if self.start is None:
            adapter = new_adapter(self.teacher, self.tower, settings, self.loop_settings.seed)
        else:
            adapter = taken_up(self.start, self.teacher, self.tower, self.tower_hash)
        sides = self._sides()
        sizes = self._usable(sides)
        make_folder(self.folder)
        loop = Loop(self.folder, self._keys(), self.loop_settings, adapter)
        self._move(loop)
        trained, held_out = self._states(loop, sides, sizes)
        images = self._images(loop)
        ruler = ruler_of(
            self.teacher, trained, held_out, settings.unet_batch, self.loop_settings.seed,
            loop.device,
        )  # fmt: skip
        if loop.is_new:
            if self.start is None:
                pooled = None if ruler.pooled is None else ruler.pooled.mean
                start_at(adapter, ruler.rows, pooled)
            loop.begin()
        losses = self._stages(loop, adapter, ruler, trained, images)
        record = self._record(loop, losses)
        if loop.is_main:
            save_adapter(adapter.float(), record, self.output)
            if not keep:
                remove_run(self.folder)
        loop.accelerator.wait_for_everyone()
        return record

    def _sides(self) -> tuple[Side, Side]:
        settings, dialect = self.settings, self.settings.dialect
        teacher = Conditioner(*self.teacher.towers, dialect=dialect)
        tower = Conditioner(self.tower, dialect=dialect, pooled=False)
        for ours, theirs in zip(settings.clip_skips, settings.layers_of_teacher, strict=True):
            tower.layers(ours)  # refuses what is not there
            teacher.layers(theirs)
        return (
            Side(teacher, settings.layers_of_teacher, self.teacher.length),
            Side(tower, settings.clip_skips, self.tower.special.context_length),
        )

    def _usable(self, sides: tuple[Side, Side]) -> list[tuple[int, int]]:
        """Skip pairs that cannot be used after all; chunks of those that can."""
        bad, sizes = unusable(self.pairs, *sides, self.settings.max_chunks)
        broken = [] if not self.settings.unet_steps else unreadable(self.pairs.pairs)
        if bad or broken:
            self.pairs = self.pairs.without({each.line: each for each in (*bad, *broken)}.values())
            _, sizes = unusable(self.pairs, *sides, self.settings.max_chunks)
        if self.pairs.bad:
            message = f"{len(self.pairs.bad)} of {self.pairs.n_lines} pairs are skipped:"
            say(f"{message}\n{self.pairs.told()}", self.loop_settings)
        return sizes

    def _keys(self) -> dict[str, Any]:
        pairs = hashlib.sha256(repr(self.pairs.pairs).encode()).hexdigest()
        return {
            **stated(self.settings),
            "version": __version__,
            "pairs": pairs,
            "teacher": self.teacher.hashes[0],
            "unet": self.teacher.hashes[1],
            "tower": self.tower_hash,
            "start": None if self.start is None else tower_hash(self.start.state_dict()),
        }

    def _move(self, loop: Loop) -> None:
        dtype = dtype_of(loop.accelerator)
        self.teacher.to(loop.device, dtype)
        model: Any = getattr(self.tower, "model", None)
        if model is not None:
            model.requires_grad_(False).eval().to(loop.device, dtype)
        if self.settings.gradient_checkpointing:
            self.teacher.unet.train()  # diffusers heeds it then only; nothing here has dropout
            self.teacher.unet.enable_gradient_checkpointing()

    def _states(
        self, loop: Loop, sides: tuple[Side, Side], sizes: list[tuple[int, int]]
    ) -> tuple[States, States]:
        """Trained and held-out pairs, encoded."""
        settings, pairs = self.settings, self.pairs.pairs
        n_held_out = min(MAX_HELD_OUT, len(pairs) // HELD_OUT_EVERY)
        # spread over the file, which may be sorted
        held = {i * len(pairs) // n_held_out for i in range(n_held_out)}
        self.trained = [i for i in range(len(pairs)) if i not in held]
        keys = {k: v for k, v in self._keys().items() if k in _STATES_KEYS}
        keys["dtype"] = str(dtype_of(loop.accelerator))
        made = []
        with counting("encoding", len(pairs), self.loop_settings, loop.is_main) as advance:
            for name, chosen in ((TRAINED, self.trained), (HELD_OUT, sorted(held))):
                states = States(
                    [pairs[i] for i in chosen], [sizes[i] for i in chosen], *sides,
                    folder=self.folder / name, max_bytes=settings.cache_gb * GB, keys=keys,
                )  # fmt: skip
                with loop.accelerator.main_process_first():
                    states.prepare(advance, writes=loop.is_main)
                made.append(states)
        return made[0], made[1] if held else made[0]

    def _images(self, loop: Loop) -> Mapping[int, torch.Tensor] | None:
        if not self.settings.unet_steps:
            return None
        pairs = [self.pairs.pairs[i] for i in self.trained]
        _, height, width = self.teacher.latent_shape()
        scale = 2 ** (len(self.teacher.vae.config.block_out_channels) - 1)
        n = sum(pair.image is not None for pair in pairs)
        found: Latents | None = None
        with (
            counting("pictures", n, self.loop_settings, loop.is_main) as advance,
            loop.accelerator.main_process_first(),
        ):
            vae = self.teacher.vae.to(loop.device) if n else self.teacher.vae
            found = latents_of(
                pairs, vae, (height * scale, width * scale), self.folder,
                {"unet": self.teacher.hashes[1], "pairs": self._keys()["pairs"]}, advance,
                writes=loop.is_main,
            )  # fmt: skip
        return found

    def _stages(
        self,
        loop: Loop,
        adapter: Adapter,
        ruler: Ruler,
        states: States,
        images: Mapping[int, torch.Tensor] | None,
    ) -> dict[str, float]:
        """Run both; what they reach on held-out pairs."""
        settings, reached = self.settings, dict[str, float]()
        text = TextObjective(ruler.layers, states, settings, ruler.pooled, loop.device)

        def measured() -> dict[str, float]:
            return ruler.measured(adapter, self.teacher)

        stage = partial(Stage, has_muon=True)
        loop.run(stage("text", settings.text_steps, settings.text_lr), text, measured)
        unet = UnetObjective(
            self.teacher, states, settings, ruler.layers, ruler.pooled,
            (ruler.noise, ruler.blocks), images, loop.device,
        )  # fmt: skip
        loop.run(stage("unet", settings.unet_steps, settings.unet_lr), unet, measured)
        for stage, values in loop.finished.items():
            reached |= {f"{stage}.{name}": value for name, value in values.items()}
        if not reached:
            raise TrainingError("nothing was trained")
        return reached

    def _record(self, loop: Loop, losses: Mapping[str, float]) -> AlignmentRecord:
        settings, pictures = self.settings, sum(p.image is not None for p in self.pairs.pairs)
        before = None if self.start is None else self.start.record
        stages = {"text": settings.text_steps, "unet": settings.unet_steps}
        if before is not None:
            stages = {name: n + before.stages.get(name, 0) for name, n in stages.items()}
            losses = {**before.losses, **losses}
        data = self.pairs.path.name + (f", {pictures} with pictures" if pictures else "")
        return AlignmentRecord(
            tower=self.tower_hash,
            tower_name=self.tower.name,
            tower_clip_skips=settings.clip_skips,
            teacher=self.teacher.hashes[0],
            teacher_clip_skips=settings.layers_of_teacher,
            unet=self.teacher.hashes[1],
            family=self.teacher.family,
            width=self.teacher.width,
            data=data,
            n_pairs=len(self.pairs.pairs),
            stages=stages,
            losses=dict(losses),
            minutes=round(loop.seconds / 60 + (before.minutes if before else 0.0), 2),
        )


_STATES_KEYS = (
    "pairs", "teacher", "tower", "dialect", "clip_skips", "teacher_clip_skips",
)  # fmt: skip
