"""List the pictures to make: of one prompt, or of a file with a prompt a line."""

from __future__ import annotations

import codecs
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import typer

from clipcond.bulk.prompts import LIKE_JSON
from clipcond.cli.options import MAX_SEED, check_guidance, check_picture, check_size, check_text
from clipcond.cli.usage import option_of
from clipcond.encodings import decode_utf_8
from clipcond.errors import BadLine, CheckpointError, PromptError, excerpt
from clipcond.files import reading

RANDOM = -1
_KINDS: dict[str, tuple[type, ...]] = {
    "prompt": (str,),
    "negative": (str,),
    "seed": (int,),
    "steps": (int,),
    "guidance": (int, float),
    "clip_skip": (int,),
    "size": (str,),
    "output": (str,),
}
_LEAST = {"steps": 1, "clip_skip": 1, "seed": RANDOM}


@dataclass(frozen=True, slots=True)
class PictureJob:
    """One picture to make.

    Args:
        steps, guidance, clip_skip, size: None = the model's own.
        line: its place in a file, from 1.
        template, negative_template: what the texts were made of; "" = they are as they were given.
        regions: texts as `regional` reads them.
        base_share: None = the usual one.
    """

    prompt: str
    negative: str
    seed: int
    steps: int | None
    guidance: float | None
    clip_skip: int | None
    size: str | None
    output: Path
    line: int = 0
    template: str = ""
    negative_template: str = ""
    regions: tuple[str, ...] = ()
    base_share: float | None = None

    @property
    def place(self) -> str:
        """What messages about it begin with."""
        return f"line {self.line}: " if self.line else ""


JobsOf: TypeAlias = Callable[[PictureJob], list[PictureJob]]


def jobs_of_prompt(job: PictureJob, count: int, stride: int = 1) -> list[PictureJob]:
    """List so many pictures of one prompt: seed, seed + stride, ...

    Args:
        stride: how many seeds each takes.
    Raises:
        BadLine: a seed is beyond what generators take.
    """
    seed = secrets.randbelow(2**32) if job.seed == RANDOM else job.seed
    if seed + count * stride - 1 > MAX_SEED:
        more = "--count times --best-of" if stride > 1 else "--count"
        raise BadLine(f"--seed plus {more} goes beyond {MAX_SEED}")
    if count == 1:
        return [replace(job, seed=seed)]
    outputs = [numbered(job.output, i + 1) for i in range(count)]
    return [replace(job, seed=seed + i * stride, output=o) for i, o in enumerate(outputs)]


def jobs_of_file(
    file: str, job: PictureJob, jobs_of: JobsOf
) -> tuple[list[PictureJob], list[tuple[int, str]]]:
    """Read a file of prompts, one a line; empty lines are counted and make no picture.

    Args:
        file: a path, or "-" for standard input.
        job: what a line does not say; the file name of line n's picture ends with -n.
        jobs_of: lists the pictures of a line.
    Returns:
        the pictures, and of each bad line its number and what is wrong.
    Raises:
        CheckpointError: the file cannot be read.
    """
    jobs: list[PictureJob] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            given = _read_line(line)
            named = {"output": numbered(job.output, number), **given, "line": number}
            jobs += jobs_of(replace(job, **named))
        except typer.BadParameter as error:
            bad.append((number, error.message))
        except (BadLine, PromptError) as error:
            bad.append((number, str(error)))
    return jobs, bad


def settings_of(job: PictureJob) -> tuple[object, ...]:
    """List what pictures that are drawn at once have in common."""
    return job.steps, job.guidance, job.clip_skip, job.size


