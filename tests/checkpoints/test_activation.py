"""The activation that a tower's shape, name or entries give away, and whether that is certain."""

import pytest

from clipcond.checkpoints.activation import activation_by_shape, open_clip_activation


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
