"""What a pipeline does with `<lora:name:0.8>` in its prompt."""

import torch

from clipcond import attach
from tests.conditioning.conditioners import told

PROMPT = "a cat <lora:x:0.8>"


def encoded(pipe, prompt: str) -> torch.Tensor:
    return pipe.encode_prompt(prompt, None, 1, False)[0]


def test_it_is_left_out_with_a_warning(pipe):
    attach(pipe)

    made = []
    (message,) = told(lambda: made.append(encoded(pipe, PROMPT)))
    assert "pipe.load_lora_weights('x.safetensors', adapter_name='x')" in message
    assert torch.equal(made[0], encoded(pipe, "a cat "))


def test_a_function_gets_it(pipe):
    given = []
    attach(pipe, extra_networks=given.extend)

    assert torch.equal(encoded(pipe, PROMPT), encoded(pipe, "a cat "))
    assert [(network.name, network.weight) for network in given] == [("x", 0.8)]


def test_it_can_stay(pipe):
    attach(pipe, extra_networks=False)

    made = []
    told(lambda: made.append(encoded(pipe, PROMPT)))
    assert not torch.equal(made[0], encoded(pipe, "a cat "))
