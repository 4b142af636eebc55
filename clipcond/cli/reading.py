"""Define `clipcond classify`, and what opens an encoder for other commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
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
)

if TYPE_CHECKING:
    from clipcond.reading import DualEncoder, Evaluation

ENCODERS = "Both halves of a CLIP: embedded, embedded-zh, folder, file or Hub id."
Encoder = Annotated[str, model_option("E", ENCODERS, callback=check_name)]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
# What separates labels, also as Chinese input methods type it.
_COMMAS = re.compile("[,，、]")


def classify(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Pictures, or folders of them.")
    ],
    labels: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", callback=check_text, help="What to choose from."),
    ] = None,
    templates: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            callback=check_text,
            help="photo, openai-7, openai-80, chinese, chinese-7, bare, or a text with {}.",
            show_default='"A photo of a {}", or Chinese',
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Labels shown for each.")] = 5,
    test: Annotated[
        bool,
        typer.Option("--test", help="IMAGE is a folder with a subfolder for each label: measure."),
    ] = False,
    confusion: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --test: draw which label is taken for which."),
    ] = None,
    encoder: Encoder = "embedded",
    device: Device = "cpu",
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Name what pictures show, among labels that you choose: zero-shot classification."""
    chosen = _labels(labels, images, test=test)
    if confusion is not None:
        if not test:
            raise typer.BadParameter("--confusion goes with --test")
        check_picture(confusion)
    with waiting("loading"):
        from clipcond.reading import ZeroShotClassifier

        own = open_encoder(encoder, device, allow_pickle)
        classifier = ZeroShotClassifier(own, chosen, templates)
    if test:
        from clipcond.reading import evaluate

        _show_evaluation(evaluate(classifier, images[0], progress=True), confusion, as_json)
        return
    files, named = _files(images)
    results, failed = [], []
    for place, found in classifier.classify_files(files, top_k=top, progress=len(files) > 1):
        if isinstance(found, list):
            ranked = [{"label": label, "probability": p} for label, p in found]
            results.append({"file": str(files[place]), "labels": ranked})
        else:
            failed.append(place)
            results.append({"file": str(files[place]), "error": found.error.message})
            console.say(str(found.error))
    if as_json:
        print(json.dumps({"encoder": own.name, "labels": chosen, "pictures": results}))
    else:
        for line in _classified(results):
            print(line)
    if len(failed) == len(files) or named.intersection(failed):
        raise typer.Exit(1)


def open_encoder(encoder: str, device: str, allow_pickle: bool) -> DualEncoder:
    """Open both halves of a CLIP."""
    from clipcond.reading import load_encoder

    return load_encoder(encoder, allow_pickle=allow_pickle, device=device)


def _labels(labels: str | None, images: Sequence[Path], *, test: bool) -> list[str]:
    """Split the labels, or take the names of the subfolders that are measured."""
    if test and len(images) != 1:
        raise typer.BadParameter("--test takes one folder, with a subfolder for each label")
    if labels is None and test:
        from clipcond.reading.evaluation import labels_of

        return labels_of(images[0])
    found = [label.strip() for label in _COMMAS.split(labels or "")]
    if not any(found):
        raise typer.BadParameter("labels are missing, such as --labels cat,dog")
    return [label for label in found if label]


def _files(images: Sequence[Path]) -> tuple[list[Path], set[int]]:
    """List the pictures, and the places of those that were named one by one."""
    from clipcond.reading import pictures_in

    files: list[Path] = []
    named: set[int] = set()
    for image in images:
        if image.is_dir():
            files += pictures_in(image)
        else:
            named.add(len(files))
            files.append(image)
    return files, named


def _classified(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    for each in results:
        if "labels" in each:
            shares = [f"{found['label']} {found['probability']:.1%}" for found in each["labels"]]
            yield f"{each['file']}: {', '.join(shares)}"


def _show_evaluation(found: Evaluation, confusion: Path | None, as_json: bool) -> None:
    for _, bad in found.bad:
        console.say(str(bad.error))
    if confusion is not None:
        from clipcond.metadata import save_picture

        save_picture(found.picture(), confusion)
    if as_json:
        results = {
            "n_pictures": found.n_pictures,
            "acc1": found.acc1,
            "acc5": found.acc5,
            "mean_per_class_recall": found.mean_per_class_recall,
            "recall": found.recall(),
            "labels": list(found.labels),
            "confusion": found.confusion.tolist(),
            "unreadable": [str(path) for path, _ in found.bad],
        }
        print(json.dumps(results))
        return
    print(f"pictures {found.n_pictures}")
    print(f"acc1 {found.acc1:.1%}")
    if found.acc5 is not None:
        print(f"acc5 {found.acc5:.1%}")
    print(f"mean per class recall {found.mean_per_class_recall:.1%}")
    if confusion is not None:
        print(f"wrote {confusion}")
