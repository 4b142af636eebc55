"""Word a message for the command line: options instead of Python's arguments, and in Chinese.

Messages are written once, for Python. Here `clip_skip=9` becomes `--clip-skip 9` where the command
has that option, and advice to use an argument that it does not have is left out. Advice to call a
method stays, and says that it is Python's.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Mapping

from clipcond import lazy_re
from clipcond.cli.chinese import CHINESE
from clipcond.cli.chinese_system import REASONS
from clipcond.cli.chinese_taking import (
    REGION,
    REGION_IN_CHINESE,
    SETTING,
    SETTING_IN_CHINESE,
    count_in_chinese,
)

_ARGUMENT = re.compile(
    r"(?<![\w-])(?<!steps, )(?<!prompt, )([a-z][a-z_0-9]*)="
    r"(True\b|'[^'\n]*'|\.\.\.|[\w.+-]*\w|)(?=\W|$)"
)
_CALL = re.compile(
    r"\b(?:(?:pipe|conditioner)\.\w+|schedule|compose|attach|load_\w+|Conditioner|HiddenLayer)\("
)
_IN_PYTHON = "In Python: "
_ELSEWHERE = re.compile(r"\s*In Python: .*|, or expand the prompt: clipcond expand(?=\.)")
_EXPANDED = re.compile(r"clipcond\.Template\(prompt(?:, wildcards='DIR')?\)")
_CLAUSE = re.compile(r"(?<=[.;:,])\s+")
_SENTENCE = re.compile(r"(?<=[.])\s+(?=[A-Z])")
# What a message quotes may have several sentences; what else is in the place of a {} has one.
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|\([^()\n]*\)|\[[^\[\]\n]*\]")
# A line of `inspect`.
_FRAMED = re.compile(r"issue at (\d+): (.+?)(; a pipeline draws all of it)?", re.DOTALL)
# What is wrong about an option, which may have several names, or about a line of a file.
_FRAMES = (
    (
        re.compile(r"Invalid value for ('[^']*'(?: / '[^']*')*): (.+)", re.DOTALL),
        "{} 的值无效：{}",
    ),
    (re.compile(r"line (\d+): (.+)", re.DOTALL), "第 {} 行：{}"),
    (re.compile(r"([^:\n]+), line (\d+): (.+)", re.DOTALL), "{} 第 {} 行：{}"),  # of a list
)
_FILE = re.compile(r"('[^'\n]*'|\"[^\"\n]*\"): (.+)")  # and what the system says of it
_HAN = re.compile(r"[\u3400-\u9fff]")


def with_options(text: str, options: Collection[str]) -> str:
    """Write the Python arguments in a message as the options of a command.

    Args:
        text: one or several lines; those that quote a prompt (indented) are kept.
        options: what the command has, such as "--clip-skip".
    """

    def rename(found: re.Match[str]) -> str:
        option = "--" + found[1].replace("_", "-")
        option = option if option in options else option.removesuffix("s")  # regions=, --region
        if option not in options:
            return found[0]
        value = found[2].strip("'")
        off = f"--no-{option[2:]}"
        if value == "False" and off in options:
            return off
        return option if value in {"", "True"} else f"{option} {value}"

    text = _EXPANDED.sub("--wildcards DIR" if "--wildcards" in options else "clipcond expand", text)
    lines = [
        line if line.startswith(" ") else _ARGUMENT.sub(rename, line) for line in text.split("\n")
    ]
    return "\n".join([lines[0], *filter(None, (_without_arguments(line) for line in lines[1:]))])


def _without_arguments(line: str) -> str:
    """Leave out of a remedy the clauses that name an argument; a call stays whole, as Python's."""
    if line.startswith(" ") or not (_ARGUMENT.search(line) or _CALL.search(line)):
        return line
    kept = []
    for sentence in _SENTENCE.split(line):
        if call := _CALL.search(sentence):
            is_named = sentence[: call.start()].endswith(": ")
            advice = sentence[call.start() :] if is_named else sentence[0].lower() + sentence[1:]
            kept.append(f"{_IN_PYTHON}{advice}")
            continue
        clauses = _CLAUSE.split(sentence)
        n_good = next((i for i, each in enumerate(clauses) if _ARGUMENT.search(each)), len(clauses))
        if n_good:
            kept.append(" ".join(clauses[:n_good]).rstrip(",;: .") + ".")
    return " ".join(kept)


