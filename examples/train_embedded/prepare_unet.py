"""Draw the prompts and scenes of the UNet stage and cache their latents and text states.

Prompts go through clipcond itself (weights, chunks, BREAK, both clip skips), so the UNet learns
from what it will be given. Three groups, for prompts of one, two and three chunks.
"""

from __future__ import annotations

import argparse
import random
import warnings
from pathlib import Path

import numpy as np
import torch
from captions import Mix, Sample, lengthened, sample
from diffusers import AutoencoderKL
from rich.progress import track
from train_clip import TOKENIZER, build
from transformers import CLIPModel, CLIPTokenizer
from world import render

from clipcond import Conditioner
from clipcond.errors import ClipcondWarning
from clipcond.towers import OpenAIClipTower

CLIP_SKIPS = (1, 2)
STEP = 100  # samples at once
MIX = Mix(pair=0.72, sized=0.15, weighted=0.18, filler=0.3, jitter=False)
SHARES = {1: 0.82, 2: 0.13, 3: 0.05}  # of the samples, by number of chunks


def draw(n: int, n_chunks: int, conditioner: Conditioner, rng: random.Random) -> list[Sample]:
    """`n` samples whose prompts take exactly `n_chunks` chunks."""
    samples: list[Sample] = []
    while len(samples) < n:
        drawn = sample(rng, MIX)
        if n_chunks > 1:
            drawn = Sample(lengthened(drawn.prompt, rng, n_chunks), drawn.scene)
        elif rng.random() < 0.08:
            drawn = Sample(lengthened(drawn.prompt, rng, 1), drawn.scene)
        if len(conditioner.chunks(drawn.prompt)) == n_chunks:
            samples.append(drawn)
    return samples


@torch.no_grad()
def latents_of(vae: AutoencoderKL, samples: list[Sample], rng: random.Random) -> torch.Tensor:
    """Scaled latent means of the scenes: [n C H W]."""
    images = np.stack([render(s.scene, rng) for s in samples])
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor


def write_scenes(folder: Path, n: int, n_chunks: int, vae: AutoencoderKL) -> None:
    """Write latents_<n_chunks>.npy [n C H W] and prompts_<n_chunks>.txt, a line each."""
    rng = random.Random(f"unet data {n_chunks}")
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    counter = Conditioner(OpenAIClipTower(build(tokenizer).text_model.eval(), tokenizer))
    latents: list[torch.Tensor] = []
    prompts: list[str] = []
    for start in track(range(0, n, STEP), f"scenes of {n_chunks} chunks"):
        samples = draw(min(STEP, n - start), n_chunks, counter, rng)
        prompts += [s.prompt for s in samples]
        latents.append(latents_of(vae, samples, rng).half())
    np.save(folder / f"latents_{n_chunks}.npy", torch.cat(latents).numpy())
    (folder / f"prompts_{n_chunks}.txt").write_text("\n".join(prompts), encoding="utf-8")


def write_text(folder: Path, n_chunks: int, conditioner: Conditioner) -> None:
    """Write text_<n_chunks>.npy [n skips S D] and empty_<n_chunks>.npy, the empty prompt's."""
    prompts = (folder / f"prompts_{n_chunks}.txt").read_text(encoding="utf-8").split("\n")
    tower = conditioner.towers[0]
    length = n_chunks * tower.special.context_length
    shape = (len(prompts), len(CLIP_SKIPS), length, tower.width)
    text = np.lib.format.open_memmap(folder / f"text_{n_chunks}.npy", "w+", np.float16, shape)
    for start in track(range(0, len(prompts), STEP), f"text states of {n_chunks} chunks"):
        some = prompts[start : start + STEP]
        for i, clip_skip in enumerate(CLIP_SKIPS):
            text[start : start + STEP, i] = conditioner(some, clip_skip=clip_skip).embeds.numpy()
    empty = torch.stack([conditioner("", clip_skip=n).embeds[0] for n in CLIP_SKIPS])
    np.save(folder / f"empty_{n_chunks}.npy", empty.repeat(1, n_chunks, 1).half().numpy())


def main() -> None:
    """Scenes need the autoencoder, text states the text tower: two passes, each done once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--scenes", type=int, default=45_000)
    parser.add_argument("--only", choices=("scenes", "text"), help="one pass alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ClipcondWarning)  # strange words are there on purpose
    folder = options.runs / "unet_data"
    folder.mkdir(parents=True, exist_ok=True)
    if options.only != "text":
        vae = AutoencoderKL.from_pretrained(options.runs / "vae" / "final").eval()
        for n_chunks, share in SHARES.items():
            write_scenes(folder, int(options.scenes * share), n_chunks, vae)
    if options.only != "scenes":
        clip = CLIPModel.from_pretrained(options.runs / "clip_mirrored" / "final").eval()
        tower = OpenAIClipTower(clip.text_model, CLIPTokenizer.from_pretrained(TOKENIZER))
        for n_chunks in SHARES:
            write_text(folder, n_chunks, Conditioner(tower))


if __name__ == "__main__":
    main()
