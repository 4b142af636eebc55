"""Train the UNet on cached latents: v-prediction with zero terminal SNR, text read as it is used.

One sample in ten has the empty prompt (Ho & Salimans 2022), four in ten the penultimate layer's
states (clip skip 2), and all are of clipcond's own chunks and weights.
"""

from __future__ import annotations

import random

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPModel

from . import models
from .loop import Losses, Now, Stage, train
from .pool import SHARES, Records, english_chunks
from .render import Renderer, seeded
from .settings import Work
from .sprites import Sprites
from .text_states import embeds

DROP, PENULTIMATE = 0.1, 0.45
NOISY, NOISY_FROM = 0.5, 0.6  # half of the timesteps are of the noisiest 40 %: text decides there
GAMMA, LEAST = 5.0, 0.3  # of the weight of nearly clean latents
AT_ONCE = 128  # pictures


def loss_weights(schedule: DDIMScheduler, device: str) -> Tensor:
    """The weight of the v-loss at each timestep: [steps].

    min(SNR, 5) / (SNR + 1) above an SNR of 1 (Hang et al. 2023, "Efficient Diffusion Training via
    Min-SNR Weighting Strategy", for v), at least LEAST; below it 1, for there text decides.
    """
    kept = schedule.alphas_cumprod.to(device)
    snr = kept / (1 - kept)
    weights = snr.clamp(max=GAMMA) / (snr + 1) * 2
    return torch.where(snr > 1, weights.clamp(LEAST, 1.0), 1.0)


def timesteps(n: int, n_steps: int, generator: torch.Generator) -> Tensor:
    """Draw `n` of the schedule's steps, noisy ones more often."""
    device = generator.device
    first = torch.rand(n, generator=generator, device=device) < NOISY
    start = first.float() * NOISY_FROM
    where = start + (1 - start) * torch.rand(n, generator=generator, device=device)
    return (where * n_steps).long().clamp(max=n_steps - 1)


@torch.no_grad()
def latents_of(
    vae: AutoencoderKL, renderer: Renderer, records: Records, n_chunks: int, work: Work
) -> Tensor:
    """Scaled latents of renderings of all records, several times drawn: float16 [times n C H W]."""
    rounds = []
    for time in range(work.batches.renders):
        parts = []
        for rows in torch.arange(len(records), device=work.device).split(AT_ONCE):
            generator = seeded(work.device, "latents", work.seed, n_chunks, time, int(rows[0]))
            images = renderer.draw(records.scenes[rows], generator)
            with torch.autocast(work.device, torch.bfloat16, enabled=work.bfloat16):
                mean = vae.encode(images).latent_dist.mean
            parts.append((mean.float() * vae.config.scaling_factor).half())
        rounds.append(torch.cat(parts))
    return torch.stack(rounds)


def cached_latents(
    work: Work, vae: AutoencoderKL, renderer: Renderer, pool: dict[int, Records]
) -> dict[int, Tensor]:
    """The latents of every group, made once and kept in a file."""
    path = work.runs / "latents.pt"
    if path.exists():
        return torch.load(path, map_location=work.device, weights_only=True)
    found = {n: latents_of(vae, renderer, records, n, work) for n, records in pool.items()}
    part = path.with_suffix(".part")
    torch.save(found, part)
    part.replace(path)
    return found


def empty_ids(n_chunks: int, device: str) -> Tensor:
    """The empty prompt in so many chunks: int32 [n_chunks 77]."""
    (chunk,) = english_chunks("")
    return torch.tensor([chunk.input_ids] * n_chunks, dtype=torch.int32, device=device)


def unet_stage(
    work: Work,
    sprites: Sprites,
    pool: dict[int, Records],
    vae: AutoencoderKL,
    clip: CLIPModel,
) -> UNet2DConditionModel:
    """Train the UNet and save it with its schedule."""
    torch.manual_seed(work.seed)
    vae.to(work.device).requires_grad_(False)
    tower = clip.text_model.to(work.device).requires_grad_(False)
    latents = cached_latents(work, vae, Renderer(sprites, wander=True), pool)
    unet, schedule = models.unet(work.sizes), models.schedule()
    if work.device == "cpu":
        unet.set_attn_processor(AttnProcessor())  # the plain one: SDPA's backward is slow there
    unet.to(memory_format=torch.channels_last)
    compiled = torch.compile(unet, dynamic=False) if "unet" in work.compiled else unet
    schedule.alphas_cumprod = schedule.alphas_cumprod.to(work.device)
    weights, n_steps = loss_weights(schedule, work.device), schedule.config.num_train_timesteps
    empty = {n: empty_ids(n, work.device) for n in pool}
    shares = [SHARES[n] for n in pool]

    def loss_of(model: nn.Module, now: Now) -> Losses:
        (group,) = random.Random(f"{work.seed}/{now.step}").choices(list(pool), shares)
        n, generator, device = work.batches.unet, now.generator, work.device
        records, cached = pool[group], latents[group]

        def draw(high: int) -> Tensor:
            return torch.randint(high, (n,), generator=generator, device=device)

        rows, times = draw(len(records)), draw(len(cached))
        chance = torch.rand(2, n, generator=generator, device=device)
        ids, said = records.ids[rows], records.weights[rows]
        dropped = (chance[0] < DROP)[:, None, None]
        ids = torch.where(dropped, empty[group], ids)
        said = torch.where(dropped, torch.ones_like(said), said)
        text = embeds(tower, ids, said, 1 + (chance[1] < PENULTIMATE).long())
        clean = cached[times, rows].float()
        noise = torch.randn(clean.shape, generator=generator, device=device)
        steps = timesteps(n, n_steps, generator)
        noisy = schedule.add_noise(clean, noise, steps)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        call = compiled if group == 1 else model  # others are few: not worth compiling for
        found = call(noisy, steps, text).sample.float()
        target = schedule.get_velocity(clean, noise, steps)
        each = (found - target).square().mean((1, 2, 3))
        return {"v": (each * weights[steps]).mean()}

    train(Stage("unet", work, ema=0.999), unet, loss_of)
    folder = work.runs / "unet" / "final"
    unet.save_pretrained(folder / "unet")
    models.schedule().save_pretrained(folder / "scheduler")
    return unet
