"""Define `clipcond search` and `clipcond interrogate`: from texts to pictures, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.options import (
    AllowPickle,
    AsJson,
    Dialect,
    check_name,
    check_text,
    model_option,
    plain_option,
)
from clipcond.cli.reading import ENCODERS, Device, Encoder, open_encoder
from clipcond.errors import PictureError

if TYPE_CHECKING:
    from clipcond.reading import ImageIndex, Interrogation


def search(
    folder: Annotated[Path, typer.Argument(help="Pictures, or an index that was saved.")],
    query: Annotated[
        str | None,
        typer.Argument(help="What to look for, in quotes.", callback=check_text),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to be near to.")] = None,
    image_weight: Annotated[
        float,
        typer.Option(min=0, max=1, help="With a text and a picture: 0 = text, 1 = picture."),
    ] = 0.5,
    k: Annotated[int, typer.Option("-k", min=1, metavar="K", help="How many to show.")] = 5,
    index: Annotated[
        Path | None,
        plain_option("INDEX", "A folder to keep the index in: the next search reads it."),
    ] = None,
    encoder: Annotated[
        str | None,
        model_option("E", ENCODERS, "the index's, or embedded", callback=check_name),
    ] = None,
    device: Device = "cpu",
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Find pictures by a text, by a picture, or by both."""
    if query is None and image is None:
        raise typer.BadParameter("give a text to look for, or --image PICTURE")
    if image is not None:
        from clipcond.reading import read_picture

        read_picture(image)  # a wrong name should not cost what indexing takes
    if query is not None and not query.strip():
        raise typer.BadParameter("the text to look for is empty")
    found, bad = _indexed(folder, index, encoder, device, allow_pickle)
    for _, why in bad:
        console.say(why)
    if not len(found):
        raise PictureError(f"no picture in {str(folder)!r} can be read", folder)
    if query is None and image is not None:
        results = found.search(image, k=k)
    else:
        results = found.search(query or "", image=image, image_weight=image_weight, k=k)
    if as_json:
        shown = {
            "encoder": found.encoder.name,
            "n_pictures": len(found),
            "results": [{"file": str(path), "score": score} for path, score in results],
            "unreadable": [str(path) for path, _ in bad],
        }
        print(json.dumps(shown))
        return
    for path, score in results:
        print(f"{score:.4f}  {path}")


def interrogate(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture.")],
    words: Annotated[
        list[str] | None,
        plain_option(
            "FILE",
            "Phrases to choose from, one a line; or ours: nouns, backgrounds, media, styles, "
            "colours, quality. More than once.",
            "all of ours",
        ),
    ] = None,
    dialect: Dialect = "a1111",
    beam: Annotated[
        int, plain_option("N", "Prompts to go on with at each step; 1 is fastest.", min=1)
    ] = 4,
    captioner: Annotated[
        str | None,
        model_option(
            "C", "A BLIP model, folder or Hub id, that begins the prompt.", callback=check_name
        ),
    ] = None,
    encoder: Encoder = "embedded",
    device: Device = "cpu",
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Infer a prompt from a picture."""
    with waiting("loading"):
        from clipcond.conditioning.dialects import find_dialect
        from clipcond.reading import interrogate as infer

        own_dialect = find_dialect(dialect)
        own = open_encoder(encoder, device, allow_pickle)
    with waiting("reading"):
        found = infer(own, image, words, dialect=own_dialect, beam=beam, captioner=captioner)
    print(json.dumps(_interrogation_json(found, own.name, image)) if as_json else found.prompt)


def _indexed(
    folder: Path, place: Path | None, encoder: str | None, device: str, allow_pickle: bool
) -> tuple[ImageIndex, tuple[tuple[Path, str], ...]]:
    """Open an index, or make one of a folder of pictures; list the files that were left out."""
    with waiting("loading"):
        from clipcond.reading import ImageIndex, pictures_in
        from clipcond.reading.index_files import holds_index, read_saved

        saved = next((each for each in (folder, place) if each and holds_index(each)), None)
        name = encoder or (read_saved(saved).encoder if saved else "embedded")
        own = open_encoder(name, device, allow_pickle)
    if saved == folder:
        return ImageIndex.open(folder, own), ()
    files = pictures_in(folder)
    index = ImageIndex(own) if saved is None else ImageIndex.open(saved, own)
    if index.remove_missing(folder) and saved is not None:
        index.save(saved)
    update = index.add(files, save_to=place, progress=len(files) > 1)
    asked = set(files)
    index.remove([path for path in index.paths if path not in asked])  # those of other folders
    return index, update.bad


def _interrogation_json(found: Interrogation, encoder: str, image: Path) -> dict[str, Any]:
    ranked = {
        kind: [{"text": text, "score": score} for text, score in best]
        for kind, best in found.ranked.items()
    }
    return {
        "encoder": encoder,
        "file": str(image),
        "prompt": found.prompt,
        "score": found.score,
        "phrases": {kind: list(own) for kind, own in found.phrases.items()},
        "ranked": ranked,
        "caption": found.caption,
    }
