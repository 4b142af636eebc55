"""What a pipeline does with `<lora:name:0.8>` in its prompt."""

import warnings

import pytest
import torch

from clipcond import attach
from clipcond.errors import PromptWarning

PROMPT = "a cat <lora:x:0.8>"


def encoded(pipe, prompt: str) -> torch.Tensor:
    return pipe.encode_prompt(prompt, None, 1, False)[0]


def test_it_is_left_out_with_a_warning(pipe):
    attach(pipe)

    with pytest.warns(PromptWarning) as caught:
        embeds = encoded(pipe, PROMPT)
    (message,) = (str(warning.message) for warning in caught)
    assert "pipe.load_lora_weights('x.safetensors', adapter_name='x')" in message
    assert torch.equal(embeds, encoded(pipe, "a cat "))


def test_a_function_gets_it(pipe):
    given = []
    attach(pipe, extra_networks=given.extend)

    assert torch.equal(encoded(pipe, PROMPT), encoded(pipe, "a cat "))
    assert [(network.name, network.weight) for network in given] == [("x", 0.8)]


@pytest.mark.parametrize(
    ("network", "weights", "said"),
    [
        ("<lora:x:abc>", (1.0, 1.0), "'abc' is no number"),
        ("<lora:x:nan>", (1.0, 1.0), "'nan' is no number"),
        ("<hypernet:x:abc>", (1.0, 1.0), "'abc' is no number"),
        ("<lora:x:0.5:unet=y>", (0.5, 0.5), "'y' is no number"),
        ("<lora:x:1e3>", (1000.0, 1000.0), "the weight '1e3' is hardly meant"),
        ("<lora: x : 0.8 >", (0.8, 0.8), None),
        ("<lora:x:TE = 0.8 : unet= 1e-1>", (0.8, 0.1), None),
        ("<lyco:x:0.5:MIDD>", (0.5, 0.5), None),
    ],
)
def test_a_weight_that_is_no_number_is_said_to_who_has_a_function(pipe, network, weights, said):
    given = []
    attach(pipe, extra_networks=given.extend)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoded(pipe, f"a cat {network}")

    assert [(each.name, each.weights) for each in given] == [("x", weights)]
    lines = [str(each.message).split("\n")[0] for each in caught]
    where = f"{network!r} goes to the function of extra_networks"
    assert lines == ([] if said is None else [f"{where}: {said}"])


def test_it_can_stay(pipe):
    attach(pipe, extra_networks=False)

    with pytest.warns(PromptWarning, match="a network that A1111's user interface loads"):
        embeds = encoded(pipe, PROMPT)
    assert not torch.equal(embeds, encoded(pipe, "a cat "))
