"""Fine-tuning a tower: captions find their pictures, and what is saved is read by all."""

import os
from pathlib import Path

import pytest
import torch
from accelerate import PartialState
from PIL import Image
from safetensors.torch import save_file
from transformers import ChineseCLIPTextModel

from clipcond import load_tower
from clipcond.errors import CheckpointError, PairsError, TowerError, TrainingError
from clipcond.towers import HiddenLayer, OpenAIClipTower
from clipcond.training import TuneSettings, read_captions, tune_tower
from clipcond.training.accelerator import own_accelerate
from clipcond.training.pictures import open_vision
from clipcond.training.tower_files import save_tower, with_projection
from tests.parity.models import model_l, tokenizer, tower_l
from tests.towers.alt import tower_alt
from tests.training.made import QUIET, tower_zh
from tests.training.pictures import WIDTH, write_captions, write_vision


@pytest.fixture(scope="module")
def vision(tmp_path_factory):
    return write_vision(tmp_path_factory.mktemp("vision"))


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    return write_captions(tmp_path_factory.mktemp("captions"))


def pooled(tower, text: str = "红色的") -> torch.Tensor:
    (ids,) = tower.tokenizer.encode_batch([text])
    special = tower.special
    row = torch.tensor([[special.bos, *ids, special.eos]])
    return tower.encode(row, torch.ones_like(row), HiddenLayer(), pooled=True).pooled


@pytest.mark.slow
def test_captions_find_their_pictures(tmp_path, vision, captions):
    settings = TuneSettings(steps=150, batch=6, lr=3e-3)
    reached = tune_tower(
        tower_zh(), vision, captions, tmp_path / "tuned", settings=settings, loop=QUIET
    )

    assert reached["top1"] == 1.0  # 0.17 by chance
    tuned, before = load_tower(tmp_path / "tuned"), tower_zh()
    assert tuned.special.context_length == before.special.context_length
    assert pooled(tuned).isfinite().all()
    assert not torch.allclose(pooled(tuned), pooled(before), atol=1e-2)
    assert not (tmp_path / "tuned.run").exists()


def test_a_saved_chinese_tower_is_the_same_to_us_and_to_transformers(tmp_path):
    tower = tower_zh()
    save_tower(with_projection(tower, WIDTH, None, 0), tmp_path / "zh")

    ours = load_tower(tmp_path / "zh")
    assert torch.equal(pooled(ours), pooled(tower))
    theirs = ChineseCLIPTextModel.from_pretrained(tmp_path / "zh", add_pooling_layer=False).eval()
    ids = torch.tensor([[101, 2523, 102]])
    expected = tower.model.text_model(ids).last_hidden_state
    assert torch.equal(theirs(ids).last_hidden_state, expected)


@pytest.mark.parametrize("width", [32, 12])
def test_a_clip_tower_without_projection_gets_one(tmp_path, width):
    tower = tower_l()
    known = torch.eye(32) * 2 if width == 32 else None
    projected = with_projection(tower, width, known, 0)
    save_tower(projected, tmp_path / "clip")

    ids = torch.tensor([[tower.special.bos, 320, tower.special.eos]])
    plain = tower.encode(ids, None, HiddenLayer(), pooled=True).pooled
    ours = load_tower(tmp_path / "clip").encode(ids, None, HiddenLayer(), pooled=True)
    assert torch.equal(ours.hidden, tower.encode(ids, None, HiddenLayer()).hidden)
    assert ours.pooled.shape == (1, width)
    assert projected.model.text_projection.bias is None
    if known is not None:
        assert torch.equal(ours.pooled, 2 * plain)
    else:  # a state of unit variance keeps it
        spread = float(projected.model.text_projection.weight.detach().std())
        assert abs(spread * tower.width**0.5 - 1) < 0.2


