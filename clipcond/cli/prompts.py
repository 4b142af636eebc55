"""Define `clipcond inspect` and `clipcond convert`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.messages import with_options
from clipcond.cli.options import (
    SYNTAX_NAMES,
    AllowPickle,
    AsJson,
    ClipSkip,
    Dialect,
    ExtraNetworks,
    Force,
    Fullwidth,
    Inversion,
    Model,
    Negative,
    Prompt,
    Tower,
    check_name,
    check_text,
    plain_option,
    reading_option,
)
from clipcond.cli.pages import OUTPUT, check_page, words_of_reports, write_page

if TYPE_CHECKING:
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.conditioning.explaining import Explainer
    from clipcond.conditioning.report import Report


def inspect(
    prompt: Prompt,
    dialect: Dialect = "a1111",
    negative: Negative = None,
    model: Model = None,
    allow_pickle: AllowPickle = False,
    tower: Tower = None,
    inversion: Inversion = None,
    clip_skip: ClipSkip = None,
    fullwidth: Fullwidth = None,
    extra_networks: ExtraNetworks = None,
    as_json: AsJson = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="JSON without the padding of chunks.")
    ] = False,
    html: Annotated[
        str | None,
        plain_option(
            "FILE", "Write a page for the browser; - = standard output.", callback=check_name
        ),
    ] = None,
    force: Force = False,
    against: Annotated[
        str | None,
        plain_option("PROMPT", "Show what differs in another prompt.", callback=check_text),
    ] = None,
    against_dialect: Annotated[
        str | None,
        reading_option("D", "Show what differs as another tool reads and weights it."),
    ] = None,
    movement: Annotated[
        bool,
        typer.Option(
            "--movement",
            help="Encode it, to show how far its weight moves each token, and how far two differ.",
        ),
    ] = False,
) -> None:
    """Show what is encoded of a prompt: segments, chunks, tokens and their weights."""
    if model is not None and tower is not None:
        raise typer.BadParameter("--model and --tower both name a text tower: give one")
    as_json = as_json or compact
    if html is not None:
        if as_json and html == OUTPUT:
            raise typer.BadParameter("--json and --html - both write to standard output: give one")
        check_page(html, force=force)
    prompts = [(prompt, dialect)]
    if against is not None or against_dialect is not None:
        prompts.append((prompt if against is None else against, against_dialect or dialect))
    with waiting("loading"):
        from clipcond.conditioning.dialects import find_dialect

        # a typing error should not cost what loading takes
        ways: list[dict[str, Any]] = [
            {
                "dialect": find_dialect(name),
                "clip_skip": clip_skip,
                "fullwidth": fullwidth,
                "extra_networks": extra_networks,
            }
            for _, name in prompts
        ]
        explainers = None if inversion or movement else _without_model(model, tower, ways)
        if explainers is None:
            conditioners = _with_model(model, tower, inversion or (), allow_pickle, ways)
    texts = [text for text, _ in prompts]
    if explainers is None:
        both = zip(conditioners, texts, strict=True)
        reports = [each.explain(text, negative, movement=movement) for each, text in both]
    else:
        pairs = zip(explainers, texts, strict=True)
        reports = [each.explain(text, negative) for each, text in pairs]
    _show(reports, html, as_json, compact)


def _show(reports: Sequence[Report], html: str | None, as_json: bool, compact: bool) -> None:
    """Show one report, or what differs between two."""
    from clipcond.conditioning.report import finite

    first, *others = reports
    shown = first.against(*others) if others else first
    if html is not None:
        write_page(html, shown.html(words=words_of_reports(), reword=console.reword))
    if as_json:
        print(json.dumps(finite(_worded(shown.json(compact=compact)))))
    elif html is None:
        print(shown.table(words=words_of_reports(), reword=console.reword))
    elif html != OUTPUT:
        print(html)


def _without_model(
    model: str | None, tower: str | None, ways: Sequence[Mapping[str, Any]]
) -> list[Explainer] | None:
    """Make what explains prompts from configs and vocabularies, without torch.

    Args:
        ways: the choices of each, of its dialect too.
    Returns:
        None where that takes the model itself.
    """
    from clipcond.checkpoints.describing import describe_tower, describe_towers
    from clipcond.conditioning.explaining import Explainer

    if model is not None:
        towers = describe_towers(model)
    else:
        described = describe_tower(tower or "embedded")
        towers = None if described is None else (described,)
    return None if towers is None else [Explainer(towers, **choices) for choices in ways]


def _with_model(
    model: str | None,
    tower: str | None,
    inversions: Sequence[Path],
    allow_pickle: bool,
    ways: Sequence[Mapping[str, Any]],
) -> list[Conditioner]:
    """Load the text tower of a model and its inversions, which all conditioners share."""
    from clipcond.checkpoints import load_tower, load_towers
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.conditioning.inversions import load_file

    if model is not None:
        towers = [*load_towers(model, allow_pickle=allow_pickle)]
    else:
        towers = [load_tower(tower or "embedded", allow_pickle=allow_pickle)]
    conditioners = [Conditioner(*towers, **choices) for choices in ways]
    for file in inversions:
        load_file(conditioners[0], file, allow_pickle=allow_pickle)
    return conditioners


def convert(
    prompt: Prompt,
    target: Annotated[
        str, typer.Option("--to", metavar="S", help=f"The syntax to write: {SYNTAX_NAMES}.")
    ],
    source: Annotated[
        str, typer.Option("--from", metavar="S", help="The syntax that the prompt is in; as --to.")
    ] = "a1111",
    exact: Annotated[
        bool, typer.Option("--exact", help="Write weights with all their digits.")
    ] = False,
    fullwidth: Annotated[
        bool | None,
        typer.Option(
            "--fullwidth/--no-fullwidth",
            help="Read （猫：1.3） as (猫:1.3).",
            show_default="where it is hardly text",
        ),
    ] = None,
) -> None:
    """Write a prompt in another tool's syntax: the same words at the same weights."""
    from clipcond.prompt.conversion import convert as written_in

    print(written_in(prompt, source, target, exact=exact, fullwidth=fullwidth))


def _worded(found: dict[str, Any]) -> dict[str, Any]:
    """Word the issues of a report for the command; programs read them, so in English."""
    for issue in found["issues"]:
        text = with_options(f"{issue['message']}\n{issue['remedy']}", console.options)
        issue["message"], _, issue["remedy"] = text.partition("\n")
    for other in ("tower_2", "negative", "against"):
        if other in found:
            _worded(found[other])
    return found
