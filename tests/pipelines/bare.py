"""Pipelines of any class with nothing but what encodes text: cheap, and the stock code runs."""

import inspect
from contextlib import suppress
from functools import lru_cache

import diffusers

from clipcond.pipelines.families import family_of
from tests.parity.models import model_g, model_l, tokenizer
from tests.pipelines.models import WIDTH, WIDTH_G, unet_of
from tests.pipelines.zoo_parts import model_l_projected, prior_transformer, t5, word_tokenizer

_DENOISERS = ("unet", "transformer", "prior", "decoder", "vqgan", "text_decoder")


@lru_cache
def shared(build, *sizes):
    """A model that pipelines share: nobody changes it."""
    return build(*sizes)


@lru_cache(maxsize=1)
def pipeline_classes():
    """Every pipeline class of the installed diffusers, by name.

    Without those that need a newer transformers; none of them reads CLIP text.
    """
    found = {}
    for name in (name for name in dir(diffusers) if "Pipeline" in name):
        with suppress(RuntimeError):  # "Failed to import ..."
            kind = getattr(diffusers, name)
            if isinstance(kind, type) and issubclass(kind, diffusers.DiffusionPipeline):
                found[name] = kind
    return found


def bare(kind):
    """A pipeline of a class with the text encoders that its annotations ask for, and a denoiser."""
    pipe = kind.__new__(kind)
    wanted = inspect.signature(kind.__init__).parameters
    names = [name for name in wanted if name != "self" and "kwargs" not in name]
    made = {name: _part(name, str(wanted[name].annotation)) for name in names}
    if "XL" in kind.__name__ and made.get("text_encoder_2"):
        made["unet"] = shared(unet_of, WIDTH + WIDTH_G)
    pipe.register_modules(**made)
    pipe.register_to_config(force_zeros_for_empty_prompt=True)
    pipe.tokenizer_max_length = 77
    return pipe


def _part(name, expected):
    if "T5Tokenizer" in expected:
        return word_tokenizer()
    if "CLIPTokenizer" in expected:
        return tokenizer("!" if name.endswith("_2") else "<|endoftext|>")
    if "T5Encoder" in expected:
        return shared(t5)
    if "CLIPTextModelWithProjection" in expected:
        return model_g() if name.endswith("_2") else shared(model_l_projected)
    if "CLIPTextModel" in expected:
        return model_l()
    if "PriorTransformer" in expected:
        return shared(prior_transformer)
    return shared(unet_of, WIDTH) if name in _DENOISERS else None


@lru_cache(maxsize=1)
def accepted():
    """The classes that are of some family."""
    found = {}
    for name, kind in pipeline_classes().items():
        try:
            family_of(kind.__new__(kind))
        except Exception:  # refused
            continue
        found[name] = kind
    return found
