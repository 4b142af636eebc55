"""Split the text that A1111 calls "parameters" into prompt, negative prompt and settings.

    a (red:1.3) cat
    Negative prompt: dog, (lowres:1.4)
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x768

A value with a comma, a colon, a line break or a quote is written as a JSON string; Civitai writes
JSON lists and objects as they are. Extensions add lines of their own after the settings: what has
no name there is kept under BEHIND. Prompts that this form cannot hold, such as a line that begins
with "Negative prompt:", are also written as settings of our own, EXACT; A1111 passes over them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import clipcond.lazy_re as re
from clipcond.errors import ArgumentError

NEGATIVE = "Negative prompt:"
BEHIND = "Remark"
EXACT = ("Exact prompt", "Exact negative prompt")
# The name of a setting; the text before a colon that is longer, or has quotes, is a value.
_NAME = r"[^\W\d_][^:,\n\"{}\[\]]{0,63}"
_PAIR = re.compile(rf"\s*({_NAME}):[ \t]*")
_NEXT = re.compile(rf",\s*(?={_NAME}:)")
_SETTINGS = re.compile(r"Steps: ?\d+(?:,|\Z)")
# What exiftool and viewers of a file's texts show before one: "parameters: a cat", or as a line.
_LABEL = re.compile(
    r"\s*(?:\[\w+\][ \t]*)?(?i:parameters|user ?comment)[ \t]*(?:[:：][ \t]*[\r\n]*|[\r\n]+)"
)
_FEWEST = 3  # pairs by which a line without "Steps" is known as settings
_JSON = json.JSONDecoder()


class Setting(NamedTuple):
    """A value, and how the text has it: as a JSON string, or as it is."""

    value: str
    written: str


def split_infotext(text: str) -> tuple[str, str, dict[str, Setting]]:
    """Split into prompt, negative prompt, and settings by name, in order.

    A text without settings is a prompt.
    """
    lines = _with_newlines(text).strip("\n").split("\n")
    start = _find_settings(lines)
    above, settings = lines[:start], _read_settings("\n".join(lines[start:]))
    first = next((i for i, line in enumerate(above) if line.startswith(NEGATIVE)), len(above))
    # as A1111 does, of each line that begins so
    negative = [_behind(line) if line.startswith(NEGATIVE) else line for line in above[first:]]
    above = above[:first]
    written = "\n".join(lines[:start])
    prompts = "\n".join(above), "\n".join(negative)
    return *_exact_prompts(written, settings, prompts), settings


def _behind(line: str) -> str:
    return line[len(NEGATIVE) :].removeprefix(" ")


def _exact_prompts(
    written: str, settings: dict[str, Setting], prompts: tuple[str, str]
) -> tuple[str, str]:
    """Take the prompts out of EXACT, unless the text above was changed since or says the same."""
    if not settings.keys() >= {*EXACT}:
        return prompts
    prompt, negative = (settings[name].value for name in EXACT)
    above = _with_newlines(_joined_prompts(prompt, negative)).strip("\n")
    is_needed = (prompt, negative) != prompts or _LABEL.match(written) is not None
    if above != written.strip("\n") or not is_needed:
        return prompts
    for name in EXACT:
        del settings[name]
    return prompt, negative


def join_infotext(prompt: str, negative: str, settings: Mapping[str, str]) -> str:
    """Write prompt, negative prompt and settings as A1111 does, and EXACT where those need it.

    Args:
        settings: by name, as `written_value` writes them.
    Raises:
        ArgumentError: a name that could not be read again, such as one with a colon.
    """
    for name in settings:
        if not re.compile(_NAME).fullmatch(name) or name != name.strip():
            raise ArgumentError(
                f"{name!r} cannot be the name of a setting",
                "A name begins with a letter, and has no colon, comma, quote, bracket or line "
                "break.",
            )
    text = _joined(prompt, negative, settings)
    if "Steps" not in settings or is_read_as(text, prompt, negative):
        return text
    values = map(written_value, (prompt, negative))
    exact = _joined(prompt, negative, {**settings, **dict(zip(EXACT, values, strict=True))})
    return exact if is_read_as(exact, prompt, negative) else text


def _joined(prompt: str, negative: str, settings: Mapping[str, str]) -> str:
    above = _joined_prompts(prompt, negative)
    pairs = ", ".join(f"{name}: {written}" for name, written in settings.items())
    return f"{above}\n{pairs}" if pairs else above


def _joined_prompts(prompt: str, negative: str) -> str:
    return f"{prompt}\n{NEGATIVE} {negative}" if negative else prompt


def without_label(text: str) -> str:
    """Take the name that a viewer shows before a text off, if the rest has settings.

    A prompt of ours that begins so has EXACT, and keeps it.
    """
    text = _with_newlines(text)
    rest = behind_label(text)
    settings = {} if rest == text else split_infotext(rest)[2]
    return rest if "Steps" in settings and not settings.keys() >= {*EXACT} else text


def behind_label(text: str) -> str:
    """Return what is behind a label, whatever it is; the text itself if it has none."""
    label = _LABEL.match(text)
    return text if label is None else text[label.end() :]


def is_read_as(text: str, prompt: str, negative: str) -> bool:
    """Whether a text is read as these prompts, but for line breaks at their ends."""
    text = without_label(text)
    given = [_with_newlines(each).strip("\n") for each in (prompt, negative)]
    return [_with_newlines(each).strip("\n") for each in split_infotext(text)[:2]] == given


def has_settings(text: str) -> bool:
    """Whether a text has settings or a negative prompt; a comment of a photograph has neither."""
    _, negative, settings = split_infotext(text)
    return bool(negative or settings)


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _find_settings(lines: list[str]) -> int:
    """Find the line that the settings begin with: the last that says "Steps: 20"."""
    starts = [i for i, line in enumerate(lines) if _SETTINGS.match(line.lstrip())]
    if starts:
        return starts[-1]
    is_settings = len(lines) > 1 and len(_read_settings(lines[-1])) >= _FEWEST
    return len(lines) - is_settings


def _read_settings(text: str) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    first, _, behind = text.partition("\n")
    rest = _read_pairs(first, found)
    unnamed = [rest] if rest else []
    for line in behind.split("\n") if behind else ():
        rest = _read_pairs(line, found)
        unnamed += [rest] if rest else []
    if unnamed:
        value = "\n".join(unnamed)
        found[BEHIND] = Setting(value, written_value(value))
    return found


def _read_pairs(line: str, found: dict[str, Setting]) -> str:
    """Read the settings of a line; return a line that has none as it is."""
    place = 0
    while pair := _PAIR.match(line, place):
        value, end = _read_value(line, pair.end())
        written = line[pair.end() : end].strip()
        if value == written and value[:1] in {'"', "[", "{"}:
            written = written_value(value)  # no JSON here; what follows another time may close it
        found[pair[1].strip()] = Setting(value, written)
        after = _NEXT.match(line, end) or _NEXT.search(line, end)
        if after is None:
            return ""
        place = after.end()
    return line if place == 0 else ""


def _read_value(text: str, start: int) -> tuple[str, int]:
    """Read the value that begins here; return it, and where it ends."""
    if text[start : start + 1] in {'"', "[", "{"}:
        try:
            value, end = _JSON.raw_decode(text, start)
        except (ValueError, RecursionError):
            pass
        else:
            if end == len(text) or text[end] == ",":
                return value if isinstance(value, str) else text[start:end], end
    after = _NEXT.search(text, start)
    end = len(text) if after is None else after.start()
    return text[start:end].strip(), end


def written_value(value: str) -> str:
    """Write a value as a JSON string where it could not be read back as it is."""
    if value[:1] in {"[", "{"} and not {*"\r\n"} & {*value} and _is_json(value):
        return value
    is_plain = value.isprintable() and value == value.strip() and not set(value) & set(',:"')
    return (
        value
        if is_plain and value[:1] not in {"", "[", "{"}
        else json.dumps(value, ensure_ascii=False)
    )


def _is_json(value: str) -> bool:
    try:
        return _JSON.raw_decode(value)[1] == len(value)
    except (ValueError, RecursionError):
        return False
