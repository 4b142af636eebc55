"""What a caller should hear: warnings about a prompt, and one clear error for broken numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, inner_ids
from clipcond.chunking.tokens import Token
from clipcond.errors import PromptWarning, TowerError, WeightingError, excerpt, warn
from clipcond.prompt import Break, Issue, ParsedPrompt
from clipcond.towers.base import TextTower
from clipcond.weighting import Encode

__all__ = [
    "check_finite",
    "place_of_weight",
    "warn_cut",
    "warn_dropped",
    "warn_issues",
    "warn_unread",
]

MAX_SHOWN = 5


def warn_issues(prompt: str, issues: Sequence[Issue]) -> None:
    """Pass on what was accepted but hardly meant, or cannot be done in one encoding."""
    for issue in issues[:MAX_SHOWN]:
        warn(PromptWarning(issue.message, prompt, issue.position, issue.remedy))
    n_more = len(issues) - MAX_SHOWN
    if n_more > 0:
        warn(PromptWarning(f"{n_more} more such places in this prompt"))


def warn_unread(parsed: Iterable[ParsedPrompt], towers: Sequence[TextTower]) -> None:
    """Say which words and characters mean nothing to the towers, where these can tell."""
    texts = [part.text for prompt in parsed for part in prompt.segments if not part.is_name]
    for tower in towers:
        message = tower.unread(texts) if hasattr(tower, "unread") else ""
        if message:
            warn(PromptWarning(message))
            break  # the second tower of a pair reads the same language


def warn_cut(tokens: Sequence[Token | Break], tower: TextTower) -> None:
    """Say which textual inversion is cut, for no chunk can hold it."""
    inner = inner_ids((token for token in tokens if isinstance(token, Token)), tower.special)
    n_vectors, room = 0, tower.special.room
    for token in tokens if inner else ():
        n_vectors = n_vectors + 1 if isinstance(token, Token) and token.id in inner else 1
        if n_vectors == room + 1:
            message = f"a textual inversion has more vectors than the {room} tokens of a chunk of "
            message += f"{tower.name!r}: it is cut"
            warn(PromptWarning(message))
            break


def warn_dropped(chunks: Sequence[TokenChunk], n_kept: int, tower: TextTower, dialect: str) -> None:
    """Say what is lost of a prompt that has more chunks than its dialect takes."""
    ids = [chunk.input_ids[place] for chunk in chunks[n_kept:] for place in chunk.places]
    lost = " ".join(tower.tokenizer.pieces(ids[:60]))
    lost = lost if len(lost) <= 60 else lost[:57] + "..."
    warn(
        PromptWarning(
            f"the prompt needs {len(chunks)} chunks of {tower.special.room} tokens; dialect "
            f"{dialect!r} takes {n_kept}; dropped: {lost!r}",
            remedy="The other dialects take prompts of any length.",
        )
    )


def place_of_weight(parsed: ParsedPrompt) -> int:
    """Where the text stands whose weight is farthest from 1; the beginning if none is weighted."""
    heaviest = max(parsed.segments, key=lambda segment: abs(segment.weight - 1.0), default=None)
    return 0 if heaviest is None or heaviest.weight == 1.0 else heaviest.start


def check_finite(
    embeds: Tensor,
    prompts: Iterable[tuple[ParsedPrompt, Sequence[TokenChunk]]],
    name: str,
    encode: Encode,
) -> None:
    """Refuse NaN and infinities in embeds [n S D], which end as a black image.

    Args:
        prompts: what each row of embeds was read as, and its chunks.
        name: what messages call the one that gave them.
        encode: the same without weights.

    Raises:
        WeightingError: weights brought them about; shows the most extreme one.
        TowerError: they are there without weights.
    """
    if bool(torch.isfinite(embeds).all()):
        return
    for row, (parsed, chunks) in zip(embeds, prompts, strict=True):
        if bool(torch.isfinite(row).all()):
            continue
        if not bool(torch.isfinite(encode(chunks).hidden).all()):
            raise TowerError(
                f"{name} itself gives NaN or infinite values for the prompt "
                f"{excerpt(parsed.source)!r}",
                f"Its weights are broken, or too large for {_dtype(embeds)}: try float32.",
            )
        weight = max((w for chunk in chunks for w in chunk.weights), key=_extremeness)
        raise WeightingError(
            f"the weight {weight:g} leads to NaN or infinite values in {_dtype(embeds)}",
            parsed.source,
            place_of_weight(parsed),
            "Useful weights lie between 0 and 2.",
        )


def _extremeness(weight: float) -> float:
    return abs(weight) if weight == weight else float("inf")


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
