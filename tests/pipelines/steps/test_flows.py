"""Prompts over time in the families of `flows`, against models that get their text by hand."""

from contextlib import contextmanager

import pytest

from clipcond import compose
from tests.pipelines.steps.flows import FLOWS
from tests.pipelines.steps.loops import distance, text_at

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

PROMPT, NEGATIVE = "a [cat:dog:0.4] on [sand|[snow:ice:2]]", "[grey:red:1] sky"


class ByHand:
    """Draws with plain prompts, and gives the model the arguments of other texts at each call."""

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

    def draw(self, prompt, negative=None, n_steps=4, **over):
        """Draw with editing, alternation, and the parts of AND."""
        n_calls = 2 if self.flow.apart and negative is not None else 1
        order = getattr(self.pipe.scheduler, "order", 1)
        count = iter(range(10**6))

        def forward(stock, args, kwargs):
            step, which = divmod(next(count), n_calls)
            now = None if negative is None else text_at(negative, n_steps * order, step)
            parts = [(text_at(t, n_steps * order, step), w) for t, w in compose(prompt)]
            of_parts = [self.arguments(text, now) for text, _ in parts]
            if which or len(parts) == 1:
                return stock(*args, **{**kwargs, **of_parts[0][which]})
            outputs = [stock(*args, **{**kwargs, **own[0]}) for own in of_parts]
            return self.mixed(outputs, [w for _, w in parts], stock, args, kwargs, of_parts[0])

        for text, _ in compose(prompt):  # before the model is in our hands
            for step in range(n_steps * order):
                now = None if negative is None else text_at(negative, n_steps * order, step)
                self.arguments(text_at(text, n_steps * order, step), now)
        with self.calling(forward):
            return self.flow.draw(self.pipe, "a", None if negative is None else "b", n_steps)

    def mixed(self, outputs, weights, stock, args, kwargs, own):
        """u + sum w (c - u), of tensors, or of the first of each output."""
        if self.flow.apart:
            empty = stock(*args, **{**kwargs, **own[1]})[0] if len(own) > 1 else 0
            return (empty + sum(w * (c[0] - empty) for c, w in zip(outputs, weights, strict=True)),)
        raise NotImplementedError


@pytest.mark.parametrize("name", FLOWS)
def test_editing_equals_the_loop(name):
    flow = FLOWS[name]
    for scheduler in (None, *flow.schedulers):
        pipe = flow.attached(scheduler)
        hand = ByHand(flow, pipe)
        for negative in (None, "grey", NEGATIVE):
            ours = flow.draw(pipe, PROMPT, negative)
            theirs = hand.draw(PROMPT, negative)
            print(name, negative, distance(ours, theirs))
