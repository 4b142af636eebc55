"""Find a tokenizer in a model's folder, or in the pipeline's folder `tokenizer` next to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from clipcond.errors import CheckpointError, excerpt
from clipcond.files import MOST_JSON, is_file, opened, read_json

_KIND = re.compile(rb'"model"\s*:\s*{\s*"type"\s*:\s*"(\w+)"')  # as tokenizers writes it
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
        if not any(is_file(place / name) for name in names):
            continue
        try:
            return _checked(read(place))
        except CheckpointError:
            raise
        except BaseException as error:  # a broken file: whatever the tokenizers library raises
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            reason = excerpt(str(error).strip().partition("\n")[0], 200) or type(error).__name__
            message = f"the tokenizer in {str(place)!r} is broken: {reason}"
            raise CheckpointError(message, place, "Download or save it again.") from error
    raise CheckpointError(
        f"there is no tokenizer for {str(folder)!r}",
        folder,
        f"Looked for {' or '.join(names)} in: {', '.join(map(str, places))}",
    )


def model_kind(folder: Path) -> str | None:
    """Read from a folder's tokenizer.json what splits words: "BPE", "WordPiece", "Unigram", ...

    Returns:
        None if there is no tokenizer.json, it does not say, or its reader will find it broken.
    """
    path = folder / "tokenizer.json"
    try:
        with opened(path) as file:
            written = _KIND.search(file.read(MOST_JSON))
        if written:  # reading 3.6 MB of it as JSON takes as long as opening it
            return written[1].decode()
        model = read_json(path).get("model")
    except CheckpointError:
        return None
    kind = model.get("type") if isinstance(model, dict) else None
    return kind if isinstance(kind, str) else None


def _checked(tokenizer: Kind) -> Kind:
    """Refuse a tokenizer that cannot encode a word, or has no length of chunks.

    Raises:
        ValueError: why.
    """
    length: object = getattr(tokenizer, "model_max_length", None)
    if isinstance(length, bool) or not isinstance(length, int | float) or not length >= 3:
        raise ValueError(f"its model_max_length is {excerpt(repr(length))}, expected a number")
    encode: Any = tokenizer
    encode("ᚠ", add_special_tokens=False)  # a sign that few vocabularies have
    ids = encode("a cat. 猫", add_special_tokens=False)["input_ids"]
    if not ids or set(ids) == {encode.unk_token_id}:
        raise ValueError("its vocabulary has no entry for 'a cat.'")
    return tokenizer
