"""Choose a tower among those of a file, and settle what its tensors do not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipcond.checkpoints.activation import ACTIVATIONS, Activation
from clipcond.checkpoints.contents import describe, list_contents
from clipcond.checkpoints.header import Header
from clipcond.checkpoints.layouts import HEAD_WIDTH, FoundTower, find_towers
from clipcond.checkpoints.tensor_names import OPEN_CLIP
from clipcond.checkpoints.tower_settings import TowerSettings
from clipcond.errors import CheckpointError, UnknownNameError, warn


@dataclass(frozen=True, slots=True)
class TowerChoice:
    """Which tower of a file is meant, and what the file does not say of it.

    Attributes:
        part: its number; None = the only one.
        kind: of tower; None = any.
        activation: "gelu" or "quick_gelu" in place of what is guessed.
        full_depth: with the blocks and the projection that the file's UNet was not trained on.
        allow_pickle: whether a pickle's weights may be read.
    """

    part: int | None = None
    kind: str | None = None
    activation: str | None = None
    full_depth: bool = False
    allow_pickle: bool = False


def choose_tower(header: Header, choice: TowerChoice) -> FoundTower:
    """Find the tower that is meant.

    Returns:
        the tower as its UNet was trained with it, or at full depth.

    Raises:
        CheckpointError: there is none, it is not clear which of several, or it is not whole.
    """
    path, towers = header.path, find_towers(header)
    if not towers:
        found = list_contents(header)
        remedy = f"It holds {describe(found)}. {found.advice}".rstrip()
        raise CheckpointError(f"{str(path)!r} holds no text tower", path, remedy)
    part, kind = choice.part, choice.kind
    meant = [t for t in towers if part in (None, t.part) and kind in (None, t.layout.kind)]
    if len(meant) != 1:
        raise _unclear(path, towers, meant, choice)
    (tower,) = meant
    if tower.problem:
        is_own = tower.layout.scheme is OPEN_CLIP and tower.layout.prefix in ("", "text.")
        more = " Where open_clip opens it, give its model to OpenClipTower." if is_own else ""
        raise CheckpointError(
            f"{str(path)!r}: {tower.problem}",
            path,
            f"The tower is {tower}, in the layout of {tower.layout.place}.{more}",
        )
    return tower if choice.full_depth else tower.as_trained()


def _unclear(
    path: Path, towers: Sequence[FoundTower], meant: Sequence[FoundTower], choice: TowerChoice
) -> CheckpointError:
    """Make the error for a choice that several towers fit, or none."""
    n_towers = "one text tower" if len(towers) == 1 else f"{len(towers)} text towers"
    holds = f"{n_towers}: {'; '.join(map(str, towers))}"
    if meant:
        one, other = meant[0].part, meant[1].part
        remedy = f"Say which: part={one} or part={other}, or '{path.name}#{one}'."
        return CheckpointError(f"{str(path)!r} holds {holds}", path, remedy)
    wanted = "" if choice.part is None else f" #{choice.part}"
    wanted += "" if choice.kind is None else f" of kind {choice.kind!r}"
    kinds = ", ".join(tower.layout.kind for tower in towers)
    message = f"{str(path)!r} has no text tower{wanted}"
    return CheckpointError(message, path, f"It holds {holds} (kind {kinds}).")


def settle(
    settings: TowerSettings, tower: FoundTower, choice: TowerChoice, path: Path
) -> TowerSettings:
    """Check heads and activation, and warn where they are guesses.

    Raises:
        CheckpointError: one of them is unknown, or heads do not fit the width.
    """
    width, n_heads = tower.sizes.width, settings.n_heads
    if not n_heads:
        raise CheckpointError(
            f"{str(path)!r}: a width of {width} does not show how many heads {tower} has",
            path,
            "Put the model's config.json next to the file.",
        )
    if width % n_heads:
        message = f"{str(path)!r} is {width} wide, which {n_heads} attention heads cannot share"
        raise CheckpointError(message, path)
    if not settings.heads_are_sure:
        warn(
            f"the number of heads of {path.name} {tower} is a guess: {n_heads}, each {HEAD_WIDTH} "
            "wide as in published towers; with another number its embeddings are wrong. Put the "
            "model's config.json next to the file."
        )
    if choice.activation is not None:
        if choice.activation not in ACTIVATIONS:
            raise UnknownNameError("activation", choice.activation, ACTIVATIONS)
        return replace(settings, activation=Activation(choice.activation, "as asked", True))
    guess = settings.activation
    if not guess.name:
        message = f"{str(path)!r}: nothing shows the activation of {tower}: {guess.why}"
        remedy = "Say activation='gelu' or activation='quick_gelu'."
        raise CheckpointError(message, path, remedy)
    if not guess.is_sure:
        warn(
            f"the activation of {path.name} {tower} is taken to be {guess.name} ({guess.why}); "
            f"activation= says otherwise"
        )
    return settings
