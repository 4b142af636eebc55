"""Prompts of known length, text models with random weights, and counters of their work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from time import process_time
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from benchmarks.prompt_text import text
from clipcond import Conditioner, embedded
from clipcond.towers import OpenAIClipTower


@dataclass(frozen=True, slots=True)
class Workload:
    """Prompts that share a negative prompt, in A1111's notation."""

    name: str
    prompts: list[str]
    negative: str


def workloads() -> list[Workload]:
    """List the workloads of docs/performance.md."""
    long = [text(120, weighted=True, start=i) for i in range(8)]
    negative = text(40, start=3)
    return [
        Workload("10 + ''", [text(10)], ""),
        Workload("120 weighted + 40", long[:1], negative),
        Workload("600 weighted + 40", [text(600, weighted=True)], negative),
        Workload("8 x (120 weighted) + 40", long, negative),
        Workload("64 x 10 + 40", [f"{text(9, start=i)} {i}" for i in range(64)], negative),
    ]


@cache
def tokenizer() -> CLIPTokenizer:
    """Open the tokenizer of CLIP, out of the embedded model."""
    opened: CLIPTokenizer = CLIPTokenizer.from_pretrained(str(embedded.folder() / "tokenizer"))
    return opened


@cache
def text_model(width: int = 768, n_layers: int = 12) -> CLIPTextModel:
    """Make a text model with random weights, by default of CLIP ViT-L/14's size."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer()),
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=max(1, width // 64),
        num_hidden_layers=n_layers,
        projection_dim=width,
        bos_token_id=tokenizer().bos_token_id,
        eos_token_id=tokenizer().eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIPTextModel(config).eval().requires_grad_(False)
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):  # a mean of zero would upset the rules
                module.weight.normal_(1.0, 0.1)
                module.bias.normal_(0.1, 0.05)
    if not hasattr(model, "text_model"):  # peers look for what transformers 5.6 took away
        CLIPTextModel.text_model = property(lambda self: self)
    return model


def conditioner(model: CLIPTextModel, **choices: Any) -> Conditioner:
    """Make a Conditioner that has encoded nothing yet."""
    return Conditioner(OpenAIClipTower(model, tokenizer()), **choices)


@dataclass(slots=True)
class Count:
    """The work of a text model: calls, chunks, positions and CPU seconds."""

    calls: int = 0
    chunks: int = 0
    positions: int = 0
    seconds: float = 0.0
    input_ids: list[tuple[int, ...]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.calls} / {self.chunks} / {self.positions}"


class Counter:
    """Hooks that count a text model's work; put on once, as hooks change a fingerprint.

    They hold a list alone: other numbers that change behind a hook empty the cache.
    """

    def __init__(self, model: nn.Module) -> None:
        count = self._count = [(Count(), 0.0)]
        model.register_forward_pre_hook(lambda *call: _before(count, *call), with_kwargs=True)
        model.register_forward_hook(lambda *_: _after(count))

    @contextmanager
    def counting(self) -> Iterator[Count]:
        """Count from zero what is done in the block."""
        count = Count()
        self._count[0] = count, 0.0
        yield count


def _before(
    running: list[tuple[Count, float]], _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    ids: Tensor = args[0] if args else kwargs["input_ids"]
    count = running[0][0]
    count.calls += 1
    count.chunks += len(ids)
    count.positions += ids.numel()
    count.input_ids += map(tuple, ids.tolist())
    running[0] = count, process_time()


def _after(running: list[tuple[Count, float]]) -> None:
    count, began = running[0]
    count.seconds += process_time() - began
