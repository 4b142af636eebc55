"""Answer what needs no encoding: what becomes of a prompt, and how another tool writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.conditioning.report import finite
from clipcond.prompt.conversion import convert_with_issues
from clipcond.service.answers import list_issues
from clipcond.service.models import Model
from clipcond.service.request_fields import ConvertAsked, InspectAsked
from clipcond.service.settings import MOST_ISSUES


def inspected(model: Model, asked: InspectAsked, reword: Callable[[str], str]) -> object:
    """Report what is encoded of a prompt, as `Report.json` does.

    Raises:
        ClipcondError: as `explain`.
    """
    reading = model.chosen(
        dialect=asked.dialect,
        clip_skip=asked.clip_skip,
        weighting=asked.weighting,
        normalize=asked.normalize,
        fullwidth=asked.fullwidth,
    )
    with collect_warnings(shown=False):
        report = model.conditioner(reading).explain(
            asked.prompt, asked.negative, movement=asked.movement
        )
    return finite(_bounded(report.json(compact=asked.compact), reword))


def converted(asked: ConvertAsked, reword: Callable[[str], str]) -> dict[str, object]:
    """Write a prompt in another tool's syntax.

    Raises:
        ClipcondError: as `convert`.
    """
    written, issues = convert_with_issues(
        asked.prompt, asked.source, asked.target, exact=asked.exact, fullwidth=asked.fullwidth
    )
    of_one = [""]  # they do not name the prompt, because there is one
    return {"prompt": written, "issues": list_issues(issues, of_one, reword)}


def _bounded(found: dict[str, Any], reword: Callable[[str], str]) -> dict[str, Any]:
    """Word a report's issues for requests, and leave out what would make the answer long."""
    kept = found["issues"][:MOST_ISSUES]
    for issue in kept:
        said = reword(f"{issue['message']}\n{issue['remedy']}")
        issue["message"], _, issue["remedy"] = said.partition("\n")
        del issue["prompt"]  # the report is about one
    found["issues"] = kept
    for other in ("tower_2", "negative"):
        if other in found:
            _bounded(found[other], reword)
    return found