def speaks_chinese(environment: Mapping[str, str] = os.environ) -> bool:
    """Decide by the locale's variables whether messages are to be Chinese, if they can be."""
    try:
        "中".encode(getattr(sys.stderr, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return next(filter(None, map(environment.get, names)), "").lower().startswith("zh")


def in_locale(text: str) -> str:
    """Translate a message if the locale is Chinese; see `in_chinese`."""
    return in_chinese(text) if speaks_chinese() else text


def in_chinese(text: str) -> str:
    """Translate a message if the table has all of it: never a half.

    Lines that quote a prompt (indented) are kept.
    """
    lines = [
        line if line.startswith(" ") or not line else _translated(line) for line in text.split("\n")
    ]
    known = [line for line in lines if line is not None]
    return "\n".join(known) if len(known) == len(lines) else text


def _translated(line: str) -> str | None:
    """Translate a line, or each of its sentences; None = the table lacks one."""
    if framed := _FRAMED.fullmatch(line):
        said = _translated(framed[2])
        return said and f"位置 {framed[1]}：{said}{'；管线会全部绘制' if framed[3] else ''}"
    sentences = _SENTENCE.split(line)
    if sentences[1:] and None not in (known := list(map(_translated, sentences))):
        return "".join(filter(None, known))
    for frame, chinese in _FRAMES:
        if found := frame.fullmatch(line):
            *about, message = found.groups()
            said = _translated(message)
            return said and chinese.format(*about, said)
    for pattern, chinese in _PATTERNS:
        found = pattern.fullmatch(line)
        if found and not any(_SENTENCE.search(_QUOTED.sub("", part)) for part in found.groups()):
            parts = (REASONS.get(part, count_in_chinese(part)) for part in found.groups())
            return chinese.format(*parts)
    if line.startswith(REGION):
        return _of_region(line.removeprefix(REGION))
    if found := SETTING.fullmatch(line):
        return SETTING_IN_CHINESE.format(found[1])
    if found := _FILE.fullmatch(line):
        reason = REASONS.get(found[2])
        return reason and f"{found[1]}：{reason}"
    if line.startswith(_IN_PYTHON):
        advice = line.removeprefix(_IN_PYTHON)
        said = _translated(advice[0].upper() + advice[1:])
        return said and f"在 Python 中：{said}"
    reasons = line.split("; ")  # of a line of prompts
    if reasons[1:] and None not in (known := list(map(_translated, reasons))):
        return "；".join(each.rstrip("。") for each in known if each)
    return None


def _of_region(said: str) -> str | None:
    """Translate what is wrong about a region: its text, in which colons may be, and a message."""
    for colon in re.finditer(": ", said):
        if message := _translated(said[colon.end() :].removesuffix(".")):
            return REGION_IN_CHINESE.format(said[: colon.start()], message)
    return None


def _pattern(template: str) -> re.Pattern[str]:
    """Compile a template, in which {} is any text."""
    return lazy_re.compile("(.+?)".join(map(re.escape, template.split("{}"))), re.DOTALL)


def hint(text: str, prompts: Collection[str], options: Collection[str]) -> str:
    """Add to a warning of Chinese that a tower cannot read which tower can."""
    is_unread = re.search(r"reads \d+ of the \d+ characters", text) and "embedded-zh" not in text
    option = next((each for each in ("--tower", "--encoder") if each in options), None)
    if is_unread and option is not None and any(map(_HAN.search, prompts)):
        return f"{text}\nFor Chinese: {option} embedded-zh"
    return text


# What is longest is most specific: "standard output cannot be ..." before "{} cannot be ...".
_PATTERNS = [(_pattern(english), CHINESE[english]) for english in sorted(CHINESE, key=len)[::-1]]


def without_python(text: str) -> str:
    """Leave out what can be done in Python only, and by other commands; quoted prompts stay."""
    lines = text.split("\n")
    kept = [line if line[:1] == " " else _ELSEWHERE.sub("", line) for line in lines]
    return "\n".join(filter(None, kept))
