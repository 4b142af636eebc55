"""Towers of every kind are aligned to every family of Stable Diffusion, and attached."""

from functools import lru_cache

import pytest
import torch
from diffusers import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel

from clipcond import attach
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.errors import PipelineError, TowerError
from clipcond.training import AlignSettings, align
from tests.checkpoints.open_clip_recipe import EVA, OPEN_CLIP, weights
from tests.checkpoints.test_long_clip import tower_long
from tests.parity.models import fill, tower_g
from tests.pipelines.models import latents, tiny_sd, tiny_sdxl, unet_of
from tests.training.made import QUIET, lines, settings, tower_zh, write

pytestmark = pytest.mark.usefixtures("measure_little")
SLOW = pytest.mark.slow
FEW = {"text_steps": 2, "unet_steps": 2}
LINEAR = AlignSettings(adapter="linear", text_batch=8, unet_batch=4, **FEW)
ENGLISH = [f"{english}\t{english} it is" for english in (line.split("\t")[0] for line in lines())]


def sd1():
    return small(tiny_sd())


@lru_cache(maxsize=1)
def parts_of_sd2() -> dict:
    """As wide as Stable Diffusion 2, and predicting v as its larger model does."""
    sizes = {"hidden_size": 1024, "intermediate_size": 32, "num_attention_heads": 16}
    config = CLIPTextConfig(num_hidden_layers=2, bos_token_id=49406, eos_token_id=49407, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(9)
        unet = unet_of(1024).eval()
    return {
        "text_encoder": fill(CLIPTextModel(config), 2),
        "unet": unet,
        "scheduler": DDIMScheduler(
            steps_offset=1, clip_sample=False, prediction_type="v_prediction"
        ),
    }


def sd2():
    return small(tiny_sd(**parts_of_sd2()))


def sdxl():
    return small(tiny_sdxl())


def eva(name):
    return open_state_dict(weights(EVA[name]), name=name)


def small(pipe):
    pipe.unet.register_to_config(sample_size=4)
    return pipe


@SLOW
@pytest.mark.parametrize("kind", ["resampler", "linear"])
@pytest.mark.parametrize(
    ("family", "made", "width"),
    [
        ("sd1", sd1, 32),
        *(pytest.param(*each, marks=SLOW) for each in [("sd2", sd2, 1024), ("sdxl", sdxl, 72)]),
    ],
)
def test_every_family(tmp_path, family, made, width, kind):
    chosen = LINEAR if kind == "linear" else settings(**FEW)
    output = tmp_path / "zh.safetensors"
    record = align(made(), tower_zh(), write(tmp_path), output, settings=chosen, loop=QUIET)
    assert (record.family, record.width) == (family, width)

    pipe = attach(made(), tower=tower_zh(), adapter=str(output))
    assert pipe.conditioner.adapter.config.kind == kind
    drawn = latents(pipe, "一只（猫：1.3）" * 30, negative_prompt="")
    assert drawn.isfinite().all()
    assert not torch.equal(drawn, latents(pipe, "一只狗"))
    others = [each for each in (sd1, sd2, sdxl) if each is not made]
    for other in others:
        with pytest.raises(PipelineError, match=f"The text embeddings are {width} wide, but this"):
            attach(other(), tower=tower_zh(), adapter=str(output), allow_unaligned=True)


@pytest.mark.parametrize(
    ("made", "length"),
    [
        (tower_g, 77),
        pytest.param(tower_long, 248, marks=SLOW),
        *(pytest.param(lambda name=name: eva(name), 77, marks=SLOW) for name in EVA),
        pytest.param(
            lambda: open_state_dict(weights(OPEN_CLIP["flat"]), name="flat", activation="gelu"),
            77,
            marks=SLOW,
        ),
    ],
)
def test_every_tower(tmp_path, made, length):
    output, tower = tmp_path / "a.safetensors", made()
    pairs = write(tmp_path, ENGLISH)
    align(sd1(), tower, pairs, output, settings=settings(**FEW), loop=QUIET)

    pipe = attach(sd1(), tower=made(), adapter=str(output))
    assert {len(chunk.input_ids) for chunk in pipe.conditioner.chunks("a cat, " * 200)} == {length}
    embeds, negative = pipe.encode_prompt("a cat, " * 200, "cpu", 1, True, "dog")
    n_chunks = len(pipe.conditioner.chunks("a cat, " * 200))
    assert embeds.shape == negative.shape == (1, 77 * n_chunks, 32)


def test_a_long_tower_is_too_long_for_a_linear_adapter(tmp_path):
    pairs, output = write(tmp_path, ENGLISH), tmp_path / "a.safetensors"
    with pytest.raises(TowerError) as caught:
        align(sd1(), tower_long(), pairs, output, settings=LINEAR, loop=QUIET)

    assert str(caught.value) == (
        "a linear adapter hands on 77 rows, one a token, but chunks of 'long' have 248\n"
        "Give the tower context_length=77, or take a resampler."
    )
