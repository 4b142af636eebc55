"""Take out of a prompt what A1111's user interface takes out before anything reads it.

    a cat, # not a dog      a comment, up to the end of its line
    a cat <lora:name:0.8>   an extra network: any <word:arguments>, for the interface to load

What is taken out leaves no space: `cat<lora:x:1>s` is `cats`. Line ends stay. Comments go first,
so a network in a comment is none. In other tools both are text; `other_tools` warns of them there.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from itertools import count, islice, pairwise

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.extra_networks import (
    ENDING,
    INVERSIONS,
    LORAS,
    SHOWN,
    ExtraNetwork,
    misspelling,
)
from clipcond.prompt.notations import CJK, SMALL, weight_in
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.scanner import gaps
from clipcond.prompt.segments import MOST_ISSUES, Issue, in_order

_COMMENT = re.compile(r"#[^\n]*")
_ENTITY = re.compile(r"&(?:amp;)*(?P<sign>#)(?:\d{2,6}|[xX][\da-fA-F]{2,6});")
_NETWORK = re.compile(r"<(\w+):([^>]+)>")
_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,2}(?:\.\d{1,3})?|\.\d{1,3})\s*")
_WEIGHT_BEHIND = re.compile(
    rf"\s?(?:[:*=]\s?(?P<number>{SMALL}|[0-2])|(?P<bare>{SMALL}))(?=[\s,;]|\.?\Z)"
)
_WEIGHT_AROUND = re.compile(r"\s?:\s?(?P<number>[+-]?[\d.]{1,6})(?P<bare>)(?=\s?\))")
_AND = "AND"  # a number before it is the weight of a condition
# Chinese has no spaces between words; `cat<lora:x:1>s` is a plural.
_WORD_BEFORE = re.compile(rf"(?:(?![{CJK}])\w){{1,40}}\Z")
_WORD_BEHIND = re.compile(rf"(?!s\b)(?:(?![{CJK}])\w){{1,40}}")
_NO_IDENTIFIER = re.compile(r"\W")


def take_out(prompt: str) -> tuple[Remainder, tuple[ExtraNetwork, ...], tuple[Issue, ...]]:
    """Take comments and extra networks out of a prompt.

    Returns:
        what remains; the networks in order; and an issue for each comment, and each two words that
        become one, up to MOST_ISSUES of a kind.
    """
    remainder = Remainder.whole(prompt)
    issues: list[Issue] = []
    if "#" in prompt:
        comments = [found.span() for found in _COMMENT.finditer(prompt)]
        issues = [_comment_issue(prompt, *span) for span in comments[:MOST_ISSUES]]
        remainder = remainder.only(list(gaps(comments, 0, len(prompt))))
    text = remainder.text
    # No match ends behind the last `>`: without that end each `<a:` would search up to the end.
    matches = list(_NETWORK.finditer(text, 0, text.rfind(">") + 1))
    networks = tuple(_network(found, remainder) for found in matches)
    if matches:
        spans = list(gaps((found.span() for found in matches), 0, len(text)))
        issues += islice(_joined_words(remainder, spans), MOST_ISSUES)
        issues += islice(_outer_weights(remainder, matches), MOST_ISSUES)
        remainder = remainder.only(spans)
    return remainder, networks, in_order(issues)


def network_issues(
    prompt: str, networks: Sequence[ExtraNetwork], *, negative: bool = False, loaded: bool = False
) -> Iterator[Issue]:
    """Make an issue of each network that nothing loads, up to MOST_ISSUES.

    Args:
        prompt: what the networks were found in.
        negative: it is a negative prompt, in which a network means nothing.
        loaded: a function loads those of prompts, if it can read them.
    """
    networks = networks[:MOST_ISSUES]
    loras = _adapters(networks)
    for network in networks:
        words, said = prompt[network.start : network.stop], misspelling(network)
        shown, remedy = repr(excerpt(words, SHOWN)), ""
        message = f"{shown} is left out of the text, and nothing loads it"
        if negative:
            message += ": it is in a negative prompt"
            remedy = "Remove it; a network acts on both prompts."
        elif loaded and said is None:
            continue
        elif said is not None and (loaded or network.kind.lower() in LORAS):
            where = f"{shown} goes to the function of extra_networks" if loaded else message
            message, remedy = f"{where}: {said[0]}", said[1]
        else:
            remedy = _how_to_load(network, loras)
        yield Issue(message, network.start, remedy, "extra-network", (words,))


def _comment_issue(prompt: str, start: int, stop: int) -> Issue:
    shown = prompt[start:stop].rstrip()
    message = f"{excerpt(shown, SHOWN)!r} is a comment, and left out of the text"
    remedy = "Say extra_networks=False if it is meant as text."
    entity = _ENTITY.match(prompt, max(0, prompt.rfind("&", 0, start)))
    if entity and entity.start("sign") == start:  # it&#39;s, of a web page's source
        plain = html.unescape(html.unescape(entity[0]))
        remedy = f"Write {plain!r} in place of {entity[0]!r}."
    return Issue(message, start, remedy, "comment", (shown,))


def _joined_words(remainder: Remainder, spans: Sequence[tuple[int, int]]) -> Iterator[Issue]:
    """Make an issue of each two words that are one once the networks between them are gone.

    Args:
        remainder: with the networks.
        spans: what is left of its text without them.
    """
    text = remainder.text
    for (start, stop), (begin, end) in pairwise(spans):
        before = _WORD_BEFORE.search(text, max(start, stop - SHOWN), stop)
        behind = _WORD_BEHIND.match(text, begin, end)
        if before is None or behind is None:
            continue
        message = f"{excerpt(before[0] + behind[0], SHOWN)!r} is one word: no space is between"
        remedy = f"Write a space next to {excerpt(text[stop:begin], SHOWN)!r}."
        words = (text[before.start() : behind.end()],)
        yield Issue(message, remainder.at(before.start()), remedy, "glued", words)


def _outer_weights(remainder: Remainder, matches: Sequence[re.Match[str]]) -> Iterator[Issue]:
    """Make an issue of each number behind a network, which is text: `<lora:x>:0.8`.

    Args:
        remainder: with the networks.
        matches: the networks in its text.
    """
    text = remainder.text
    for match in matches if _AND not in text else ():
        before = text[max(0, match.start() - 9) : match.start()]
        is_alone = before.rstrip()[-1:] == "("  # (<lora:x:1>:1.2)
        behind = (_WEIGHT_AROUND if is_alone else _WEIGHT_BEHIND).match(text, match.end())
        if behind is None:
            continue
        shown, network = behind[0].strip(), excerpt(match[0], SHOWN)
        does = "has no effect" if is_alone else "is text"
        message = f"{shown!r} behind {network!r} {does}: the weight of a network is inside"
        name = match[2].split(":")[0].strip()
        number = behind["number"] or behind["bare"]
        remedy = f"Write <{match[1]}:{excerpt(name, SHOWN)}:{number}>."
        at = remainder.at(behind.end() - len(behind[0].lstrip()))
        yield Issue(message, at, remedy, "weight", (shown,))


def _adapters(networks: Sequence[ExtraNetwork]) -> dict[str, tuple[str, ExtraNetwork]]:
    """List LoRAs by their names: what each is called when it is loaded, and where it is last."""
    found: dict[str, tuple[str, ExtraNetwork]] = {}
    for network in networks:
        name = _file_name(network)
        adapter = own = _NO_IDENTIFIER.sub("_", name) or "lora"
        others = {used for other, (used, _) in found.items() if other != name}
        for number in count(2):
            if adapter not in others:
                break
            adapter = f"{own}_{number}"
        if network.kind.lower() in LORAS:
            found[name] = adapter, network
    return found


def _file_name(network: ExtraNetwork) -> str:
    return excerpt(ENDING.sub("", network.name.strip()), SHOWN)


def _how_to_load(network: ExtraNetwork, loras: dict[str, tuple[str, ExtraNetwork]]) -> str:
    """Say how to load a network; the last of several LoRAs sets the weights of all."""
    name = _file_name(network)
    if network.kind.lower() in LORAS:
        adapter, last = loras[name]
        load = (
            f"Load it: pipe.load_lora_weights({name + '.safetensors'!r}, adapter_name={adapter!r})"
        )
        if network is not last or name != [*loras][-1]:
            return f"{load}; its weight is set with those of the others."
        names, weights = (
            [used for used, _ in loras.values()],
            [_as_set(other) for _, other in loras.values()],
        )
        if len(names) == 1:
            return f"{load}, then pipe.set_adapters({names[0]!r}, {weights[0]})."
        return f"{load}, then pipe.set_adapters({names}, [{', '.join(weights)}])."
    if network.kind.lower() == "hypernet":
        return "Remove it: hypernetworks cannot be loaded."
    if network.kind.lower() in INVERSIONS and name:
        number = next(iter(network.arguments), "")
        if number and network.weight > 0:
            return f"Write {weight_in('a1111', name, number)}."
        return f"Write its bare name, {name}, once its file is loaded."
    if _NUMBER.fullmatch(name):
        return f"For a weight write {weight_in('a1111', network.kind, name)}."
    return "Write in its place what you want, or say extra_networks=False if it is meant as text."


def _as_set(network: ExtraNetwork) -> str:
    """Write the weight of a LoRA as diffusers sets it."""
    encoder, unet = network.weights
    if encoder == unet:
        return f"{unet:g}"
    return f"{{'text_encoder': {encoder:g}, 'unet': {unet:g}}}"


def _network(found: re.Match[str], remainder: Remainder) -> ExtraNetwork:
    name, *arguments = (each.strip() for each in found[2].split(":"))
    start, stop = remainder.at(found.start()), remainder.end(found.end())
    return ExtraNetwork(found[1], name, tuple(arguments), start, stop)
