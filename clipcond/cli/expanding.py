"""Define `clipcond expand`."""

from __future__ import annotations

import json
import secrets
from typing import Annotated

import typer

from clipcond.cli.options import (
    MAX_COUNT,
    MAX_SEED,
    AsJson,
    Combinations,
    Wildcards,
    check_text,
    plain_option,
)
from clipcond.cli.picture_jobs import RANDOM
from clipcond.cli.variants import Expansion, number_of, open_wildcards
from clipcond.errors import BadLine
from clipcond.prompt.templates import shown_count


def expand(
    template: Annotated[str, typer.Argument(help="The template, in quotes.", callback=check_text)],
    wildcards: Wildcards = None,
    combinations: Combinations = False,
    seed: Annotated[
        int, plain_option("N", "Same seed, same text; -1 = a random one.", min=RANDOM, max=MAX_SEED)
    ] = 0,
    count: Annotated[
        int | None,
        plain_option("N", "How many prompts.", "1, or all combinations", min=1, max=MAX_COUNT),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the prompts that a template gives: at random, or all combinations."""
    read = Expansion(open_wildcards(wildcards), combinations).template(template)
    if combinations:
        try:
            n = number_of(read.count, count)
        except BadLine as error:
            raise typer.BadParameter(str(error)) from None
        found = [({"combination": i}, read.combination(i)) for i in range(n)]
    else:
        first = secrets.randbelow(2**32) if seed == RANDOM else seed
        seeds = range(first, first + (count or 1))
        found = [({"seed": each}, read.random(each)) for each in seeds]
    of = read.count if read.count < 2**63 else shown_count(read.count)
    for number, prompt in found:
        print(json.dumps({"prompt": prompt, **number, "combinations": of}) if as_json else prompt)
