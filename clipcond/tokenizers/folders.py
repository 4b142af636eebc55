"""Find a tokenizer in a model's folder, or in the pipeline's folder `tokenizer` next to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from clipcond.errors import CheckpointError

__all__ = ["open_tokenizer"]

Kind = TypeVar("Kind")


def open_tokenizer(
    folder: Path, names: Sequence[str], read: Callable[[Path], Kind], *others: Path
) -> Kind:
    """Open the tokenizer of a model, which may be in the neighbouring folder of a pipeline.

    Args:
        folder: the model's; for `text_encoder_2` its neighbour is `tokenizer_2`.
        names: file names; a folder with one of them holds a tokenizer.
        read: opens the tokenizer in a folder.
        others: further folders that may hold it.
    Raises:
        CheckpointError: there is none, or it is broken.
    """
    neighbour = folder.parent / folder.name.replace("text_encoder", "tokenizer")
    places = list(dict.fromkeys([folder, neighbour, *others]))
    for place in places:
        if not any((place / name).is_file() for name in names):
            continue
        try:
            return read(place)
        except CheckpointError:
            raise
        except Exception as error:  # a broken file: whatever the tokenizers library raises
            message = f"the tokenizer in {str(place)!r} is broken: {error}"
            raise CheckpointError(message, place) from error
    raise CheckpointError(
        f"there is no tokenizer for {str(folder)!r}",
        folder,
        f"Looked for {' or '.join(names)} in: {', '.join(map(str, places))}",
    )
