"""Text blocks for modular pipelines: the tensors of diffusers' own, and prompts with syntax."""

import pytest
import torch
from diffusers.modular_pipelines import (
    FluxAutoBlocks,
    SequentialPipelineBlocks,
    StableDiffusionXLAutoBlocks,
)
from diffusers.modular_pipelines.stable_diffusion_xl.encoders import (
    StableDiffusionXLTextEncoderStep,
)

from clipcond import Conditioner, attach
from clipcond.errors import PairingError, PipelineError
from clipcond.pipelines.modular import ClipcondTextStep, ClipcondXLTextStep
from clipcond.towers import OpenAIClipTower
from tests.pipelines.models import SIDE, seeded, tiny_sd, tiny_sdxl

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


def test_negatives_that_are_not_as_many_as_the_prompts_are_refused():
    own, call = components(tiny_sd()), {"prompt": ["a", "b"], "negative_prompt": ["x", "y", "z"]}

    with pytest.raises(PairingError, match=r"^2 prompts, but 3 negative prompts\."):
        run(ClipcondTextStep(), own, NAMES, **call)


def test_attaching_one_names_the_block():
    """As it says: the block in the place of the text step, and the components of the first."""
    stock, blocks = tiny_sdxl(), StableDiffusionXLAutoBlocks()
    pipe = blocks.init_pipeline()
    for each in (pipe, blocks):
        with pytest.raises(PipelineError) as caught:
            attach(each)
        assert str(caught.value) == (
            f"{type(each).__name__} is not supported: it is a modular pipeline, whose prompts a "
            "block of it encodes.\n"
            "Put a block of clipcond.pipelines.modular in the place of that one: "
            "blocks = pipe.blocks; blocks.sub_blocks['text_encoder'] = "
            "ClipcondXLTextStep(clip_skip=2); pipe = blocks.init_pipeline(), and give that its "
            "components."
        )
    blocks = pipe.blocks
    blocks.sub_blocks["text_encoder"] = ClipcondXLTextStep(clip_skip=2)
    pipe = blocks.init_pipeline()
    pipe.update_components(**{n: c for n, c in stock.components.items() if n in pipe.components})
    pipe.set_progress_bar_config(disable=True)
    call = {"num_inference_steps": 2, "height": SIDE, "width": SIDE, "output": "latents"}
    one, other = (pipe(prompt=f"a (red:{w}) cat", generator=seeded(), **call) for w in (1, 1.4))
    assert not torch.equal(one, other)


def test_others_have_no_block_yet():
    with pytest.raises(PipelineError, match=r"There are blocks for Stable Diffusion 1\.x"):
        attach(FluxAutoBlocks().init_pipeline())
