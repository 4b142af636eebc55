"""Fine-tune a text tower itself: captions come near the frozen features of their pictures."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from clipcond import __version__
from clipcond.adapters import tower_fingerprint
from clipcond.checkpoints import load_tower
from clipcond.checkpoints.hashes import tower_hash
from clipcond.files import local_path
from clipcond.towers import ChineseClipTower, OpenAIClipTower, TextTower
from clipcond.training.accelerator import own_accelerate
from clipcond.training.contrastive import (
    LearnedScale,
    check_loss,
    contrastive_loss,
    encode_in_parts,
)
from clipcond.training.loop import Loop, check_gradients
from clipcond.training.pairs import Pair, Pairs, check_pictures, read_captions
from clipcond.training.pictures import (
    VisionTower,
    encode_pictures,
    find_broken_pictures,
    open_vision,
)
from clipcond.training.reporting import check_tensorboard, report_skipped
from clipcond.training.run_folder import Records, check_absent
from clipcond.training.settings import (
    MAX_SIZE,
    LoopSettings,
    check_number,
    check_settings,
    check_whole,
    plain_values,
)
from clipcond.training.stage import Losses, Objective, Stage
from clipcond.training.tower_files import check_replaceable, save_tower, with_projection

MAX_HELD_OUT = 512  # pairs that are measured and not trained on
N_PICTURES = 32  # encoded at once


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """How a tower is trained.

    Args:
        steps, lr: of the one stage; the learning rate at its peak.
        batch: captions per step and process; those of all processes are each other's negatives.
        encode_at_once: captions of a batch whose activations are in memory at a time (see
            `encode_in_parts`); None = all.
        loss: "softmax" as CLIP's, or "sigmoid" as SigLIP's.
        temperature: that cosines are divided by at first; it is learned. None = as the loss's paper
            has it, 0.07 or 0.1.
    """

    steps: int = 2000
    batch: int = 128
    lr: float = 5e-5
    encode_at_once: int | None = None
    loss: str = "softmax"
    temperature: float | None = None

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 1)
        check_whole("batch", self.batch, 2, MAX_SIZE)
        check_number("lr", self.lr)
        if self.encode_at_once is not None:
            check_whole("encode_at_once", self.encode_at_once, 1, MAX_SIZE)
        check_loss(self.loss)
        if self.temperature is not None:
            check_number("temperature", self.temperature)


def tune_tower(
    tower: TextTower | str | os.PathLike[str],
    vision: VisionTower | str | Path,
    pairs: Pairs | str | Path,
    output: str | Path,
    *,
    settings: TuneSettings | None = None,
    loop: LoopSettings | None = None,
    run: str | Path | None = None,
    keep: bool = False,
    overwrite: bool = False,
) -> dict[str, float]:
    """Train a text tower on captions against a frozen vision tower, by the objective of CLIP.

    Args:
        tower: a CLIP or ChineseCLIP tower, or a name for `load_tower`. Its weights are trained in
            place, but for a CLIP tower without a projection to the features' width: of that a copy
            with one is trained.
        vision: a vision tower, its folder, or "embedded".
        pairs: pictures with captions, from `read_captions`.
        output: a folder; transformers and `load_tower` read it.
        run, keep, overwrite: as for `align`.
    Returns:
        the `loss` on held-out pairs, and `top1`, the share of captions whose own picture is the
        nearest of a batch.
    Raises:
        PairsError: the file of pairs or its pictures cannot be read.
        TrainingError: settings that do not go together, a folder of another run or a damaged one,
            a loss that is not finite, gradients that are switched off.
        CheckpointError: the tower cannot be read, or the output not written.
        TowerError: a tower that cannot be trained.
        ArgumentError: settings or loop are of another class.
    """
    check_gradients()
    settings = check_settings("settings", settings, TuneSettings)
    loop = check_settings("loop", loop, LoopSettings)
    output = local_path(output)
    folder = local_path(run) if run else output.with_name(output.name + ".run")
    check_tensorboard(loop)
    check_absent(output, overwrite=overwrite)
    check_replaceable(output)
    tower = load_tower(tower) if isinstance(tower, str | os.PathLike) else tower
    vision = vision if isinstance(vision, VisionTower) else open_vision(vision)
    pairs = pairs if isinstance(pairs, Pairs) else read_captions(pairs)
    check_pictures(pairs)
    pairs = pairs.without(find_broken_pictures(pairs.pairs))
    report_skipped(pairs, loop)
    with own_accelerate():
        return _train(tower, vision, pairs, output, folder, settings, loop, keep=keep)


def _train(
    tower: TextTower,
    vision: VisionTower,
    pairs: Pairs,
    output: Path,
    folder: Path,
    settings: TuneSettings,
    loop_settings: LoopSettings,
    *,
    keep: bool,
) -> dict[str, float]:
    keys = {
        **plain_values(settings),
        "version": __version__,
        "pairs": pairs.fingerprint(),
        "tower": tower_fingerprint(tower),
        "vision": tower_hash(vision.model.state_dict()),
    }
    projected = with_projection(tower, vision.width, vision.text_projection, loop_settings.seed)
    model = _CaptionEncoder(projected, settings)
    loop = Loop(folder, keys, loop_settings, model)
    images = [pair.image for pair in pairs.pairs if pair.image is not None]
    with loop.storing("pictures", len(images)) as store:
        vision.model.to(loop.device)
        compute = partial(encode_pictures, images, (vision.size, vision.size), vision.features)
        few = {name: keys[name] for name in ("pairs", "vision")}
        features = store(folder / "features", len(images), few, compute, N_PICTURES)
    trained, held_out = pairs.split(MAX_HELD_OUT)
    objective = _CaptionObjective(pairs.pairs, features, trained, settings.batch, loop.device)
    stage = Stage("tower", settings.steps, settings.lr, weight_decay=0.05)
    reached = loop.run(stage, objective, partial(objective.measure, model, held_out or trained))
    loop.finish(lambda: save_tower(projected, output), keep=keep)
    return reached


class _CaptionEncoder(nn.Module):
    """A tower that encodes captions as features, with the learned scale of cosines."""

    def __init__(self, tower: OpenAIClipTower | ChineseClipTower, settings: TuneSettings) -> None:
        super().__init__()
        self.model = tower.model.float().requires_grad_(True)
        self.scale = LearnedScale(settings.loss, settings.temperature)
        self._tower, self._n_at_once = tower, settings.encode_at_once

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Encode captions, each cut to one chunk: features [n P]; scale and bias of cosines."""
        n_at_once = self._n_at_once or len(captions)
        return encode_in_parts(self._encode, captions, n_at_once), *self.scale()

    def _encode(self, captions: Sequence[str]) -> Tensor:
        special = self._tower.special
        tokens = self._tower.tokenizer.encode_batch(list(captions))
        rows = [[special.bos, *ids[: special.room], special.eos] for ids in tokens]
        length = max(map(len, rows))
        ids = torch.tensor([row + [special.pad] * (length - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
        pooled = self._tower.pooled(ids, mask if special.mask_padding else None)
        return pooled.float()


@dataclass
class _CaptionObjective(Objective):
    """Match each caption to its own picture among those of a batch."""

    pairs: Sequence[Pair]
    features: Records
    trained: Sequence[int]
    batch: int
    device: torch.device

    def __post_init__(self) -> None:
        self.batch = min(self.batch, len(self.trained))
        self._captions = [pair.tower for pair in self.pairs]
        # pairs with the same picture, or the same caption, are no negatives of each other
        self._labels = _number(pair.image for pair in self.pairs), _number(self._captions)

    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        drawn = rng.sample(self.trained, self.batch)
        return {"loss": self._compare(model, drawn, gathered=True)[0]}

    def _compare(
        self, model: nn.Module, chosen: Sequence[int], *, gathered: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Compute the loss, and the similarities [n n] of captions and pictures."""
        text, scale, bias = model([self._captions[i] for i in chosen])
        images = torch.from_numpy(self.features[list(chosen)]).to(self.device).float()
        labels = [[label[i] for i in chosen] for label in self._labels]
        loss = contrastive_loss(text, images, *labels, scale=scale, bias=bias, gathered=gathered)
        return loss, text @ images.T

    @torch.no_grad()
    def measure(self, model: nn.Module, held_out: Sequence[int]) -> dict[str, float]:
        """Measure loss and top-1 over batches of held-out pairs."""
        losses, n_right = [], 0
        for start in range(0, len(held_out), self.batch):
            some = held_out[start : start + self.batch]
            loss, similarities = self._compare(model, some)
            losses.append(float(loss))
            nearest = [some[place] for place in similarities.argmax(dim=1).tolist()]
            n_right += sum(
                any(label[i] == label[found] for label in self._labels)
                for i, found in zip(some, nearest, strict=True)
            )
        return {"loss": sum(losses) / len(losses), "top1": n_right / len(held_out)}


def _number(values: Iterable[object]) -> list[int]:
    """Number values in order of their first appearance; equal ones get one number."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]
