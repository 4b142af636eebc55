"""Run the stages of an alignment, and write the adapter with its record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from clipcond import __version__
from clipcond.adapters import (
    Adapter,
    AlignmentRecord,
    save_adapter,
)
from clipcond.checkpoints.hashes import module_hash, tower_hash
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialects import find_dialect
from clipcond.training.adapter_setup import copy_adapter, new_adapter, set_first_rows
from clipcond.training.loop import Loop
from clipcond.training.measures import Baseline, check_progress, measure_baseline
from clipcond.training.objectives import Latents, TextObjective, UnetObjective
from clipcond.training.pair_encoding import (
    GB,
    EncodedPairs,
    PromptEncoder,
    SideEncoder,
    count_pair_chunks,
)
from clipcond.training.pairs import Pairs
from clipcond.training.pictures import encode_latents, encode_pictures, find_broken_pictures
from clipcond.training.reporting import report_skipped
from clipcond.training.settings import AlignSettings, LoopSettings, plain_values
from clipcond.training.sources import Source
from clipcond.training.stage import Stage
from clipcond.training.teacher import Teacher

MAX_HELD_OUT = 256  # pairs that are measured and not trained on
N_PICTURES = 8  # encoded at once
_ENCODING_KEYS = ("pairs", "teacher", "tower", "dialect", "clip_skips", "teacher_clip_skips")


@dataclass
class Alignment:
    """One call of `align` or `align_images`.

    Args:
        source: what the adapter reads.
        folder: of the run.
        start: an adapter to train further; None = a new one.
    """

    teacher: Teacher
    source: Source
    pairs: Pairs
    folder: Path
    settings: AlignSettings
    loop_settings: LoopSettings
    start: Adapter | None

    def run(self, output: Path, *, keep: bool) -> AlignmentRecord:
        """Train, or train what is left, and write the adapter."""
        self.source_hash = self.source.fingerprint()
        if self.start is None:
            adapter = new_adapter(self.teacher, self.source, self.settings, self.loop_settings.seed)
        else:
            adapter = copy_adapter(self.start, self.teacher, self.source.name, self.source_hash)
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

    def _make_encoders(self) -> tuple[SideEncoder, SideEncoder]:
        """Make the encoders of the teacher's texts and of what the adapter reads.

        Raises:
            TowerError: a layer that is not there.
        """
        settings = self.settings
        teacher = Conditioner(*self.teacher.towers, dialect=find_dialect(settings.dialect))
        skips, length = settings.paired_teacher_skips, self.teacher.length
        source = self.source.encoder(settings)
        for theirs in skips:
            teacher.layers(theirs)
        return PromptEncoder(teacher, skips, length, attrgetter("teacher")), source

    def _skip_unusable(self, teacher: SideEncoder, source: SideEncoder) -> list[tuple[int, int]]:
        """Skip pairs that cannot be used after all; return the others' numbers of chunks."""
        pairs, settings = self.pairs.pairs, self.settings
        bad, sizes = count_pair_chunks(pairs, teacher, source, settings.max_chunks)
        reads_pictures = settings.unet_steps or self.source.reads_pictures
        broken = find_broken_pictures(pairs) if reads_pictures else []
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
            "unet_weights": module_hash(self.teacher.unet),
            "vae": module_hash(self.teacher.vae),
            "scheduler": json.dumps(
                dict(self.teacher.scheduler.config), sort_keys=True, default=str
            ),
            "tower": self.source_hash,
            "start": None if self.start is None else tower_hash(self.start.state_dict()),
        }

    def _move_frozen(self) -> None:
        device, dtype = self.loop.device, self.loop.frozen_dtype
        self.teacher.to(device, dtype)
        self.source.to(device, dtype)
        if self.settings.gradient_checkpointing:
            self.teacher.unet.train()  # diffusers needs it for that; no module here has dropout
            self.teacher.unet.enable_gradient_checkpointing()

    def _encode_pairs(
        self, encoders: tuple[SideEncoder, SideEncoder], sizes: list[tuple[int, int]]
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
        keys = {
            "vae": module_hash(self.teacher.vae),
            "pairs": self.pairs.fingerprint(),
            "size": size,
        }
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
            tower=self.source_hash,
            tower_name=self.source.name,
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
