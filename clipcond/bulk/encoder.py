"""Encode batches of captions: one callable for Ray Data, Daft, webdataset and our own engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray

from clipcond.adapters import load_adapter
from clipcond.bulk.forms import DTYPES, Form, Keep, Stored, StoredDtype, store
from clipcond.bulk.identity import identity_of
from clipcond.checkpoints import load_towers
from clipcond.conditioning.alone import ConditionedAlone
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.embedded import ADAPTERS
from clipcond.errors import ArgumentError, BulkError, first_line
from clipcond.locks import fork_safe_lock
from clipcond.towers.timing import time_tower

Column: TypeAlias = "NDArray[Any] | Sequence[object]"
Model: TypeAlias = "str | PathLike[str] | Callable[[], Conditioner]"
_LOADING = fork_safe_lock()


class CaptionEncoder:
    """A callable from a batch of captions to what is kept of their conditionings; can be pickled.

    The model is loaded by the first call in a process, or by `load`: a worker has one, whichever
    engine started it. Each caption comes out as `Conditioner(caption)` alone gives it, whatever
    else is in the batch; equal captions of a batch are encoded once.

    Args:
        model: as for `Conditioner.from_model`, or a function that makes the Conditioner.
        keep: "full" = all rows; "trimmed" = those that are not padding, and of each run of padding
            the mean; "pooled" = the pooled vector alone.
        dtype: "float32", "float16", "bfloat16", or "int8" with a scale for each row.
        column: the captions' name in a batch.
        adapter: a file, or "embedded-zh": maps the tower's rows into a UNet's space.
        device: None = cuda where torch sees one, else the CPU. The towers compute in float16 on
            cuda, in float32 elsewhere.
        allow_pickle: as for `load_tower`.
        choices: arguments of the Conditioner (`dialect`, `clip_skip`, `weighting`, `max_chunks`,
            ...), by their names.
    Raises:
        UnknownNameError: there is no such form or dtype.
        ArgumentError: `adapter` or choices beside a function, which makes them itself.
    """

    def __init__(
        self,
        model: Model = "embedded",
        *,
        keep: Keep = "trimmed",
        dtype: StoredDtype = "float16",
        column: str = "caption",
        adapter: str | PathLike[str] | None = None,
        device: str | None = None,
        allow_pickle: bool = False,
        **choices: Any,
    ) -> None:
        self.form = Form(keep, dtype)
        self.column = column
        self.seconds_in_tower = 0.0
        self.issues: Counter[str] = Counter()
        self._model, self._adapter, self._device = model, adapter, device
        self._allow_pickle, self._choices = allow_pickle, choices
        self._conditioner: Conditioner | None = None
        if callable(model) and (adapter is not None or choices):
            raise ArgumentError("a function makes its Conditioner itself: it takes no choices")
        if keep == "pooled" and not callable(model):
            self._choices = {"pooled": True, **choices}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded model out: each process loads its own."""
        return {**vars(self), "_conditioner": None}

    def load(self) -> Conditioner:
        """Load the model, once a process.

        Raises:
            CheckpointError: as for `load_tower`.
            ArgumentError: pooled vectors are to be kept, and it gives none.
        """
        with _LOADING:
            if self._conditioner is None:
                made = self._made()
                if self.form.keep == "pooled" and not made.pooled:
                    raise ArgumentError(
                        "this Conditioner gives no pooled vectors to keep",
                        "Make it with pooled=True, or keep other rows.",
                    )
                self._conditioner = self._timed(made)
            return self._conditioner

    def _made(self) -> Conditioner:
        if callable(self._model):
            return self._model()
        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.float16 if device.startswith("cuda") else torch.float32
        towers = load_towers(
            self._model, allow_pickle=self._allow_pickle, dtype=dtype, device=device
        )
        choices = dict(self._choices)
        if self._adapter is not None:
            adapter, _ = load_adapter(ADAPTERS.get(str(self._adapter), self._adapter))
            choices["adapter"] = adapter.to(device, dtype)
        return Conditioner(*towers, **{"cache_bytes": 0, **choices})

    def _timed(self, conditioner: Conditioner) -> Conditioner:
        """Count the seconds that the towers take."""

        def add(seconds: float) -> None:
            self.seconds_in_tower += seconds

        for tower in conditioner.towers:
            time_tower(tower, add)
        return conditioner

    def encode(self, captions: Column) -> list[Stored | str]:
        """Encode captions; in place of one that cannot be encoded, say why.

        Raises:
            BulkError: it is one caption, not several.
        """
        captions = _listed(captions)
        wrong = {i: _wrong(each) for i, each in enumerate(captions)}
        texts = dict.fromkeys(str(each) for i, each in enumerate(captions) if not wrong[i])
        with collect_warnings(shown=False):
            made = self._each([*texts])
        good = [each for each in made if isinstance(each, ConditionedAlone)]
        stored = iter(store(good, self.form))
        kept: dict[str, Stored | str] = {}
        codes: dict[str, set[str]] = {}
        for text, each in zip(texts, made, strict=True):
            kept[text] = each if isinstance(each, str) else next(stored)
            if isinstance(each, ConditionedAlone) and isinstance(kept[text], Stored):
                codes[text] = {issue.code for issue in each.conditioning.issues}
        for i, caption in enumerate(captions):  # equal ones count each
            if not wrong[i]:
                self.issues.update(codes.get(str(caption), ()))
        return [wrong[i] or kept[str(each)] for i, each in enumerate(captions)]

    def _each(self, texts: list[str]) -> list[ConditionedAlone | str]:
        """Encode texts together; where that fails, halves of them."""
        if not texts:
            return []
        conditioner = self.load()
        try:
            return [*conditioner.each(texts)]
        except Exception as error:  # one caption must not cost the others, whatever it does
            if len(texts) == 1:
                return [getattr(error, "message", "") or first_line(error)]
        half = len(texts) // 2
        return self._each(texts[:half]) + self._each(texts[half:])

    def __call__(self, batch: Mapping[str, Column]) -> dict[str, Any]:
        """Encode a batch.

        Args:
            batch: columns of n entries by name, as Ray Data, webdataset or Daft have them: arrays,
                lists, Series; that of captions has strings.
        Returns:
            the batch, and: `length` int32 [n], the conditioning's S; `embeds` [n], each [rows D];
            `rows` [n], each int32 [rows], their places among S, or -1 - i for the mean of the
            padding from row i on; `pooled` [n], each [P]; of int8
            `scales` [n], each float32 [rows], and `pooled_scale` float32 [n]; `error` [n], why a
            caption could not be encoded, then its arrays are empty. bfloat16 is int16 with the
            same bits, because numpy has none.
        Raises:
            BulkError: there is no such column, or it is one caption, not several.
        """
        if self.column not in batch:
            raise BulkError(
                f"the batch has no column {self.column!r}; it has {', '.join(batch)}",
                "Name the column of the captions: CaptionEncoder(column=...).",
            )
        results = self.encode(batch[self.column])
        empty = torch.empty(0)
        columns: dict[str, list[NDArray[Any]]] = {"embeds": [], "rows": [], "pooled": []}
        if self.form.dtype == "int8":
            columns["scales"] = []
        lengths, errors, pooled_scales = [], [], []
        for each in results:
            good = each if isinstance(each, Stored) else None
            lengths.append(good.length if good else 0)
            errors.append("" if isinstance(each, Stored) else each)
            columns["embeds"].append(_numpy(good.embeds if good else self._no_rows()))
            columns["rows"].append(_numpy(good.rows if good else empty.int()))
            pooled = good.pooled if good and good.pooled is not None else self._no_rows()[:, 0]
            columns["pooled"].append(_numpy(pooled))
            if "scales" in columns:
                columns["scales"].append(_numpy(good.scales if good else empty))
            scale = good.pooled_scale if good else None
            pooled_scales.append(0.0 if scale is None else float(scale))
        made: dict[str, Any] = {
            **batch,
            **{name: _ragged(arrays) for name, arrays in columns.items()},
        }
        made["length"] = np.array(lengths, np.int32)
        made["error"] = np.array(errors, object)
        if "scales" in columns:
            made["pooled_scale"] = np.array(pooled_scales, np.float32)
        return made

    def _no_rows(self) -> torch.Tensor:
        width = self.load().embeds_width
        return torch.empty(0, width, dtype=DTYPES[self.form.dtype])

    def empty(self) -> torch.Tensor | None:
        """Encode the empty prompt, float32 [L D]: what shorter captions of a batch end with."""
        if self.form.keep == "pooled":
            return None
        return self.load().empty_chunk().embeds[0].to("cpu", torch.float32)

    def identity(self) -> dict[str, Any]:
        """Describe what decides the numbers, as plain JSON: towers, layers, dialect, rule, form."""
        form = {"keep": self.form.keep, "dtype": self.form.dtype}
        return {**identity_of(self.load()), **form}


def _listed(column: Column) -> list[object]:
    """List the values of numpy's, torch's, pyarrow's or Daft's column, or of another sequence.

    Raises:
        BulkError: it is one caption, or something else that is no column.
    """
    values: object = column
    for name in ("to_pylist", "tolist"):
        if hasattr(column, name):
            values = getattr(column, name)()
            break
    is_table = isinstance(values, Mapping) or hasattr(values, "columns")  # as pandas' is
    has_items = isinstance(values, Iterable) or hasattr(values, "__getitem__")
    if isinstance(values, str | bytes) or is_table or not has_items:
        raise BulkError(
            f"the captions of a batch are a list or an array; this is one {type(values).__name__}",
            "Give batches: map_batches in Ray Data, .batched(n) in webdataset; or a list of one.",
        )
    return [*cast(Iterable[object], values)]


def _wrong(caption: object) -> str:
    if not isinstance(caption, str):
        return f"it is {'null' if caption is None else type(caption).__name__}, not a string"
    return ""


def _numpy(tensor: torch.Tensor | None) -> NDArray[Any]:
    if tensor is None:
        return np.empty(0, np.float32)
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _ragged(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    made = np.empty(len(arrays), object)
    for i, array in enumerate(arrays):
        made[i] = array
    return made
