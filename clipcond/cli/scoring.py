"""Define `clipcond score`: pictures against prompts, their own or one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.options import (
    AllowPickle,
    AsJson,
    check_name,
    check_picture,
    check_text,
    model_option,
    reading_option,
)
from clipcond.cli.reading import ENCODERS, Device, open_encoder
from clipcond.errors import ClipcondError, warn

if TYPE_CHECKING:
    from clipcond.reading import DualEncoder, PromptScore

A1111 = "a1111"
EMBEDDED, EMBEDDED_ZH = "embedded", "embedded-zh"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A picture, the prompt that it should show, its text without syntax; or what is wrong."""

    file: Path
    prompt: str = ""
    text: str = ""
    error: str = ""


def score(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture, or a folder of them.")],
    prompt: Annotated[
        str | None,
        typer.Argument(
            help="The prompt, in quotes.", show_default="each picture's own", callback=check_text
        ),
    ] = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="Also each part of the prompt: which is missing?")
    ] = False,
    matrix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of a folder: draw every picture with every prompt."),
    ] = None,
    dialect: Annotated[
        str | None,
        reading_option("D", "The tool to read as.", "the picture's, or a1111"),
    ] = None,
    encoder: Annotated[
        str | None,
        model_option(
            "E", ENCODERS, "that of the picture's tower, or embedded", callback=check_name
        ),
    ] = None,
    device: Device = "cpu",
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Score how well pictures show prompts: CLIPScore, 2.5 * max(cosine, 0)."""
    is_folder = image.is_dir()
    if parts and is_folder:
        raise typer.BadParameter("--parts takes one picture")
    if matrix is not None:
        check_picture(matrix)
        if not is_folder:
            raise typer.BadParameter("--matrix takes a folder of pictures")
    with waiting("loading"):
        from clipcond.conditioning.dialects import find_dialect
        from clipcond.reading import score_parts

        find_dialect(dialect or A1111)  # a typing error should not cost what loading takes
        named = encoder or _encoder_of(image, prompt)
        own = open_encoder(named, device, allow_pickle)
    if is_folder:
        _score_folder(own, image, (prompt, dialect), matrix, as_json)
        return
    text, name = _prompt_of(image, prompt, dialect)
    console.prompts = [text]
    result = score_parts(own, image, text, dialect=name)  # type: ignore[arg-type]
    if as_json:
        print(json.dumps(_score_json(result, own, image)))
    else:
        print("\n".join(_scored(result, parts=parts)))


def _score_folder(
    own: DualEncoder,
    folder: Path,
    given: tuple[str | None, str | None],
    matrix: Path | None,
    as_json: bool,
) -> None:
    from clipcond.reading import pictures_in
    from clipcond.reading.scoring import score_pairs

    asked = [_asked(own, file, *given) for file in pictures_in(folder)]
    good = [each for each in asked if not each.error]
    files, texts = [each.file for each in good], [each.text for each in good]
    scores = iter(score_pairs(own, files, texts, progress=len(files) > 1) if good else ())
    results = [_result(each, None if each.error else next(scores)) for each in asked]
    for each in results:
        if "error" in each:
            console.say(each["error"])
    found = [each["score"] for each in results if "score" in each]
    if not found:
        raise typer.Exit(1)
    mean = sum(found) / len(found)
    if matrix is not None:
        _draw(own, results, dict(zip(files, texts, strict=True)), matrix)
    if as_json:
        print(json.dumps({"encoder": own.name, "pictures": results, "mean": mean}))
        return
    for each in results:
        if "score" in each:
            print(f"{each['score']:.4f}  {each['file']}")
    print(f"mean {mean:.4f} of {len(found)}")


def _encoder_of(image: Path, prompt: str | None) -> str:
    """Choose the encoder of the embedded tower that read the pictures' own prompts.

    Where pictures of a folder name both, one is taken for all: scores of two cannot be compared.
    """
    if prompt is not None:
        return EMBEDDED
    from clipcond.metadata import read_parameters
    from clipcond.reading import pictures_in

    towers = set()
    for file in pictures_in(image) if image.is_dir() else [image]:
        try:
            own = read_parameters(file).others.get("Tower")
        except ClipcondError:  # it is said when the picture is scored
            continue
        towers.add(EMBEDDED_ZH if own == EMBEDDED_ZH else EMBEDDED)
    if len(towers) > 1:
        warn(
            f"some pictures are of tower {EMBEDDED_ZH}, others are not: all are scored with "
            f"{EMBEDDED}. Say --encoder {EMBEDDED_ZH} for the others"
        )
    return EMBEDDED_ZH if towers == {EMBEDDED_ZH} else EMBEDDED


def _prompt_of(file: Path, prompt: str | None, dialect: str | None) -> tuple[str, str]:
    """Take the prompt that was given, or read the picture's own; and find its dialect.

    Raises:
        PictureError: the picture does not say how it was made.
    """
    if prompt is not None:
        return prompt, dialect or A1111
    from clipcond.conditioning.dialects import DIALECTS
    from clipcond.metadata import read_parameters

    found = read_parameters(file)
    own = found.others.get("Dialect", "")
    return found.prompt, dialect or (own if own in DIALECTS else A1111)


def _asked(own: DualEncoder, file: Path, prompt: str | None, dialect: str | None) -> _Asked:
    from clipcond.reading.scoring import scored_texts

    try:
        shown, name = _prompt_of(file, prompt, dialect)
        (text,) = scored_texts(own, [shown], name)  # type: ignore[arg-type]
    except ClipcondError as error:
        if prompt is not None:
            raise
        return _Asked(file, error=str(error) if str(file) in str(error) else f"{file}: {error}")
    return _Asked(file, shown, text)


def _result(asked: _Asked, score: object) -> dict[str, Any]:
    if asked.error:
        return {"file": str(asked.file), "error": asked.error}
    if isinstance(score, float):
        return {"file": str(asked.file), "prompt": asked.prompt, "score": score}
    return {"file": str(asked.file), "error": str(getattr(score, "error", score))}


def _draw(
    own: DualEncoder, results: Sequence[dict[str, Any]], texts: dict[Path, str], file: Path
) -> None:
    from clipcond.metadata import save_picture
    from clipcond.reading import draw_score_matrix

    files = [Path(each["file"]) for each in results if "score" in each]
    rows = list(dict.fromkeys(texts[each] for each in files))
    save_picture(draw_score_matrix(own, files, rows)[1], file)
    console.say(f"wrote {file}")


def _score_json(result: PromptScore, encoder: DualEncoder, image: Path) -> dict[str, Any]:
    names = ("text", "start", "stop", "score", "gain")
    return {
        "encoder": encoder.name,
        "file": str(image),
        "prompt": result.prompt,
        "score": result.score,
        "parts": [{name: getattr(part, name) for name in names} for part in result.parts],
    }


def _scored(result: PromptScore, *, parts: bool) -> Iterator[str]:
    yield f"{result.score:.4f}"
    if parts:
        yield "score   gain     part"
        for part in result.parts:
            gain = "" if part.gain is None else f"{part.gain:+.4f}"
            yield f"{part.score:.4f}  {gain:8} {part.text}"