def test_pooled_with_gradients_is_that_of_encode():
    tower = tower_zh()
    tower.model.requires_grad_(True)
    ids = torch.tensor([[101, 2523, 102, 0], [101, 2523, 100, 102]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])

    found = tower.pooled(ids, mask)
    assert torch.equal(found, tower.encode(ids, mask, HiddenLayer(), pooled=True).pooled)
    found.sum().backward()
    assert tower.model.text_projection.weight.grad.abs().sum() > 0


def test_bad_captions_are_named(captions):
    pairs = read_captions(captions)

    assert len(pairs.pairs) == 6
    assert pairs.describe_bad() == "  line 7: there is no picture 'none.png'"
    with pytest.raises(PairsError, match="1 of 7 lines cannot be used; 0 may be"):
        read_captions(captions, max_bad=0)


def test_named_columns_of_captions(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    path = tmp_path / "c.tsv"
    path.write_text("caption\tfile\nred\ta.png\n\ta.png\n", encoding="utf-8")
    pairs = read_captions(path, image_column="file", text_column="caption")

    assert [(p.tower, p.image) for p in pairs.pairs] == [("red", tmp_path / "a.png")]
    assert pairs.describe_bad() == "  line 3: its caption is empty"


def test_a_tower_is_replaced_if_that_is_said(tmp_path, vision, captions):
    few = TuneSettings(steps=2, batch=30)  # more than there are captions
    save_tower(with_projection(tower_zh(), WIDTH, None, 0), tmp_path / "zh")
    before = load_tower(tmp_path / "zh")
    tune_tower(
        tower_zh(), vision, captions, tmp_path / "zh", settings=few, loop=QUIET, overwrite=True
    )

    assert not torch.equal(pooled(load_tower(tmp_path / "zh")), pooled(before))


def test_another_vision_tower_is_refused_when_resumed(tmp_path, vision, captions, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    few, chosen = TuneSettings(steps=2, batch=3), {"loop": QUIET, "run": tmp_path / "run"}
    output = tmp_path / "zh"
    with monkeypatch.context() as patch:
        patch.setattr("clipcond.training.tower_files.extract", fails)
        with pytest.raises(CheckpointError, match=r"zh' cannot be written: No space left"):
            tune_tower(tower_zh(), vision, captions, output, settings=few, **chosen)
    other = open_vision(vision)
    with torch.no_grad():
        other.model.visual_projection.weight.mul_(2)
    with pytest.raises(TrainingError, match=r"other arguments:\n  vision: '[0-9a-f]{64}' then"):
        tune_tower(tower_zh(), other, captions, output, settings=few, **chosen)
    tune_tower(tower_zh(), vision, captions, output, settings=few, **chosen)
    assert load_tower(output).width == 32


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_in_parts_the_tower_becomes_the_same(tmp_path, vision, captions, loss):
    reached = {}
    for n_at_once in (None, 4):
        settings = TuneSettings(steps=3, batch=6, lr=1e-3, loss=loss, encode_at_once=n_at_once)
        output = tmp_path / f"{n_at_once}"
        reached[n_at_once] = tune_tower(
            tower_zh(), vision, captions, output, settings=settings, loop=QUIET
        )

    assert reached[4]["loss"] == pytest.approx(reached[None]["loss"], rel=1e-5)
    whole, parts = (load_tower(tmp_path / name) for name in ("None", "4"))
    torch.testing.assert_close(pooled(parts), pooled(whole), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(pooled(whole), pooled(tower_zh()), atol=1e-3)


def test_refusals(tmp_path, vision, captions):
    with pytest.raises(CheckpointError, match="there is no folder 'nowhere' with a vision tower"):
        tune_tower(tower_zh(), "nowhere", captions, tmp_path / "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(CheckpointError, match=r"b' is there already"):
        tune_tower(tower_zh(), vision, captions, tmp_path / "b")
    (tmp_path / "b" / "thesis.txt").write_text("three years")
    with pytest.raises(CheckpointError) as caught:
        tune_tower(tower_zh(), vision, captions, tmp_path / "b", overwrite=True)
    assert str(caught.value) == (
        f"{str(tmp_path / 'b')!r} is no tower's folder, and would be lost\nName another."
    )
    assert (tmp_path / "b" / "thesis.txt").read_text() == "three years"
    save_tower(with_projection(tower_zh(), WIDTH, None, 0), tmp_path / "c")
    (tmp_path / "c" / "thesis.txt").write_text("three years")
    with pytest.raises(CheckpointError) as caught:
        tune_tower(tower_zh(), vision, captions, tmp_path / "c", overwrite=True)
    assert str(caught.value) == (
        f"{str(tmp_path / 'c')!r} holds more than a tower, which would be lost: 'thesis.txt'\n"
        "Name another folder, or move that away."
    )
    (tmp_path / "text").mkdir()
    Path(tmp_path / "text" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="says model_type 'bert'; vision towers known"):
        tune_tower(tower_zh(), tmp_path / "text", captions, tmp_path / "a")


def test_a_tower_of_another_kind_cannot_be_trained(tmp_path, vision, captions):
    output = tmp_path / "a"
    with pytest.raises(TowerError) as caught:
        tune_tower(tower_alt(), vision, captions, output, loop=QUIET)

    assert str(caught.value) == (
        f"{tower_alt().name!r} cannot be trained: towers of CLIP and ChineseCLIP can\n"
        "Load it as one of these."
    )
    assert not output.exists()


def test_a_tower_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    folder, replace = tmp_path / "zh", os.replace
    save_tower(with_projection(tower_zh(), WIDTH, None, 0), folder)
    before = (folder / "model.safetensors").read_bytes()

    def fails(source, target):
        if str(source).endswith(".partial"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(CheckpointError, match="No space left"):
            save_tower(with_projection(tower_zh(), WIDTH, None, 1), folder)
    assert (folder / "model.safetensors").read_bytes() == before
    save_tower(with_projection(tower_zh(), WIDTH, None, 1), folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zh"]


def test_a_projection_is_read_or_missed_by_name(tmp_path):
    folder = write_vision(tmp_path / "vision")
    for name in ("text_projection", "weight", ""):
        save_file({name: torch.ones(2, 3)}, folder / "text_projection.safetensors")
        with pytest.raises(CheckpointError, match=r"has no text_projection\.weight"):
            open_vision(folder)
    save_file({"text_projection.weight": torch.ones(2, 3)}, folder / "text_projection.safetensors")
    assert torch.equal(open_vision(folder).text_projection, torch.ones(2, 3))


def test_the_states_of_accelerate_that_others_made_stay():
    state = lambda: dict(PartialState._shared_state)  # noqa: E731
    assert state() == {}
    with pytest.raises(ZeroDivisionError), own_accelerate():
        raise ZeroDivisionError
    assert state() == {}
    with own_accelerate():
        PartialState(cpu=True)
    assert state() == {}
    PartialState(cpu=True)
    try:
        before = state()
        with own_accelerate():
            PartialState(cpu=True)
        assert state() == before
    finally:
        PartialState._reset_state()


def test_a_copy_with_a_projection_is_as_long_as_its_tower():
    short = OpenAIClipTower(model_l(), tokenizer(), context_length=40)
    drawn = torch.get_rng_state()

    assert with_projection(short, WIDTH, None, 0).special.context_length == 40
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_tower_may_be_a_path(tmp_path, vision, captions):
    save_tower(with_projection(tower_zh(), WIDTH, None, 0), tmp_path / "zh")
    few = TuneSettings(steps=1, batch=2)
    tune_tower(tmp_path / "zh", vision, captions, tmp_path / "out", settings=few, loop=QUIET)
    assert load_tower(tmp_path / "out").width == 32


def test_the_embedded_vision_tower_reads_pixels_as_they_are():
    tower, read = open_vision("embedded"), []
    tower.model.vision_model.register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["pixel_values"]), with_kwargs=True
    )
    pixels = torch.rand(2, 3, tower.size, tower.size) * 2 - 1

    assert tower.features(pixels).isfinite().all()
    torch.testing.assert_close(read[0], pixels)
