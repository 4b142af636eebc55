"""Small conditioners that tests of several files use."""

import copy
import warnings
from types import FunctionType

from clipcond import Conditioner
from clipcond.towers import OpenAIClipTower
from tests.parity.models import model_l, tokenizer, tower_g, tower_l

# batches of another size round differently in the last places
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def single(**choices) -> Conditioner:
    """Over L."""
    return Conditioner(tower_l(), **choices)


def pair(**choices) -> Conditioner:
    """Over L and G, as SDXL has them."""
    return Conditioner(tower_l(), tower_g(), **choices)


def counted_tower() -> tuple[OpenAIClipTower, list[int]]:
    """An L of its own, and the batch size of every forward of its model."""
    model = copy.deepcopy(model_l())
    calls: list[int] = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: calls.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    return OpenAIClipTower(model, tokenizer()), calls


def warnings_of(call: FunctionType) -> list[str]:
    """The warnings of a call, which all point at the line that calls, not into the package."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert {w.filename for w in caught} <= {call.__code__.co_filename}
    return [str(w.message) for w in caught]
