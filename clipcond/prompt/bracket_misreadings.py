r"""Find brackets that are a part of a smiley or of a tag's name, and do more than that.

(happy :) girl:1.2)    the bracket of the smiley closes the group
sad :(                 the bracket of the smiley opens one, and is no text
saber_(fate)           `fate` is a group: as a tag's name it is `saber_\(fate\)`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.notations import BRACKETS, CJK
from clipcond.prompt.scanner import OPENING
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt

SHOWN = 40  # characters
NEAR = 9  # brackets around
JOINING = BRACKETS - {"comfyui"}  # neighbours of equal weight are one text
# Found wherever something here may be.
HAS_SMILEY = r"[:;=][-'^]?[()\[\]]|[(\[]:\s"
HAS_NAME = r"_\("
_ESCAPED = re.compile(r"\\[\\()\[\]]|[()\[\]]")
_COMFYUI = re.compile(r"(?<!\\)[()]")
_WEIGHT_AT_END = re.compile(r":\s?[+-]?[.\d]{1,5}\s?\Z")
_QUOTES = "\"'“”„‘’「『»"
_SMILEY = re.compile(
    # (:):1.2) and ((;))
    r"(?<=[(\[])[>]?[:;=][-'^]?(?P<whole>[)\]])(?=\s?:\s?[+-]?[.\d]{1,5}\s?[)\]]|[)\]])"
    rf"|(?:(?<![^\s,.!?>\])}}{_QUOTES}])|(?<=[{CJK}]))[>}}]?"
    r"(?:(?!(?<=[)\]]):[(\[]\w)[:;=][-'^]?(?P<face>[()\[\]])|(?P<back>[(\[]):(?=[\s)\]])"
    r"(?!\)\s?(?::\s?[+-]?[.\d]|[)\]]))(?!\s{1,9}[+\-.\d]{1,9}\s{0,9}\)))"
)
_INNER = r"(?![^()\n]{0,60}:\s?[+\-.\d]{1,6}\s?\))[^()\[\]\n]{1,60}"  # without a weight
_NAME = re.compile(
    rf"(?<![\w\\/])(?=[^\W_])[\w\-.'’!:&+/]{{3,60}}?(?<=_)(?P<first>\(){_INNER}\)"
    rf"(?:_\({_INNER}\)){{0,5}}"
)
_BRACKET = re.compile(r"[()（）]")
_WORD = re.compile(r"\w")
_ROUND, _SQUARE = "()（）", "[]【】［］"
_STRAY, _NEVER = "closes nothing", "is never closed"
_CLOSES, _OPENS = "closes others: it is no text", "opens others: it is no text"


def pairs_of(signs: str, syntax: str) -> dict[int, int]:
    """Find the partner of each bracket, round and square ones apart, in both directions."""
    escape = _COMFYUI if syntax == "comfyui" else _ESCAPED
    opened: dict[str, list[int]] = {"(": [], "[": []}
    pairs: dict[int, int] = {}
    for match in escape.finditer(signs):
        bracket, position = match[0], match.start()
        if bracket in opened:
            opened[bracket].append(position)
        elif bracket in OPENING and opened[OPENING[bracket]]:
            start = opened[OPENING[bracket]].pop()
            pairs[start], pairs[position] = position, start
    return pairs


def smileys(parsed: ParsedPrompt, signs: str) -> Iterator[Issue]:
    """Make an issue of each smiley whose bracket opens or closes something.

    Args:
        signs: the source with the signs that are syntax in ASCII.
    """
    matches = list(islice(_SMILEY.finditer(signs), MOST_ISSUES))
    pairs = pairs_of(signs, parsed.syntax) if matches else {}
    has_squares = parsed.syntax in JOINING
    for match in matches:
        at = next(match.start(name) for name in ("whole", "face", "back") if match[name])
        if signs[at] in "[]" and not has_squares:
            continue
        if parsed.syntax == "compel" and "=" in match[0]:  # around which brackets are text
            continue
        is_lost = has_squares and signs[at] == "(" and not _WORD.search(signs, at)
        if at not in pairs and not is_lost:
            continue
        is_open = signs[at] not in OPENING
        if match["face"] and is_open and at in pairs and _is_group(signs, at, pairs[at]):
            continue
        face = parsed.source[slice(*match.span())]
        message = f"the bracket of the smiley {face!r} {_OPENS if is_open else _CLOSES}"
        escaped = "".join("\\" * (sign in "()[]（）［］【】") + sign for sign in face)
        remedy = f"Write {escaped} for the smiley."
        yield Issue(message, match.start(), remedy, "bracket", (face,))


def _is_group(signs: str, start: int, stop: int) -> bool:
    """Whether a bracket behind the eyes of a smiley is none: `hair:(red)`, `hair :( red:1.2)`."""
    is_tight = not signs[start + 1].isspace() and start + 1 < stop
    return is_tight or bool(_WEIGHT_AT_END.search(signs, max(start, stop - NEAR), stop))


def named_tags(parsed: ParsedPrompt, signs: str) -> Iterator[Issue]:
    """Make an issue of each name of a tag whose brackets are a group: `saber_(fate)`.

    Args:
        signs: the source with the signs that are syntax in ASCII.
    """
    for match in islice(_NAME.finditer(signs), MOST_ISSUES):
        name = parsed.source[slice(*match.span())]
        if parsed.syntax == "compel" and any(name in segment.text for segment in parsed.segments):
            continue
        message = f"the brackets of {excerpt(name, SHOWN)!r} are no text: they make a group"
        written = _BRACKET.sub(r"\\\g<0>", name)
        remedy = f"Write {written} for the name of a tag."
        yield Issue(message, match.start(), remedy, "bracket", (name,))


def without_consequences(issues: Sequence[Issue], found: Sequence[Issue]) -> list[Issue]:
    """Leave out the issue of the bracket that a smiley's bracket took the partner of.

    In `(happy :) girl:1.2)` the last bracket closes nothing; once the smiley is text it does.

    Args:
        issues: of the prompt, in order.
        found: more of it, those of its smileys among them.
    """
    kept = list(issues)
    for smiley in (issue for issue in found if issue.message.endswith((_CLOSES, _OPENS))):
        (face,) = smiley.words
        like = _ROUND if any(sign in _ROUND for sign in face) else _SQUARE
        around = [i for i in kept if i.code == "bracket" and i.message[1:2] in [*like]]
        wanted: Iterable[Issue] = ()
        if smiley.message.endswith(_CLOSES):
            wanted = [i for i in around if i.position > smiley.position and _STRAY in i.message]
        else:
            end = smiley.position + len(face)
            before = [i for i in around if i.position < end and _NEVER in i.message]
            wanted = reversed(before)
        if (dropped := next(iter(wanted), None)) is not None:
            kept.remove(dropped)
    return kept
