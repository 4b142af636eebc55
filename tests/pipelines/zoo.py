"""Pipelines of many classes, all tiny, that draw: components by the names of their parameters."""

import inspect
import warnings
from contextlib import contextmanager
from functools import partial

import diffusers
import numpy as np
import torch

from tests.pipelines import zoo_models as models
from tests.pipelines import zoo_parts as parts
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, seeded, tiny_sd, tiny_sdxl, unet_of
from tests.pipelines.zoo_stubs import BUILT
from tests.pipelines.zoo_tables import CALLS, CHANNELS, MASK, OWN, PICTURE, XL

__all__ = ["MASK", "PICTURE", "draw", "make", "quiet"]


def make(name):
    """A pipeline of a class, to spoil."""
    with quiet():
        pipe = BUILT[name]() if name in BUILT else _assembled(name)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _assembled(name):
    """A pipeline of a class, of the components that its parameters name."""
    kind = getattr(diffusers, name)
    wanted = inspect.signature(kind.__init__).parameters
    given = {n: part for n, part in _pool(name).items() if n in wanted}
    for n, parameter in wanted.items():
        if n not in (*given, "self") and parameter.default is parameter.empty:
            given[n] = None
    return kind(**given)


def draw(pipe, name, **over):
    """What two steps make of a call: a tensor."""
    wanted = inspect.signature(getattr(diffusers, name).__call__).parameters
    general = {
        "prompt": "a cat",
        "negative_prompt": "blurry",
        "num_inference_steps": 2,
        "generator": seeded(),
        "output_type": "latent",
        "height": SIDE,
        "width": SIDE,
        "strength": 1.0,
        "image": PICTURE,
        "mask_image": MASK,
        "control_image": PICTURE,
        "control_mask": MASK,
        "num_frames": 2,
        "video": [PICTURE] * 2,
        "conditioning_frames": [PICTURE] * 2,
    }
    call = {**general, **_of(CALLS, name), **over}
    with quiet(), torch.random.fork_rng():  # few of them take noise without a generator
        torch.manual_seed(1)
        return _tensor(pipe(**{n: value for n, value in call.items() if n in wanted})[0])


@contextmanager
def quiet():
    """Let old classes of diffusers use what diffusers deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "torch.meshgrid|Default grid_sample", UserWarning)
        yield


def _of(table, name):
    start = max((start for start in table if name.startswith(start)), key=len, default=None)
    return {} if start is None else table[start]


def _pool(name):
    is_xl = "XL" in name and not name.startswith("I2VGen")
    pipe = (tiny_sdxl if is_xl or name.startswith(("StableDiffusion3", "Flux")) else tiny_sd)()
    pool = {**pipe.components, "requires_safety_checker": False, "add_watermarker": False}
    own = {n: build() for n, build in _of(OWN, name).items()}
    pool |= {n: own.pop(n) for n in ("unet",) if n in own}
    if name in CHANNELS:
        width, sizes = (WIDTH + WIDTH_G, XL) if is_xl else (WIDTH, {})
        pool["unet"] = parts.drawn(partial(unet_of, width, in_channels=CHANNELS[name], **sizes))
    if "ControlNet" in name and not name.startswith(("StableDiffusion3", "Flux")):
        pool["controlnet"] = _controlnet(name)(pool["unet"])
    if name.startswith(("AnimateDiff", "PIA")):
        pool["motion_adapter"] = parts.motion_adapter()
    return {**pool, **own}


def _controlnet(name):
    """What makes a ControlNet of a UNet for a class of pipelines."""
    if "Union" in name:
        return models.controlnet_union
    return models.controlnet_xs if "XS" in name else parts.controlnet


def _tensor(found):
    if isinstance(found, torch.Tensor):
        return found
    if isinstance(found, list):
        made = [_tensor(each) for each in found]
        return torch.cat([each.flatten() for each in made]) if made[1:] else made[0][None]
    return torch.as_tensor(np.asarray(found))
