"""Draw regions by hand: a stock pipeline whose cross-attention is written out here.

For each cross-attention layer: the sum over the texts r of share_r * attention(q, k_r, v_r). Texts
are encoded one by one by an attached pipeline, and nothing of the package takes part in drawing.
"""

import math

import torch

from clipcond import detach
from tests.pipelines.models import latents


class PlainAttention:
    """An attention processor that adds up the attention to each text, by shares of each place."""

    def __init__(self, texts, shares):
        """Take texts, [b S D] each, and a function: height and width -> shares [h w] of each."""
        self.texts, self.shares = texts, shares

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        query, (height, width) = attn.to_q(hidden_states), self.size(hidden_states.shape[1])
        out = 0
        for text, share in zip(self.texts, self.shares(height, width), strict=True):
            heads = [
                each.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
                for each in (query, attn.to_k(text), attn.to_v(text))
            ]
            q, k, v = heads
            weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(dim=-1)
            seen = (weights @ v).transpose(1, 2).flatten(2)
            out = out + share.to(seen).reshape(1, -1, 1) * seen
        return attn.to_out[0](out)

    def size(self, n):
        """Height and width of the layer with so many places, of the latents that are drawn."""
        height, width = self.latents
        while height * width != n:
            height, width = -(-height // 2), -(-width // 2)
        return height, width


def draw_by_hand(pipe, base, texts, shares, **call):
    """Draw like `latents(pipe, ...)` with the encodings of encode_prompt in place of the prompts.

    Args:
        pipe: an attached pipeline, which is attached no more when this returns.
        base, texts: of the call and of each region, what `encode_prompt` returns, by names.
        shares: height and width -> of each of them, the call's first, its share [h w].
    """
    detach(pipe)
    own = {name: each for name, each in base.items() if each is not None}
    embeds = [
        each["prompt_embeds"]
        if each.get("negative_prompt_embeds") is None
        else torch.cat([each["negative_prompt_embeds"], each["prompt_embeds"]])
        for each in (base, *texts)
    ]
    processor = PlainAttention(embeds, shares)

    def forward(sample, *args, **kwargs):
        processor.latents = sample.shape[-2:]
        return stock(sample, *args, **kwargs)

    stock, kept = pipe.unet.forward, pipe.unet.attn_processors
    own_processors = {name: processor if ".attn2." in name else each for name, each in kept.items()}
    pipe.unet.set_attn_processor(own_processors)
    pipe.unet.forward = forward
    try:
        return latents(pipe, **own, **call)
    finally:
        del pipe.unet.forward
        pipe.unet.set_attn_processor(kept)


def encoded(pipe, prompt, negative=None, n=1, *, guided=True):
    """What `encode_prompt` makes of one prompt and its negative, by the names of a call."""
    given = {"negative_prompt": negative, "num_images_per_prompt": n}
    made = pipe.encode_prompt(
        prompt=prompt, device="cpu", do_classifier_free_guidance=guided, **given
    )
    names = ("prompt_embeds", "negative_prompt_embeds")
    more = ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    return dict(zip([*names, *more][: len(made)], made, strict=True))
