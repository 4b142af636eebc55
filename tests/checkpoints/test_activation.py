"""The activation that a tower's shape, name or entries give away, and whether that is certain."""

import pytest
import torch

from clipcond.checkpoints.activation import activation_by_shape, open_clip_activation
from tests.checkpoints.open_clip_recipe import OPEN_CLIP, weights


@pytest.mark.parametrize(
    ("width", "depth", "name", "is_sure"),
    [
        (512, 12, "quick_gelu", False),  # OpenCLIP's ViT-B has the same shape and gelu
        (768, 12, "quick_gelu", False),
        (1024, 23, "gelu", True),
        (1024, 24, "gelu", True),
        (1280, 32, "gelu", True),
        (64, 2, "", False),
        (512, 24, "", False),
        (1280, 12, "", False),
        (0, 0, "", False),
    ],
)
def test_by_shape(width, depth, name, is_sure):
    found = activation_by_shape(width, depth)

    assert (found.name, found.is_sure) == (name, is_sure)
    assert (f"no model {width} wide with {depth} layers is known" == found.why) is (name == "")


@pytest.mark.parametrize(
    ("keys", "size", "name", "is_half", "activation", "is_sure"),
    [
        ((), (512, 12), "x.pt", False, "gelu", False),
        ((), (1024, 24), "x.pt", False, "gelu", True),
        ((), (512, 12), "x.pt", True, "gelu", True),
        ((), (512, 12), "vit-b-quickgelu.pt", False, "quick_gelu", True),
        ((), (1024, 24), "DFN5B/x.pt", False, "quick_gelu", True),
        (("positional_embedding_res",), (512, 12), "x.pt", False, "quick_gelu", True),
        (
            ("input_resolution", "context_length", "vocab_size"),
            (512, 12), "x.pt", False, "quick_gelu", True,
        ),
        (("input_resolution", "context_length"), (512, 12), "x.pt", False, "gelu", False),
    ],
)  # fmt: skip
def test_in_layouts_of_open_clip(keys, size, name, is_half, activation, is_sure):
    found = open_clip_activation(keys, *size, name=name, is_half=is_half)

    assert (found.name, found.is_sure) == (activation, is_sure)


@pytest.mark.parametrize(
    ("name", "width", "depth", "expected"),
    [
        ("hub/ViT-B-32-quickgelu", 512, 12, ("quick_gelu", "its name says quickgelu", True)),
        ("apple/DFN5B-CLIP-ViT-H-14", 1024, 24, ("quick_gelu", "its name says dfn5b", True)),
        ("openai/whatever/laion2b.safetensors", 1024, 24,
         ("gelu", "nearly all models of this size have it", True)),
        ("bigG", 1280, 32, ("gelu", "nearly all models of this size have it", True)),
        ("laion/CLIP-ViT-L-14", 768, 12,
         ("gelu", "most open_clip models of this size have it; OpenAI's have quick_gelu", False)),
    ],
)  # fmt: skip
def test_the_activation_is_guessed_by_name_and_size(name, width, depth, expected):
    keys = weights(OPEN_CLIP["flat"])

    guess = open_clip_activation(keys, width, depth, name=name, is_half=False)
    assert (guess.name, guess.why, guess.is_sure) == expected


def test_the_activation_is_guessed_by_what_else_is_in_the_file():
    flat = weights(OPEN_CLIP["flat"])
    entries = dict.fromkeys(("input_resolution", "context_length", "vocab_size"), torch.zeros(()))

    def guessed(keys, is_half=False):
        guess = open_clip_activation(keys, 768, 12, name="x", is_half=is_half)
        return guess.name, guess.why, guess.is_sure

    assert guessed(flat | entries) == ("quick_gelu", "it is OpenAI's own file", True)
    assert guessed(flat, is_half=True)[0::2] == ("gelu", True)
    assert guessed(flat | {"positional_embedding_res": torch.zeros(1)})[0] == "quick_gelu"
