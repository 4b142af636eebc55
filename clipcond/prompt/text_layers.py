"""Take out of a prompt what A1111's user interface takes out before anything reads it.

    a cat, # not a dog      a comment, up to the end of its line
    a cat <lora:name:0.8>   an extra network: any <word:arguments>, for the interface to load

What is taken out leaves no space: `cat<lora:x:1>s` is `cats`. Line ends stay. Comments go first,
so a network in a comment is none. In other tools both are text; `notations` warns of them there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from clipcond.errors import excerpt
from clipcond.prompt.notations import weight_in
from clipcond.prompt.remainder import Remainder, Span
from clipcond.prompt.segments import MOST_ISSUES, Issue

SHOWN = 60  # characters

_COMMENT = re.compile(r"#[^\n]*")
_NETWORK = re.compile(r"<(\w+):([^>]+)>")
_LORAS = ("lora", "lyco")
_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,2}(?:\.\d{1,3})?|\.\d{1,3})\s*")
_NO_IDENTIFIER = re.compile(r"\W")


@dataclass(frozen=True, slots=True)
class ExtraNetwork:
    """A `<kind:name:arguments>` of a prompt, at prompt[start:stop].

    Args:
        kind: `lora`, `lyco`, `hypernet`, or any other word.
        name: of the network, usually its file's without the ending.
        arguments: what follows the name, between colons.
    """

    kind: str
    name: str
    arguments: tuple[str, ...]
    start: int
    stop: int

    @property
    def weight(self) -> float:
        """The first argument, if it is a number; else 1."""
        with suppress(IndexError, ValueError):
            weight = float(self.arguments[0])
            return weight if math.isfinite(weight) else 1.0
        return 1.0


def take_out(prompt: str) -> tuple[Remainder, tuple[ExtraNetwork, ...], tuple[Issue, ...]]:
    """Take comments and extra networks out of a prompt.

    Returns:
        what remains; the networks in order; and an issue for each comment, up to MOST_ISSUES.
    """
    remainder = Remainder.whole(prompt)
    issues: list[Issue] = []
    if "#" in prompt:
        comments = [found.span() for found in _COMMENT.finditer(prompt)]
        issues = [_comment_issue(prompt, *span) for span in comments[:MOST_ISSUES]]
        remainder = remainder.only(list(_between(comments, len(prompt))))
    text = remainder.text
    # No match ends behind the last `>`: without that end each `<a:` would search up to the end.
    matches = list(_NETWORK.finditer(text, 0, text.rfind(">") + 1))
    networks = tuple(_network(found, remainder) for found in matches)
    if matches:
        spans = list(_between([found.span() for found in matches], len(text)))
        remainder = remainder.only(spans)
    return remainder, networks, tuple(issues)


def network_issues(
    prompt: str, networks: Sequence[ExtraNetwork], *, negative: bool = False
) -> Iterator[Issue]:
    """Make an issue of each network that nothing loads, up to MOST_ISSUES.

    Args:
        prompt: what the networks were found in.
        negative: it is a negative prompt, in which a network means nothing.
    """
    for network in islice(networks, MOST_ISSUES):
        shown = excerpt(prompt[network.start : network.stop], SHOWN)
        message = f"{shown!r} is left out of the text, and nothing loads it"
        remedy = _how_to_load(network)
        if negative:
            message += ": it is in a negative prompt"
            remedy = "Remove it; a network acts on both prompts."
        words = (prompt[network.start : network.stop],)
        yield Issue(message, network.start, remedy, "extra-network", words)


def _comment_issue(prompt: str, start: int, stop: int) -> Issue:
    shown = prompt[start:stop].rstrip()
    message = f"{excerpt(shown, SHOWN)!r} is a comment, and left out of the text"
    remedy = "Say extra_networks=False if it is meant as text."
    return Issue(message, start, remedy, "comment", (shown,))


def _how_to_load(network: ExtraNetwork) -> str:
    name = excerpt(network.name.strip(), SHOWN)
    if network.kind.lower() in _LORAS:
        adapter = _NO_IDENTIFIER.sub("_", name)
        file = f"{name}.safetensors"
        return (
            f"Load it: pipe.load_lora_weights({file!r}, adapter_name={adapter!r}), then "
            f"pipe.set_adapters({adapter!r}, {network.weight:g})."
        )
    if network.kind.lower() == "hypernet":
        return "Remove it: hypernetworks cannot be loaded."
    if _NUMBER.fullmatch(name):
        return f"For a weight write {weight_in('a1111', network.kind, name)}."
    return "Write in its place what you want, or say extra_networks=False if it is meant as text."


def _network(found: re.Match[str], remainder: Remainder) -> ExtraNetwork:
    name, *arguments = found[2].split(":")
    start, stop = remainder.at(found.start()), remainder.end(found.end())
    return ExtraNetwork(found[1], name, tuple(arguments), start, stop)


def _between(spans: Sequence[Span], end: int) -> Iterator[Span]:
    """Yield the spans between others, and the one behind the last."""
    at = 0
    for start, stop in spans:
        if at < start:
            yield at, start
        at = stop
    if at < end:
        yield at, end
