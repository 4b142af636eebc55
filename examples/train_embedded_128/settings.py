"""How large the models are, how much is drawn, and how the time is shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

STAGES = (
    *("pool", "judge", "vae", "clip", "unet", "decoder", "vision", "chinese", "export"),
    *("guidance", "adapter"),
)
# Shares of the whole time. What is not trained (pool, export) takes what it takes.
SHARES = {
    **{"judge": 0.05, "vae": 0.14, "clip": 0.14, "unet": 0.25, "vision": 0.22, "chinese": 0.06},
    "decoder": 0.05,
    "adapter": 0.07,
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The models' sizes; those by default are the ones that are shipped.

    With them the English parts (tokenizer, text and vision tower, autoencoder, UNet) are below
    42 MB in float16 (`export.english_bytes`; a test counts).
    """

    text_width: int = 128
    text_layers: int = 6
    text_heads: int = 4
    chinese_width: int = 96  # its vocabulary is most of the Chinese tower's file
    vision_width: int = 192
    vision_layers: int = 4
    patch: int = 16
    vae: tuple[int, ...] = (24, 48, 64, 96)
    latents: int = 8
    unet: tuple[int, ...] = (88, 128, 152)
    judge: tuple[int, ...] = (32, 64, 128, 256)
    adapter_hidden: int | None = None  # None = as `clipcond align` chooses


@dataclass(frozen=True, slots=True)
class Batches:
    """Samples of one step, and how many scenes and captions are drawn once and kept."""

    vae: int = 16
    decoder: int = 16
    clip: int = 192
    vision: int = 192
    unet: int = 32
    chinese: int = 192
    judge: int = 96
    pool: int = 60_000
    pairs: int = 24_000  # for the adapter
    guidance: int = 48  # pictures of each guidance scale
    renders: int = 1  # of each record, as latents for the UNet


# A GPU needs large batches to be busy; with Adam the rate grows with the root of their growth.
CPU = Batches()
GPU = Batches(
    vae=256,
    decoder=256,
    clip=2048,
    vision=2048,
    unet=1024,
    chinese=2048,
    judge=512,
    pool=320_000,
    guidance=128,
    renders=3,
)
TINY = Sizes(
    text_width=32,
    text_layers=2,
    text_heads=2,
    chinese_width=24,
    vision_width=32,
    vision_layers=1,
    patch=32,
    vae=(8, 8, 8, 16),
    latents=8,
    unet=(16, 32, 32),
    judge=(8, 8, 16, 16),
    adapter_hidden=32,
)
TINY_BATCHES = Batches(
    vae=2, decoder=2, clip=8, vision=8, unet=2, chinese=8, judge=4, pool=64, pairs=12, guidance=2
)
RATES = {
    "judge": 1e-3,
    "vae": 1.5e-3,
    "decoder": 7e-4,
    "clip": 1e-3,
    "unet": 8e-4,
    "vision": 8e-4,
    "chinese": 1e-3,
}  # CPU batches
MOST_GROWTH = 2.5  # of a learning rate by a larger batch


@dataclass(frozen=True)
class Work:
    """One run of the recipe.

    Args:
        runs: the folder of checkpoints, caches and what each stage made.
        sprites: the packed file.
        out: where the model's folders go.
        steps: of the stages that are not to take what time allows.
        compiled: the stages whose models torch.compile compiles.
        bfloat16: whether trained stages compute in bfloat16 where that is safe.
    """

    runs: Path
    sprites: Path
    out: Path
    device: str = "cpu"
    minutes: float = 8.0
    seed: int = 0
    workers: int = 2
    sizes: Sizes = field(default_factory=Sizes)
    batches: Batches = CPU
    steps: dict[str, int] = field(default_factory=dict)
    compiled: tuple[str, ...] = ()
    bfloat16: bool = False

    def seconds(self, stage: str) -> float:
        """The stage's share of the time."""
        return 60 * self.minutes * SHARES[stage]

    def rate(self, stage: str) -> float:
        """The stage's peak learning rate at its batch."""
        growth = (getattr(self.batches, stage) / getattr(CPU, stage)) ** 0.5
        return RATES[stage] * min(growth, MOST_GROWTH)
