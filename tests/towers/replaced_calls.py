"""Hooks and replaced forwards as training scripts put them on, and what changes behind them."""

import functools
from collections import deque
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

WIDTH = 32
UP = nn.Linear(WIDTH, WIDTH, bias=False)
SCALE = {"of": 1.0}


class Network(nn.Module):
    """A LoRA as training scripts patch it in: no part of the model, it takes forward's place."""

    def __init__(self, layer):
        super().__init__()
        self.up = nn.Linear(WIDTH, WIDTH, bias=False)
        self.multiplier, self.before, layer.forward = 1, layer.forward, self.forward

    def forward(self, x):
        return self.before(x) + self.multiplier * self.up(x)


class Patch:
    """The same by an object that is no module."""

    def __init__(self, layer):
        self.multiplier, self.before, layer.forward = 1, layer.forward, self.forward

    def forward(self, x):
        return self.before(x) * self.multiplier


class Hook:
    """A callable with a number of its own."""

    def __init__(self):
        self.multiplier = 1

    def __call__(self, module, args, output):
        return output * self.multiplier


def layers(model):
    return [module for name, module in model.named_modules() if name.endswith("q_proj")]


def hooked(model, hook):
    for layer in layers(model):
        layer.register_forward_hook(hook)


def more(networks):
    for each in networks:
        each.multiplier += 2


def trained(networks):
    for each in networks:
        each.up.weight.data.mul_(3)


def wrapped(model):
    networks = [Network(layer) for layer in layers(model)]
    for layer in layers(model):
        layer.forward = functools.wraps(layer.forward)(lambda x, inner=layer.forward: inner(x))
    return networks


def closure(model):
    up = nn.Linear(WIDTH, WIDTH, bias=False)
    hooked(model, lambda module, args, output: output + up(args[0]))
    return up


def cell(model):
    scale = [1.0]
    hooked(model, lambda module, args, output: output * scale[0])
    return scale


def callable_object(model):
    hook = Hook()
    hooked(model, hook)
    return [hook]


def offset(model):
    row = nn.Parameter(torch.zeros(WIDTH))
    table = model.get_input_embeddings()
    table.register_forward_hook(lambda module, args, output: output + row)
    return row


def before(model):
    row = torch.zeros(WIDTH)
    for layer in layers(model):
        hook = functools.partial(lambda row, module, args: (args[0] + row,), row)
        layer.register_forward_pre_hook(hook)
    return row


def by_helper(model):
    def scaled(output):
        return output * SCALE["of"]

    hooked(model, lambda module, args, output: scaled(output))


class OfClass(nn.Module):
    """A network whose strength is a class attribute."""

    multiplier = 1.0

    def __init__(self, layer):
        super().__init__()
        self.before, layer.forward = layer.forward, self.forward

    def forward(self, x):
        return self.before(x) * self.multiplier


class Linear(nn.Linear):
    """A part of the model whose strength is a class attribute."""

    strength = 1.0

    def forward(self, x):
        return super().forward(x) * self.strength


class Choices:
    """What a class holds that a function of its file names, and what an object of it holds."""

    scale = 1.0

    def __init__(self):
        self.names = ["style"]


class Slots:
    """An object without a `__dict__`."""

    __slots__ = ("scale",)

    def __init__(self):
        self.scale = 1.0


CHOSEN, OPTIONS = Choices(), SimpleNamespace(scale=1.0)
ACTIVE = ["style"]
SLOTS, QUEUE, ARRAY = Slots(), deque([1.0]), np.ones(2, np.float32)


def raised(owner, name):
    setattr(owner, name, getattr(owner, name) + 1)


def patched(change):
    """Replace every forward by a function of its output."""

    def put(model):
        for layer in layers(model):
            layer.forward = lambda x, inner=layer.forward: change(inner(x))

    return put


def switched(names):
    """Switch a name off or on again."""
    names.remove("style") if "style" in names else names.append("style")


def own_linear(model):
    for module in [*model.modules()]:
        if hasattr(module, "q_proj"):
            module.q_proj.__class__ = Linear


def numbers(model):
    scale = [1]
    patched(lambda y: y * scale[0])(model)
    return scale


def names_of_an_object(model):
    held = Choices()
    hooked(model, lambda module, args, output: output * (1 + len(held.names)))
    return held.names


def slots(model):
    held = Slots()
    hooked(model, lambda module, args, output: output * held.scale)
    return held


def numpy_number(model):
    held = {"of": np.float32(1)}
    hooked(model, lambda module, args, output: output * float(held["of"]))
    return held


# what is put on -> what changes then
CASES = {
    "an attribute of its class": (
        lambda model: [OfClass(layer) for layer in layers(model)],
        lambda _: raised(OfClass, "multiplier"),
    ),
    "an attribute of the class of a part": (own_linear, lambda _: raised(Linear, "strength")),
    "a class of the file": (
        patched(lambda y: y * Choices.scale),
        lambda _: raised(Choices, "scale"),
    ),
    "an object of the file": (
        patched(lambda y: y * (1 + len(CHOSEN.names))),
        lambda _: switched(CHOSEN.names),
    ),
    "options of the file": (
        patched(lambda y: y * OPTIONS.scale),
        lambda _: raised(OPTIONS, "scale"),
    ),
    "slots of an object of the file": (
        patched(lambda y: y * SLOTS.scale),
        lambda _: raised(SLOTS, "scale"),
    ),
    "slots of an object": (slots, lambda held: raised(held, "scale")),
    "a queue of the file": (
        patched(lambda y: y * QUEUE[0]),
        lambda _: QUEUE.append(QUEUE.popleft() + 1),
    ),
    "an array of the file": (
        patched(lambda y: y * float(ARRAY[1])),
        lambda _: np.add.at(ARRAY, 1, 1),
    ),
    "a number of numpy": (numpy_number, lambda held: held.__setitem__("of", held["of"] + 1)),
    "names in a list": (patched(lambda y: y * (1 + len(ACTIVE))), lambda _: switched(ACTIVE)),
    "a whole number in a list": (numbers, lambda scale: scale.append(scale.pop() + 1)),
    "names that an object holds": (names_of_an_object, switched),
    "multiplier": (lambda model: [Network(layer) for layer in layers(model)], more),
    "weights": (lambda model: [Network(layer) for layer in layers(model)], trained),
    "multiplier, wrapped": (wrapped, more),
    "an object that is no module": (lambda m: [Patch(layer) for layer in layers(m)], more),
    "a module in a closure": (closure, lambda up: up.weight.data.mul_(3)),
    "a module of the file": (
        lambda model: hooked(model, lambda m, args, output: output + UP(args[0])),
        lambda _: UP.weight.data.mul_(3),
    ),
    "a dict of the file": (by_helper, lambda _: SCALE.update(of=SCALE["of"] + 1)),
    "a number in a list": (cell, lambda scale: scale.append(scale.pop() + 1)),
    "a callable object": (callable_object, more),
    "a parameter": (offset, lambda row: row.data.add_(1)),
    "a partial's argument": (before, lambda row: row.add_(1)),
}
