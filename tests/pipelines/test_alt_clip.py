"""AltCLIP in a pipeline: refused as it is, taken with an adapter, aligned in a few steps."""

import pytest
import torch

from clipcond import attach, build_pipeline
from clipcond.adapters import load_adapter, save_adapter, tower_fingerprint
from clipcond.errors import PipelineError
from clipcond.towers import AltClipTower
from clipcond.training import align
from tests.adapters.made import LENGTH, adapter
from tests.pipelines.models import latents
from tests.pipelines.test_adapters import aligned
from tests.towers.alt import text_model, tokenizer, tower_alt
from tests.training.made import QUIET, few_measures, settings, teacher, write

CAT = "绿色背景，一只猫"


@pytest.fixture
def folder(tmp_path):
    text_model().save_pretrained(tmp_path / "alt")
    tokenizer().save_pretrained(tmp_path / "alt")
    return tmp_path / "alt"


def fitting(pipe, tower):
    """An adapter of the tower's width whose record names this pipeline and this tower."""
    made = adapter(tower_width=tower.width)
    made.record = aligned(pipe, tower).record
    return made


def test_an_aligned_adapter_is_taken_without_a_warning(pipe):
    attach(pipe, clip_skip=1, tower=tower_alt(), adapter=fitting(pipe, tower_alt()))
    embeds, negative = pipe.encode_prompt(f"{CAT}，" * 30, "cpu", 1, True)

    assert embeds.shape == negative.shape
    assert embeds.shape[1] % LENGTH == 0
    assert embeds.shape[1] > LENGTH
    assert latents(pipe, CAT, negative_prompt="模糊").isfinite().all()
    assert not torch.equal(latents(pipe, CAT), latents(pipe, "绿色背景，一只(猫:1.4)"))
    assert not torch.equal(latents(pipe, CAT), latents(pipe, CAT, clip_skip=2))


def test_without_one_it_is_refused(pipe):
    tower = tower_alt()
    with pytest.raises(PipelineError, match="The text embeddings are 24 wide, but this pipeline"):
        attach(pipe, tower=tower)


def test_build_pipeline_by_name(pipe, sd_folder, folder, tmp_path):
    tower = AltClipTower(text_model(), tokenizer())
    made = fitting(pipe, tower)
    path = tmp_path / "zh.safetensors"
    save_adapter(made, made.record, path)

    built = build_pipeline(sd_folder, tower=str(folder), adapter=str(path), device="cpu")

    attach(pipe, tower=tower, adapter=made)
    assert torch.equal(latents(built, CAT), latents(pipe, CAT))


@pytest.mark.slow
def test_align(pipe, folder, tmp_path):
    pupil = teacher()
    output = tmp_path / "alt.safetensors"
    chosen = settings(text_steps=4, unet_steps=2, clip_skips=(1, 2))
    with few_measures():
        align(pupil, str(folder), write(tmp_path), output, settings=chosen, loop=QUIET)

    made, record = load_adapter(output)
    tower = AltClipTower(text_model(), tokenizer())
    assert record.tower == tower_fingerprint(tower)
    assert (made.config.tower_width, record.stages) == (24, {"text": 4, "unet": 2})
    attach(pipe, tower=tower, adapter=made)
    assert latents(pipe, CAT).isfinite().all()
