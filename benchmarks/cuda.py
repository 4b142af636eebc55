"""Time encoding and denoising on a GPU, next to bare transformers, plain diffusers and compel.

    python -m benchmarks cuda                         (about 2 minutes on one GPU)

Weights are random, widths those of CLIP ViT-L/14 and of SD1's UNet, the dtype float16. In each
round every contender has its turn; printed are medians. The ceilings are what the same card does in
one large product and in one large copy. `CLIPCOND_REHEARSE=1` tries the script on a CPU, with small
models: its figures mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import torch

from benchmarks.measuring import Options, Table
from clipcond import Conditioner, attach, detach
from clipcond.towers import OpenAIClipTower
from tests.cuda.models import DEVICE, REHEARSAL, clip_l, sd1, tokenizer
from tests.cuda.report import record

ROUNDS = 3 if REHEARSAL else 15
DTYPE = torch.float32 if REHEARSAL else torch.float16
SIZES = (1, 4) if REHEARSAL else (1, 256)
STEPS = 4 if REHEARSAL else 20
FIGURES: list[tuple[str, str]] = []
WORDS = "a fox in the snow under an old tree, soft light, number"


def wait() -> None:
    """Wait until the card has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def medians(contenders: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return each contender's median seconds of interleaved rounds, after two to warm up."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 2):
        for name, work in contenders.items():
            wait()
            start = perf_counter()
            work()
            wait()
            spent[name].append(perf_counter() - start)
    return {name: median(times[2:]) for name, times in spent.items()}


def ceilings() -> tuple[float, float]:
    """Measure what the card can do: FLOP/s in a product of 8192 x 8192, bytes/s in a copy."""
    n, n_bytes = (512, 2**24) if REHEARSAL else (8192, 2**30)
    a, b = (torch.randn(n, n, device=DEVICE, dtype=DTYPE) for _ in range(2))
    source = torch.empty(n_bytes, device=DEVICE, dtype=torch.uint8)
    target = torch.empty_like(source)
    times = medians({"product": lambda: a @ b, "copy": lambda: target.copy_(source)})
    return 2 * n**3 / times["product"], 2 * n_bytes / times["copy"]


def forward_flops(n_chunks: int, length: int = 77) -> float:
    """Count the FLOPs of a tower's forward pass: products of weights, and attention."""
    config = clip_l().config
    width, blocks = config.hidden_size, config.num_hidden_layers
    weights = 4 * width**2 + 2 * width * config.intermediate_size
    return 2.0 * n_chunks * length * blocks * (weights + 2 * length * width)


def compel_of(model: Any) -> Callable[[list[str]], Any] | None:
    """Make compel's own encoder of a model, or None if it is not installed."""
    try:
        from compel import Compel
    except ImportError:
        return None
    return Compel(tokenizer=tokenizer(), text_encoder=model, truncate_long_prompts=False)


def encoding(product: float, copy: float) -> None:
    """Time encoding: bare transformers on ready ids, ours without a cache, compel."""
    model = clip_l().to(DTYPE)
    tower, bpe = OpenAIClipTower(model, tokenizer()), tokenizer()
    conditioner, compel = Conditioner(tower, cache_bytes=0), compel_of(model)
    n_bytes = sum(parameter.nbytes for parameter in model.parameters())
    for size in SIZES:
        prompts = [f"{WORDS} {i}" for i in range(size)]
        weighted = [prompt.replace("fox", "(fox:1.3)") for prompt in prompts]
        batch = bpe(prompts, padding="max_length", max_length=77, return_tensors="pt")
        ids = batch.input_ids.to(DEVICE)

        @torch.no_grad()
        def bare(ids: torch.Tensor = ids) -> Any:
            return model(ids).last_hidden_state

        contenders: dict[str, Callable[[], Any]] = {
            "transformers, ids ready": bare,
            "clipcond": lambda prompts=prompts: conditioner(prompts),
            "clipcond, weighted": lambda weighted=weighted: conditioner(weighted),
        }
        if compel is not None:
            contenders["compel"] = lambda prompts=prompts: compel(prompts)
        times = medians(contenders)
        floor = max(forward_flops(size) / product, n_bytes / copy)
        for name, seconds in times.items():
            share = 100 * floor / seconds
            ratio = seconds / times["transformers, ids ready"]
            text = f"{1e3 * seconds:.3f} ms, {ratio:.2f}x transformers, {share:.0f} % of the limit"
            show(f"encode {size}: {name}", text)


def cache() -> None:
    """Time a prompt that was encoded before."""
    conditioner = Conditioner(OpenAIClipTower(clip_l().to(DTYPE), tokenizer()))
    conditioner(WORDS)
    times = medians({"hit": lambda: conditioner(WORDS)}, rounds=50)
    show("a prompt out of the cache", f"{1e6 * times['hit']:.0f} us")


def denoising() -> None:
    """Time the steps of SD1's UNet: plain, attached, with a schedule, with two parts."""
    pipe = sd1(DTYPE)

    def draw(prompt: str, *, attached: bool = True) -> Callable[[], Any]:
        def work() -> Any:
            (attach if attached else detach)(pipe)
            return pipe(prompt, num_inference_steps=STEPS, output_type="latent")

        return work

    times = medians(
        {
            "plain diffusers": draw("a red fox", attached=False),
            "attached": draw("a (red:1.2) fox"),
            "with a schedule": draw("a [red:blue:0.5] fox"),
            "with alternation": draw("a [red|blue] fox"),
            "with two parts": draw("a red fox AND snow"),
        },
        rounds=2 if REHEARSAL else 5,
    )
    for name, seconds in times.items():
        ratio = seconds / times["plain diffusers"]
        show(f"{STEPS} steps: {name}", f"{1e3 * seconds / STEPS:.2f} ms a step, {ratio:.3f}x plain")


def show(name: str, text: str) -> None:
    """Add a figure to the table, and to the file that CLIPCOND_CUDA_JSON names."""
    FIGURES.append((name, text))
    record(name, text)


def measure(_: Options) -> list[Table]:
    """Measure everything where there is a GPU."""
    title = "Encoding and denoising on a GPU."
    if DEVICE == "cuda" and not torch.cuda.is_available():
        return [Table(title, ["what", "measured"], [["all", "not measured: no CUDA device"]])]
    FIGURES.clear()
    product, copy = ceilings()
    show("ceilings", f"{product / 1e12:.0f} TFLOP/s, {copy / 1e9:.0f} GB/s")
    encoding(product, copy)
    cache()
    denoising()
    card = torch.cuda.get_device_name() if DEVICE == "cuda" else "a rehearsal on a CPU"
    return [Table(f"{title} {card}.", ["what", "measured"], FIGURES)]
