"""Write what was encoded as the body of an answer: safetensors, or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from safetensors.torch import save
from torch import Tensor

from clipcond.conditioning.alone import Answered
from clipcond.conditioning.results import Conditioning
from clipcond.errors import excerpt
from clipcond.prompt import Issue
from clipcond.service.models import Reading
from clipcond.service.refusals import RequestError
from clipcond.service.settings import MOST_ISSUES, MOST_TEXT

SAFETENSORS, JSON = "application/x-safetensors", "application/json"
_DTYPES = {name: getattr(torch, name) for name in ("float32", "float16", "bfloat16")}


@dataclass(frozen=True, slots=True)
class Form:
    """What is answered: which rows, in which dtype, written how."""

    keep: Literal["full", "trimmed"] = "full"
    dtype: str = "float32"
    kind: Literal["safetensors", "json"] = "safetensors"


@dataclass(frozen=True, slots=True)
class Packed:
    """An answer's body, its media type, and the kinds of its issues, for the log."""

    body: bytes
    media_type: str
    issues: tuple[str, ...]


def pack(
    answered: Answered,
    prompts: Sequence[str],
    negatives: Sequence[str] | None,
    reading: Reading,
    form: Form,
    reword: Callable[[str], str],
) -> Packed:
    """Write the answer to a request of /encode.

    Its tensors: embeds [b S D]; pooled [b P] and attention_mask [b S] where there are any; the same
    with the prefix "negative_" where it was guided. Trimmed, S is that of `rows`, int64 [S]: which
    rows of the whole conditioning they are.

    Raises:
        RequestError: a value is beyond what the dtype holds.
    """
    tensors: dict[str, Tensor] = {}
    rows = list(answered.rows) if form.keep == "trimmed" else None
    for prefix, column in zip(("", "negative_"), answered.columns, strict=False):
        tensors |= _tensors(column, prefix, rows, form)
    if rows is not None:
        tensors["rows"] = torch.tensor(rows)
    issues = list_issues(answered.columns[0].issues, prompts, reword)
    if negatives is not None:
        issues += list_issues(answered.columns[1].issues, negatives, reword, negative=True)
    length = answered.columns[0].embeds.shape[1]
    about: dict[str, object] = {"dialect": reading.dialect, "length": length}
    codes = tuple(sorted({str(issue["code"]) for issue in issues}))
    if form.kind == "safetensors":
        metadata = {**{name: str(value) for name, value in about.items()}}
        metadata["issues"] = json.dumps(issues)
        return Packed(save(tensors, metadata), SAFETENSORS, codes)
    written = {name: tensor.tolist() for name, tensor in tensors.items()}
    about = {**about, "dtype": form.dtype, **written, "issues": issues}
    return Packed(json_bytes(about), JSON, codes)


def _tensors(
    made: Conditioning, prefix: str, rows: Sequence[int] | None, form: Form
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in ("embeds", "pooled", "attention_mask"):
        tensor: Tensor | None = getattr(made, name)
        if tensor is None:
            continue
        if rows is not None and name != "pooled":
            tensor = tensor[:, rows]
        if tensor.is_floating_point():
            tensor = _cast(tensor, form.dtype)
        found[prefix + name] = tensor.to("cpu").contiguous()
    return found


def _cast(tensor: Tensor, dtype: str) -> Tensor:
    cast = tensor.to(_DTYPES[dtype])
    if not bool(cast.isfinite().all()):
        message = f"{dtype} cannot hold what these prompts come to"
        raise RequestError(message, 'Ask for "dtype": "float32".', 422, "dtype")
    return cast


def list_issues(
    issues: Iterable[Issue],
    prompts: Sequence[str],
    reword: Callable[[str], str],
    *,
    negative: bool = False,
) -> list[dict[str, object]]:
    """List issues for JSON, each with the number of its prompt among those of the request.

    Args:
        prompts: those that were asked for, or their negatives.
        reword: words a message and its remedy, in lines, for requests.
    Returns:
        code, message, remedy, position, words; prompt, counted from 0, None where it is about none
        of them; negative. At most MOST_ISSUES.
    """
    places = {text: i for i, text in reversed([*enumerate(prompts)])}
    found: list[dict[str, object]] = []
    for issue in [*issues][:MOST_ISSUES]:
        listed: dict[str, object] = asdict(issue)
        said = reword(f"{issue.message}\n{issue.remedy}")
        listed["message"], _, listed["remedy"] = said.partition("\n")
        listed["words"] = [excerpt(word, MOST_TEXT) for word in issue.words[:MOST_ISSUES]]
        listed |= {"prompt": places.get(issue.prompt), "negative": negative}
        found.append(listed)
    return found


def json_bytes(value: object) -> bytes:
    """Write JSON in ASCII, without numbers that JSON does not have."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
