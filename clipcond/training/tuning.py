"""Fine-tune a text tower itself: captions come near the frozen features of their pictures."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clipcond import __version__
from clipcond.adapters import tower_fingerprint
from clipcond.checkpoints import load_tower
from clipcond.checkpoints.hashes import tower_hash
from clipcond.errors import CheckpointError, PairsError, TrainingError
from clipcond.towers import ChineseClipTower, OpenAIClipTower, TextTower
from clipcond.training.accelerator import release
from clipcond.training.latents import unreadable
from clipcond.training.loop import Loop, Losses, Stage
from clipcond.training.pairs import Pair, Pairs, read_pairs
from clipcond.training.run_folder import make_folder, remove_run
from clipcond.training.run_log import check_board, counting, say
from clipcond.training.settings import LoopSettings, check_positive, stated
from clipcond.training.tables import Columns
from clipcond.training.text_stage import contrast
from clipcond.training.tower_files import check_replaceable, save_tower, with_projection
from clipcond.training.vision_features import Vision, features_of, open_vision

__all__ = ["TuneSettings", "read_captions", "tune_tower"]

MAX_SCALE = math.log(100.0)  # Source: Radford et al. 2021, 2.5
HELD_OUT_EVERY, MAX_HELD_OUT = 20, 512


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """What is trained, and how long.

    Args:
        steps, batch, lr: of the one stage; `batch` in each process, whose members are one
            another's negatives.
        temperature: that cosines are divided by at first; it is learned.
    """

    steps: int = 2000
    batch: int = 128
    lr: float = 5e-5
    temperature: float = 0.07

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise TrainingError(
                "at least 1 step and a batch of 2 are needed, not "
                f"steps={self.steps}, batch={self.batch}"
            )
        check_positive("lr", self.lr)
        check_positive("temperature", self.temperature)


def read_captions(
    path: str | Path,
    *,
    image_column: str | None = None,
    text_column: str | None = None,
    max_bad: int | None = None,
) -> Pairs:
    """A file of pictures and captions: columns `image` and `text`, or a .tsv of these two.

    Raises:
        PairsError: as for `read_pairs`.
    """
    columns = Columns(
        teacher=image_column,
        tower=text_column,
        image=image_column,
        usual=("image", "text", "image"),
        sides=("its picture", "its caption"),
        options="--image-column, --text-column",
    )
    return read_pairs(path, columns, max_bad=max_bad)


def tune_tower(
    tower: TextTower | str,
    vision: Vision | str | Path,
    pairs: Pairs | str | Path,
    output: str | Path,
    *,
    settings: TuneSettings | None = None,
    loop: LoopSettings | None = None,
    run: str | Path | None = None,
    keep: bool = False,
    overwrite: bool = False,
) -> dict[str, float]:
    """Train a text tower on captions, by the objective of CLIP, against a frozen vision tower.

    Args:
        tower: a CLIP or ChineseCLIP tower, or a name for `load_tower`. It is trained in place. One
            without a projection to the features' width gets one.
        vision: a vision tower, its folder, or "embedded".
        pairs: pictures with captions, from `read_captions`.
        output: a folder; transformers and `load_tower` read it.
        run, keep, overwrite: as for `align`.
    Returns:
        what was reached on held-out pairs: `loss`, and `top1`, how often a caption's own picture is
        the nearest of a batch.
    Raises:
        PairsError, TrainingError, CheckpointError, TowerError.
    """
    settings, loop = settings or TuneSettings(), loop or LoopSettings()
    output = Path(output).expanduser()
    folder = Path(run).expanduser() if run else output.with_name(output.name + ".run")
    check_board(loop)
    if output.exists() and not overwrite:
        raise CheckpointError(
            f"{str(output)!r} is there already", output, "Name another, or say --overwrite."
        )
    check_replaceable(output)
    tower = load_tower(tower) if isinstance(tower, str) else tower
    vision = vision if isinstance(vision, Vision) else open_vision(vision)
    pairs = pairs if isinstance(pairs, Pairs) else read_captions(pairs)
    if any(pair.image is None for pair in pairs.pairs):
        raise PairsError(f"{str(pairs.path)!r} holds captions without a picture")
    bad = unreadable(pairs.pairs)
    pairs = pairs.without(bad) if bad else pairs
    if pairs.bad:
        told = f"{len(pairs.bad)} of {pairs.n_lines} pairs are skipped:\n{pairs.told()}"
        say(told, loop)
    try:
        return _tuned(tower, vision, pairs, output, folder, settings, loop, keep=keep)
    finally:
        release()


def _tuned(
    tower: TextTower,
    vision: Vision,
    pairs: Pairs,
    output: Path,
    folder: Path,
    settings: TuneSettings,
    loop_settings: LoopSettings,
    *,
    keep: bool,
) -> dict[str, float]:
    said = hashlib.sha256(repr(pairs.pairs).encode()).hexdigest()
    keys = {**stated(settings), "version": __version__, "pairs": said}
    keys |= {"tower": tower_fingerprint(tower), "vision": tower_hash(vision.model.state_dict())}
    projected = with_projection(tower, vision.width, vision.text_projection, loop_settings.seed)
    model = _Captions(projected, settings.temperature)
    make_folder(folder)
    loop = Loop(folder, keys, loop_settings, model)
    features = _features(pairs, vision, loop, {k: keys[k] for k in ("pairs", "vision")})
    n_held_out = min(MAX_HELD_OUT, len(pairs.pairs) // HELD_OUT_EVERY)
    held = {i * len(pairs.pairs) // n_held_out for i in range(n_held_out)}
    trained = [i for i in range(len(pairs.pairs)) if i not in held]
    objective = _Contrast(pairs.pairs, features, trained, settings.batch, loop.device)

    def measured() -> dict[str, float]:
        return objective.measured(model, sorted(held) or trained)

    stage = Stage("tower", settings.steps, settings.lr, weight_decay=0.05)
    reached = loop.run(stage, objective, measured)
    if loop.is_main:
        projected.model.cpu()
        save_tower(projected, output)
        if not keep:
            remove_run(folder)
    loop.accelerator.wait_for_everyone()
    return reached


def _features(pairs: Pairs, vision: Vision, loop: Loop, keys: dict[str, Any]) -> np.ndarray:
    """The frozen tower's features of all pictures [n P]."""
    with (
        counting("pictures", len(pairs.pairs), loop.settings, loop.is_main) as advance,
        loop.accelerator.main_process_first(),
    ):
        on_device = replace(vision, model=vision.model.to(loop.device))
        return features_of(pairs.pairs, on_device, loop.folder, keys, advance, writes=loop.is_main)


