"""A Conditioner of a whole model: one tower, or SDXL's pair."""

import pytest
import torch
from safetensors.torch import save_file

from clipcond import Conditioner, load_tower
from clipcond.embedded import folder
from clipcond.errors import CheckpointError, ClipcondWarning
from tests.checkpoints.made_files import clip, open_clip, wrapped
from tests.pipelines.models import tiny_sdxl

XL = "conditioner.embedders."


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("xl") / "model"
    tiny_sdxl().save_pretrained(path)
    return path


def same(conditioner, *towers):
    theirs = Conditioner(*towers)("a (red:1.2) cat")
    ours = conditioner("a (red:1.2) cat")
    assert torch.equal(ours.embeds, theirs.embeds)
    assert (ours.pooled is None) == (theirs.pooled is None)
    assert ours.pooled is None or torch.equal(ours.pooled, theirs.pooled)


def test_a_folder_with_a_pair(xl_folder):
    same(
        Conditioner.from_model(xl_folder),
        load_tower(xl_folder, part=1),
        load_tower(xl_folder, part=2),
    )


def test_a_file_with_a_pair(tmp_path):
    path = tmp_path / "xl.safetensors"
    first, second = clip(layers=3), clip(128, 3, "gelu", projection=128)
    save_file({**wrapped(first, f"{XL}0.transformer."), **open_clip(second, f"{XL}1.model.")}, path)
    conditioner = Conditioner.from_model(str(path), clip_skip=3)
    assert [tower.width for tower in conditioner.towers] == [64, 128]
    assert conditioner.clip_skip == 3
    assert conditioner("a cat").pooled.shape == (1, 128)


@pytest.mark.parametrize("source", ["embedded", folder(), str(folder() / "text_encoder")])
def test_one_tower(source):
    same(Conditioner.from_model(source), load_tower("embedded"))


def test_a_file_with_one_tower(tmp_path):
    path = tmp_path / "sd1.safetensors"
    save_file(wrapped(clip(), "cond_stage_model.transformer."), path)
    same(Conditioner.from_model(path, dialect="a1111"), load_tower(path))


def test_a_pickle_only_if_allowed(tmp_path):
    path = tmp_path / "sd1.ckpt"
    torch.save(wrapped(clip(), "cond_stage_model.transformer."), path)
    with pytest.raises(CheckpointError, match="say allow_pickle=True"):
        Conditioner.from_model(path)
    same(Conditioner.from_model(path, allow_pickle=True), load_tower(path, allow_pickle=True))


def test_load_tower_says_that_it_opens_one_of_two(xl_folder):
    with pytest.warns(ClipcondWarning, match=r"a pair of text towers, .*Conditioner\.from_model"):
        assert load_tower(xl_folder).width == 32
