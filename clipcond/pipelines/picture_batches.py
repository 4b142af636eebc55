"""Draw several pictures at once, each with the bits that it has when it is drawn alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from clipcond.pipelines.prompt_embeds import may_change, model_dtype
from clipcond.pipelines.protocols import ConditionedPipeline

T = TypeVar("T")

# The arguments of a pipeline's call that replace a picture's texts, [1 S D] and [1 P].
Encoded = Mapping[str, Tensor]

# Of all pictures of a batch: one of Stable Diffusion's, which is large enough to keep a CPU busy
# alone.
MOST_PIXELS = 512 * 512
# With guidance a UNet has two rows for each picture; from 16 rows on, and on one thread, torch
# computes 1x1 convolutions with another kernel, whose sums differ in the last bits.
# Source: torch, aten/src/ATen/native/Convolution.cpp, ConvParams::use_mkldnn.
MOST_ROWS = 15
# A product of fewer rows than this has a kernel of its own for each number of rows.
FEW_ROWS = 16


def most_at_once(pipe: ConditionedPipeline, width: int, height: int) -> int:
    """Count how many pictures of this size a batch may have without a change of their bits.

    1 on a GPU and in half precision: nothing there promises the same bits.
    """
    if pipe.device.type != "cpu" or model_dtype(pipe) != torch.float32:
        return 1
    return max(1, min(MOST_PIXELS // (width * height), MOST_ROWS // 2))


def in_parts(
    pictures: Sequence[T], settings_of: Callable[[T], object], most: Callable[[T], int]
) -> Iterator[list[T]]:
    """Yield runs of neighbours with equal settings, in even parts.

    Args:
        most: how many pictures like this one a part may have.
    """
    for _, run in groupby(pictures, settings_of):
        alike = list(run)
        n_parts = math.ceil(len(alike) / most(alike[0]))
        for i in range(n_parts):
            yield alike[i * len(alike) // n_parts : (i + 1) * len(alike) // n_parts]


def of_equal_shapes(
    pictures: Sequence[T], encoded: Sequence[Encoded | None]
) -> Iterator[tuple[list[T], list[Encoded]]]:
    """Yield runs of neighbours whose texts can be joined; one without encoded texts is alone."""
    pairs = zip(pictures, encoded, strict=True)
    for _, run in groupby(pairs, lambda pair: _shapes(pair[1])):
        own = [*run]
        texts = [each for _, each in own if each is not None]
        if texts:
            yield [picture for picture, _ in own], texts
        else:
            yield from (([picture], []) for picture, _ in own)


def _shapes(encoded: Encoded | None) -> object:
    return encoded and {name: each.shape for name, each in encoded.items()}


def encode_alone(pipe: ConditionedPipeline, call: Mapping[str, Any]) -> Encoded | None:
    """Encode one picture's prompt and negative as a call of the pipeline does.

    Args:
        call: of the pipeline's arguments prompt, negative_prompt, guidance_scale and clip_skip.
    Returns:
        None if the text changes while the picture is drawn.
    Raises:
        ClipcondError: the prompt cannot be used.
    """
    texts = {name: call[name] for name in ("prompt", "negative_prompt")}
    if may_change(texts):
        return None
    encoded = pipe.encode_prompt(
        **texts,
        device=pipe.device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=call["guidance_scale"] > 1,
        clip_skip=call.get("clip_skip"),
    )
    names = ("", "negative_", "pooled_", "negative_pooled_")
    return {
        f"{name}prompt_embeds": each
        for name, each in zip(names, encoded, strict=False)
        if each is not None
    }


def join_encoded(encoded: Sequence[Encoded]) -> dict[str, Tensor]:
    """Join the embeddings of several pictures, of equal shapes, into one call's arguments."""
    return {name: torch.cat([each[name] for each in encoded]) for name in encoded[0]}


@contextmanager
def each_as_alone(pipe: ConditionedPipeline, n: int) -> Iterator[None]:
    """Let a call of the pipeline for n pictures give each the bits that it has alone, on a CPU."""
    with decoded_singly(pipe), _FewRowsApart(n):
        yield


@contextmanager
def decoded_singly(pipe: ConditionedPipeline) -> Iterator[None]:
    """Let the autoencoder decode the pictures of a batch one by one, in the memory of one."""
    vae, sliced = pipe.vae, pipe.vae.use_slicing
    vae.use_slicing = True
    try:
        yield
    finally:
        vae.use_slicing = sliced


class _FewRowsApart(TorchFunctionMode):
    """A mode in which small products, such as those of time embeddings, run picture by picture."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self._n = n

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        if func is torch.nn.functional.linear and self._is_small(args[0]):
            pieces = [func(args[0][i :: self._n], *args[1:]) for i in range(self._n)]
            return torch.stack(pieces, dim=1).flatten(0, 1)
        return func(*args, **(kwargs or {}))

    def _is_small(self, rows: Tensor) -> bool:
        return len(rows) % self._n == 0 and rows.numel() < FEW_ROWS * self._n * rows.shape[-1]
