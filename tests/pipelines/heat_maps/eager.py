"""Attention by the formula, in float64, of what a model's own calls project; and pictures of it."""

from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.functional import interpolate

from tests.pipelines.models import latents, seeded


class Eager:
    """The queries and keys of every layer in every call of a model, and what they attend to."""

    def __init__(self, model, layers, *, joint=False):
        self.model, self.joint = model, joint
        self.layers = {name: model.get_submodule(name) for name in layers}
        self.projected = {}

    @contextmanager
    def noting(self):
        """Note what the projections give; norms of queries and keys are behind them."""
        handles = []
        for name, layer in self.layers.items():
            parts = {"q": layer.to_q, "k": layer.to_k, "t": layer.add_k_proj}
            norms = {"q": layer.norm_q, "k": layer.norm_k, "t": layer.norm_added_k}
            for part, module in parts.items():
                watched = module if norms[part] is None else norms[part]
                if module is not None:
                    handles.append(watched.register_forward_hook(self._note(name, part)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note(self, name, part):
        def note(module, args, output):
            self.projected.setdefault((name, part), []).append(output.double().numpy())

        return note

    def shares(self, name, call):
        """softmax(q k / sqrt(d)) of a call: [B heads n S], the keys of text alone."""
        heads = self.layers[name].heads
        split = {
            part: as_heads(self.projected[name, part][call], heads)
            for part in "qkt"
            if (name, part) in self.projected
        }
        keys = np.concatenate([split["k"], split["t"]], axis=2) if self.joint else split["k"]
        scores = split["q"] @ keys.swapaxes(-1, -2) / np.sqrt(keys.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        shares = weights / weights.sum(-1, keepdims=True)
        return shares[..., -split["t"].shape[2] :] if self.joint else shares

    def n_calls(self, name):
        return len(self.projected[name, "q"])

    def map_of(self, name, rows, grid, size, calls=None, batch=-1, heads=slice(None)):
        """The mean over calls and heads of the sum over rows, as large as the picture."""
        calls = range(self.n_calls(name)) if calls is None else calls
        each = [self.shares(name, call)[batch, heads][..., rows].sum(-1).mean(0) for call in calls]
        mean = torch.from_numpy(np.mean(each, axis=0)).view(1, 1, *grid)
        return interpolate(mean, size, mode="bilinear")[0, 0].float()


def as_heads(projected, heads):
    if projected.ndim == 4:  # normed: split already
        return projected
    return projected.reshape(*projected.shape[:2], heads, -1).swapaxes(1, 2)


def noted(pipe, model, names, prompt, *, joint=False, **call):
    """Draw without tracing: what the model projects, and the latents."""
    eager = Eager(model, names, joint=joint)
    with eager.noting():
        drawn = latents(pipe, prompt, **call)
    return eager, drawn


__all__ = ["Eager", "noted", "seeded"]
