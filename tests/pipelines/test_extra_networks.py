"""What a pipeline does with `<lora:name:0.8>` in its prompt."""

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


def test_it_can_stay(pipe):
    attach(pipe, extra_networks=False)

    with pytest.warns(PromptWarning, match="a network that A1111's user interface loads"):
        embeds = encoded(pipe, PROMPT)
    assert not torch.equal(embeds, encoded(pipe, "a cat "))
