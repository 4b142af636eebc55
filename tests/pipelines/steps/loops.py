"""A1111's sampling loop, written by hand: what attached pipelines are compared with."""

import torch

from clipcond import schedule
from tests.pipelines.models import seeded

GUIDANCE = 7.5
SHAPE = (1, 4, 8, 8)


def text_at(prompt: str, n_steps: int, step: int) -> str:
    """The text at a step counted from 0: the first entry that does not end before."""
    timed = schedule(prompt, n_steps)
    return next((text for until, text in timed if step <= until), timed[-1][1])


@torch.no_grad()
def a1111(pipe, prompt, negative="", n_steps=6, *, guidance=GUIDANCE, parts=None):
    """Denoise by hand; `parts` are compose's where AND counts."""
    scheduler, unet = pipe.scheduler, pipe.unet
    scheduler.set_timesteps(n_steps)
    n_scheduled = n_steps * scheduler.order
    latents = torch.randn(SHAPE, generator=seeded(), dtype=unet.dtype) * scheduler.init_noise_sigma
    noise = {"generator": seeded_after(SHAPE)} if "Ancestral" in type(scheduler).__name__ else {}
    for step, t in enumerate(scheduler.timesteps):
        own = [(prompt, 1.0)] if parts is None else parts
        texts = [text_at(text, n_scheduled, step) for text, _ in own]
        embeds = pipe.conditioner([text_at(negative, n_scheduled, step), *texts]).embeds
        scaled = scheduler.scale_model_input(torch.cat([latents] * 2), t)
        outputs = []
        for rows in embeds[1:].split(1):
            both = torch.cat([embeds[:1], rows])
            outputs.append(unet(scaled, t, encoder_hidden_states=both).sample.chunk(2))
        empty = outputs[0][0]
        weights = [weight for _, weight in own]
        offsets = [w * (c - empty) for (_, c), w in zip(outputs, weights, strict=True)]
        drawn = empty + guidance * sum(offsets)
        latents = scheduler.step(drawn, t, latents, **noise).prev_sample
    return latents


def seeded_after(shape):
    """A generator as it is after the first latents were drawn from it."""
    generator = seeded()
    torch.randn(shape, generator=generator)
    return generator


def drawn(pipe, prompt, negative="", n_steps=6, **call):
    call = {"generator": seeded(), "output_type": "latent", "guidance_scale": GUIDANCE, **call}
    found = pipe(prompt, negative_prompt=negative, num_inference_steps=n_steps, **call)
    return found.images if hasattr(found, "images") else found.frames


def distance(ours, theirs) -> float:
    """The largest difference; infinite where one is not a number."""
    return float((ours - theirs).abs().nan_to_num(torch.inf).max())
