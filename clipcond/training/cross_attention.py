"""Compare what a UNet's cross-attention gets out of text embeddings of teacher and adapter.

Languages differ in the number and order of words, so embeddings are not compared row by row.
Instead, the UNet's own frozen layers attend to the embeddings of the teacher and to those of the
adapter, with queries collected while the teacher draws: their outputs are all that the UNet learns
of either.
Source of the idea: IAP (arXiv 2305.11540), which pulls together the cross-attention outputs of
image queries under two languages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipcond.errors import PipelineError
from clipcond.training.pair_encoding import Batch
from clipcond.training.teacher import Teacher, record_outputs

N_QUERIES = 512  # collected for a layer
N_LAYERS_COMPARED, N_QUERIES_COMPARED = 4, 64  # layers and queries compared at a step


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """One cross-attention layer of the UNet, with queries.

    Args:
        attention: diffusers' Attention.
        queries: [Q heads*d], outputs of its `to_q`.
        mean: [Q C], its mean output for the teacher's prompts.
        spread: mean square of the distance of outputs from that mean.
    """

    attention: Any
    queries: Tensor
    mean: Tensor | None = None
    spread: float = 1.0

    def attend(self, embeds: Tensor, which: Tensor) -> Tensor:
        """Attend with these queries [q] to embeds [b S D]: outputs [b q C], float32."""
        attention, dtype = self.attention, self.attention.to_k.weight.dtype
        embeds = embeds.to(dtype)
        if attention.norm_cross is not None:
            embeds = attention.norm_encoder_hidden_states(embeds)
        queries = self.queries[which].to(dtype).expand(len(embeds), -1, -1)
        q, k, v = (
            rows.unflatten(-1, (attention.heads, -1)).transpose(1, 2)
            for rows in (queries, attention.to_k(embeds), attention.to_v(embeds))
        )
        found = F.scaled_dot_product_attention(q, k, v, scale=attention.scale)
        out: Tensor = attention.to_out[0](found.transpose(1, 2).flatten(2))
        return out.float()

    def difference(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the mean square difference of outputs [b q C]; 1 = that of the mean output."""
        return (student - teacher).square().mean().div(self.spread)

    def summarize(self, outputs: Tensor, which: Tensor) -> Tensor:
        """Join outputs [b q C] of these queries to one vector [b C], less their mean."""
        shared = 0.0 if self.mean is None else self.mean[which]
        return (outputs - shared).mean(dim=1).div(self.spread**0.5)


def cross_attentions(unet: nn.Module, width: int) -> list[Any]:
    """List the UNet's cross-attention layers, in the order of its modules.

    Raises:
        PipelineError: none reads embeddings of this width.
    """
    found: list[Any] = [
        module
        for name, module in unet.named_modules()
        if name.endswith("attn2") and getattr(module, "to_k", None) is not None
    ]
    found = [each for each in found if each.to_k.in_features == width]
    if not found:
        raise PipelineError(f"This UNet has no cross-attention that reads states {width} wide.")
    return found


def compare_attention(
    layers: Sequence[AttentionLayer], student: Tensor, teacher: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Compare outputs of some layers for some queries, both drawn from the generator.

    Args:
        student, teacher: embeds [b S D] of the adapter and of the teacher.
    Returns:
        the mean difference over layers, 1 = as embeds that are the same for every prompt; and
        student's and teacher's outputs as one vector each, [b C].
    """
    order = torch.randperm(len(layers), generator=generator)[:N_LAYERS_COMPARED].tolist()
    differences, ours, theirs = [], [], []
    for i in sorted(order):
        layer = layers[i]
        which = torch.randint(len(layer.queries), (N_QUERIES_COMPARED,), generator=generator)
        which = which.to(student.device)
        with torch.no_grad():
            wanted = layer.attend(teacher, which)
        found = layer.attend(student, which)
        differences.append(layer.difference(found, wanted))
        ours.append(layer.summarize(found, which))
        theirs.append(layer.summarize(wanted, which))
    return torch.stack(differences).mean(), torch.cat(ours, dim=1), torch.cat(theirs, dim=1)


@torch.no_grad()
def denoise(
    teacher: Teacher, batch: Batch, generator: torch.Generator, n_steps: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Let the teacher draw a batch; yield noisy latents [b C H W], timesteps [b], prediction."""
    schedule = teacher.schedule()
    schedule.set_timesteps(n_steps)
    device = batch.teacher.device
    shape = (len(batch.teacher), *teacher.latent_shape())
    latents = torch.randn(shape, generator=generator).to(device) * schedule.init_noise_sigma
    for step in schedule.timesteps:
        steps = step.to(device).expand(len(latents))
        prediction = teacher.predict(latents, steps, batch.teacher, batch.pooled)
        yield latents, steps, prediction
        latents = schedule.step(prediction, step, latents, return_dict=False)[0]


def collect_queries(
    teacher: Teacher, batches: Sequence[Batch], generator: torch.Generator, n_steps: int
) -> list[AttentionLayer]:
    """Collect N_QUERIES queries of each layer while the teacher draws in `n_steps` steps.

    Places, prompts and timesteps are drawn alike.
    """
    attentions = cross_attentions(teacher.unet, teacher.width)
    n_each = -(-N_QUERIES // (len(batches) * n_steps))
    found: list[list[Tensor]] = [[] for _ in attentions]
    with record_outputs([each.to_q for each in attentions]) as outputs:
        for batch in batches:
            for _ in denoise(teacher, batch, generator, n_steps):
                for queries, rows in zip(found, outputs, strict=True):
                    flat = rows.flatten(0, 1)
                    picked = torch.randint(len(flat), (n_each,), generator=generator)
                    queries.append(flat[picked.to(flat.device)])
    return [
        AttentionLayer(attention, torch.cat(queries)[:N_QUERIES])
        for attention, queries in zip(attentions, found, strict=True)
    ]