def check_targets(jobs: Sequence[PictureJob], *, force: bool) -> None:
    """Refuse to replace a file, before anything is loaded.

    Raises:
        CheckpointError: a file exists already, or two pictures have one name.
    """
    seen: dict[str, PictureJob] = {}
    for job in jobs:
        real = os.path.normcase(os.path.realpath(job.output))
        other = seen.setdefault(real, job)
        if other is not job:
            raise CheckpointError(
                f"{job.place}{str(job.output)!r} is the output of line {other.line} too", job.output
            )
    old = [] if force else [job.output for job in jobs if os.path.isfile(job.output)]
    if old:
        more = f", and {len(old) - 1} more" if len(old) > 1 else ""
        raise CheckpointError(
            f"{str(old[0])!r} exists already{more}",
            old[0],
            "Say --force to replace it, or -o for another name.",
        )


def numbered(output: Path, number: int) -> Path:
    return output.with_stem(f"{output.stem}-{number}")


def _lines(file: str) -> Iterator[str | bytes]:
    """Yield the lines of a file, as bytes where they are no UTF-8.

    Where one is none, the file has another encoding, in which other lines may be UTF-8 by chance.
    """
    if file == "-" and sys.stdin is None:
        raise CheckpointError("standard input is closed", file, "Give a file, or pipe prompts in.")
    with reading(Path(file)):
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Windows' PowerShell
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    lines = content.removeprefix(codecs.BOM_UTF8)
    is_utf_8 = _is_utf_8(lines)
    for line in lines.split(b"\n"):
        yield line.decode().strip() if is_utf_8 or line.isascii() else line


def _is_utf_8(content: bytes) -> bool:
    try:
        decode_utf_8(content)
    except UnicodeDecodeError:
        return False
    return True


def _read_line(line: str | bytes) -> dict[str, Any]:
    """Return what a line says of its picture: a prompt, or a JSON object with one."""
    if isinstance(line, bytes):
        raise BadLine("it is no UTF-8")
    if not LIKE_JSON.match(line):
        return {"prompt": line}
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        message = f"it is no JSON object: {excerpt(error.msg)} at column {error.colno}"
        raise BadLine(message) from None
    except RecursionError as error:
        raise BadLine(f"it is no JSON object: {excerpt(str(error))}") from None
    if not isinstance(given, dict):
        example = json.dumps({"prompt": next((x for x in given if isinstance(x, str)), "a cat")})
        raise BadLine(f"it is a list at column 1, not an object: {excerpt(example)}")
    if "prompt" not in given:
        raise BadLine('it has no "prompt"')
    wrong = [said for name, value in given.items() if (said := _wrong(name, value))]
    if wrong:
        raise BadLine("; ".join(wrong))
    return _checked(given)


def _wrong(name: str, value: object) -> str:
    """Say what is wrong about a key of a line, or the kind of its value; "" if nothing is."""
    kinds = _KINDS.get(name)
    if kinds is None:
        known = option_of(name)[2:].replace("-", "_")
        near = [known] if known in _KINDS else get_close_matches(_folded(name), _KINDS, 1)
        guess = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(_KINDS)}."
        return f"it has an unknown {excerpt(name)!r}. {guess}"
    if not isinstance(value, kinds) or isinstance(value, bool):
        kind = "text" if kinds == (str,) else "a whole number" if kinds == (int,) else "a number"
        return f"{name!r} is {kind}, not {excerpt(json.dumps(value))}"
    least = _LEAST.get(name)
    if least is None or (isinstance(value, int) and least <= value <= MAX_SEED):
        return ""
    if name == "clip_skip":
        return f"'clip_skip' counts from 1, the last layer, not {excerpt(str(value))}"
    return f"{name!r} is from {least} to {MAX_SEED}, not {excerpt(str(value))}"


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Check the values of a line as those of options are."""
    check_text(given["prompt"])
    check_text(given.get("negative"))
    check_guidance(given.get("guidance"))
    if "size" in given:
        given = {**given, "size": check_size(given["size"])}
    if "output" in given:
        check_text(given["output"])
        if "\0" in given["output"]:
            raise BadLine("'output' is no file name")
        return {**given, "output": check_picture(Path(given["output"]))}
    return given
