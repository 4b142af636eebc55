"""Draw over time by hand: plain prompts are drawn, and the model gets other texts at each call."""

from contextlib import contextmanager

import torch

from clipcond import compose
from tests.pipelines.steps.loops import text_at


class ByHand:
    """A flow's pipeline whose model is called by hand; nothing of `pipelines.steps` takes part."""

    def __init__(self, flow, pipe):
        self.flow, self.pipe, self.model = flow, pipe, getattr(pipe, flow.model)
        self.seen = {}

    @contextmanager
    def calling(self, forward):
        stock = self.model.forward
        self.model.forward = lambda *args, **kwargs: forward(stock, args, kwargs)
        try:
            yield
        finally:
            del self.model.forward

    def arguments(self, text, negative):
        """What the model gets of plain prompts: in a step's call, or in its two calls."""
        if (text, negative) not in self.seen:
            calls = self.seen[text, negative] = []

            def note(stock, args, kwargs):
                calls.append({name: kwargs[name] for name in self.flow.text})
                return stock(*args, **kwargs)

            with self.calling(note):
                self.flow.draw(self.pipe, text, negative, 2)
        return self.seen[text, negative]

    def draw(self, prompt, negative=None, n_steps=3):
        """Draw with editing, alternation, and the parts of AND."""
        n_calls = 2 if not self.flow.order and negative is not None else 1
        n_scheduled = n_steps * getattr(self.pipe.scheduler, "order", 1)
        weights = [weight for _, weight in compose(prompt)]
        steps = []  # of each, what each part gives the model, before it is in our hands
        for step in range(n_scheduled):
            now = None if negative is None else text_at(negative, n_scheduled, step)
            texts = [text_at(text, n_scheduled, step) for text, _ in compose(prompt)]
            steps.append([self.arguments(text.strip(), now) for text in texts])
        calls = iter([(parts, which) for parts in steps for which in range(n_calls)])

        def forward(stock, args, kwargs):
            parts, which = next(calls)
            own = [stock(*args, **{**kwargs, **part[which]}) for part in parts]
            if which or len(own) == 1:
                return own[0]
            empty = stock(*args, **{**kwargs, **parts[0][1]}) if n_calls > 1 else None
            return self.mixed(own, weights, empty)

        with self.calling(forward):
            return self.flow.draw(self.pipe, "a", None if negative is None else "b", n_steps)

    def mixed(self, outputs, weights, empty):
        """u + sum w (c - u), for the rows of prompts in a model's outputs."""
        tensors = [first(each) for each in outputs]
        order = self.flow.order
        if not order:
            u = first(empty)
            return with_first(outputs[0], weighed(tensors, weights, u))
        blocks = [each.chunk(len(order)) for each in tensors]
        u = blocks[0][order.index("n")]
        own = weighed([each[order.index("p")] for each in blocks], weights, u)
        rows = [own if kind == "p" else blocks[0][i] for i, kind in enumerate(order)]
        return with_first(outputs[0], torch.cat(rows))


def weighed(outputs, weights, empty):
    return empty + sum(w * (c - empty) for c, w in zip(outputs, weights, strict=True))


def first(output):
    """The tensor that a model predicts; a tuple, or an output of diffusers, has it first."""
    return output if isinstance(output, torch.Tensor) else output[0]


def with_first(output, tensor):
    if isinstance(output, torch.Tensor):
        return tensor
    if isinstance(output, tuple):
        return (tensor, *output[1:])
    return type(output)(**{**output, next(iter(output)): tensor})