class _Captions(nn.Module):
    """A tower and the learned scale of cosines; captions to features."""

    def __init__(self, tower: OpenAIClipTower | ChineseClipTower, temperature: float) -> None:
        super().__init__()
        self.model = tower.model.float().requires_grad_(True)
        self.scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self._tower = tower

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Features [n P] of captions, and the scale of their cosines."""
        ids, mask = self._ids(captions)
        pooled = self._tower.pooled(ids, mask)
        return pooled.float(), self.scale.clamp(max=MAX_SCALE).exp()

    def _ids(self, captions: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """One chunk for each caption, cut to the longest [n l], and what counts of it."""
        special = self._tower.special
        tokens = self._tower.tokenizer.encode_batch(list(captions))
        rows = [[special.bos, *ids[: special.room], special.eos] for ids in tokens]
        length = max(map(len, rows))
        filled = torch.tensor([row + [special.pad] * (length - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
        return filled, mask if special.mask_padding else None


class _Contrast:
    """The objective: whose caption is whose picture's?"""

    def __init__(
        self,
        pairs: Sequence[Pair],
        features: np.ndarray,
        trained: Sequence[int],
        batch: int,
        device: torch.device,
    ) -> None:
        self._pairs, self._features, self._trained = pairs, features, trained
        self._batch, self._device = min(batch, len(trained)), device
        # the same picture, or the same caption, are no negatives of each other
        self._labels = _numbered(p.image for p in pairs), _numbered(p.tower for p in pairs)

    def losses(self, model: nn.Module, rng: random.Random, step: int) -> Losses:
        return self._compared(model, rng.sample(self._trained, self._batch))[0]

    def _compared(self, model: nn.Module, chosen: Sequence[int]) -> tuple[Losses, Tensor]:
        text, scale = model([self._pairs[i].tower for i in chosen])
        images = torch.from_numpy(self._features[list(chosen)]).to(self._device).float()
        labels = [[label[i] for i in chosen] for label in self._labels]
        return {"loss": contrast(text, images, *labels, scale=scale)}, text @ images.T

    @torch.no_grad()
    def measured(self, model: nn.Module, held: Sequence[int]) -> dict[str, float]:
        """Loss and top-1 over batches of held-out pairs."""
        losses, right, n = [], 0, 0
        for start in range(0, len(held), self._batch):
            some = held[start : start + self._batch]
            compared, ranks = self._compared(model, some)
            losses.append(float(compared["loss"]))
            nearest = [some[place] for place in ranks.argmax(dim=1).tolist()]
            right += sum(
                any(label[i] == label[found] for label in self._labels)
                for i, found in zip(some, nearest, strict=True)
            )
            n += len(some)
        return {"loss": sum(losses) / len(losses), "top1": right / n}

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Nothing is kept: every step draws anew."""


def _numbered(values: Iterable[object]) -> list[int]:
    """A number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]
