"""Text blocks for modular pipelines: the tensors of diffusers' own, and prompts with syntax."""

import torch
from diffusers.modular_pipelines import SequentialPipelineBlocks
from diffusers.modular_pipelines.stable_diffusion_xl.encoders import (
    StableDiffusionXLTextEncoderStep,
)

from clipcond import Conditioner
from clipcond.pipelines.modular import ClipcondTextStep, ClipcondXLTextStep
from clipcond.towers import OpenAIClipTower
from tests.pipelines.models import tiny_sd, tiny_sdxl

NAMES = ("prompt_embeds", "negative_prompt_embeds")
POOLED = tuple(f"{start}pooled_prompt_embeds" for start in ("", "negative_"))


def run(step, components, names, **call):
    blocks = SequentialPipelineBlocks.from_blocks_dict({"text_encoder": step})
    pipe = blocks.init_pipeline()
    pipe.update_components(**components)
    state = pipe(**call)
    return [state.get(name) for name in names]


def components(pipe):
    return {n: part for n, part in pipe.components.items() if n.startswith(("text", "token"))}


def test_sdxl():
    pipe = tiny_sdxl()
    own, names = components(pipe), NAMES + POOLED
    for call in ({"negative_prompt": "blurry"}, {}, {"prompt_2": "a dog"}):
        theirs = run(StableDiffusionXLTextEncoderStep(), own, names, prompt="a cat", **call)
        ours = run(ClipcondXLTextStep(), own, names, prompt="a cat", **call)
        assert all(map(torch.equal, ours, theirs))
    call = {"prompt": "a (red)1.3 cat, " * 30, "negative_prompt": "x"}
    embeds, negative, *_ = run(ClipcondXLTextStep(dialect="compel"), own, names, **call)
    assert embeds.shape == negative.shape
    assert embeds.shape[1] > 77


def test_sd():
    pipe = tiny_sd()
    step = ClipcondTextStep(clip_skip=2)
    embeds, negative = run(step, components(pipe), NAMES, prompt="a (red:1.3) cat, " * 30)
    tower = OpenAIClipTower(pipe.text_encoder, pipe.tokenizer)
    made = Conditioner(tower, clip_skip=2).guided("a (red:1.3) cat, " * 30)

    assert torch.equal(embeds, made.positive.embeds)
    assert torch.equal(negative, made.negative.embeds)
    again = run(step, components(pipe), NAMES, prompt="a cat", clip_skip=1)[0]
    theirs = pipe.encode_prompt("a cat", "cpu", 1, False)[0]
    assert torch.equal(again, theirs)
