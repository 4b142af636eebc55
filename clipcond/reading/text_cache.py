"""Keep the embeddings of texts that are compared again and again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from clipcond.reading.encoder import DualEncoder

MOST = 50_000  # texts of an encoder: 150 MB at 768 numbers

_KEPT: WeakKeyDictionary[DualEncoder, tuple[Hashable, dict[str, Tensor]]] = WeakKeyDictionary()


def embed_cached(encoder: DualEncoder, texts: Sequence[str]) -> Tensor:
    """Encode texts [n P] as `DualEncoder.embed` does, trimmed; known ones are not run again.

    What is known is forgotten as soon as a weight of the text tower changes.
    """
    key = encoder.tower.fingerprint()
    kept_key, kept = _KEPT.get(encoder, (None, {}))
    if kept_key != key:
        kept = {}
    new = [text for text in dict.fromkeys(texts) if text not in kept]
    if len(kept) + len(new) > MOST:
        kept = {text: kept[text] for text in dict.fromkeys(texts) if text in kept}
    if new:
        kept.update(zip(new, encoder.embed(new, trimmed=True).unbind(), strict=True))
    _KEPT[encoder] = key, kept
    return torch.stack([kept[text] for text in texts])
