"""`embedded-zh` and the command line: another tower by its name, its adapter with it."""

import copy

import pytest
import torch

from clipcond import attach, build_pipeline, embedded, load_tower
from clipcond.adapters import save_adapter, tower_fingerprint, unet_fingerprint
from clipcond.checkpoints import opening
from clipcond.cli.entry import main
from tests.adapters.made import adapter, record
from tests.own_model import SIZE
from tests.pipelines.aligned import CAT, refused
from tests.towers.chinese import text_model
from tests.towers.chinese import tokenizer as chinese


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A tiny tower and adapter in the place of the embedded Chinese ones, without a vocabulary."""
    text_model().save_pretrained(tmp_path / "tower")
    monkeypatch.setitem(opening.NAMES, "embedded-zh", lambda: tmp_path / "tower")
    path = tmp_path / "adapter.safetensors"
    monkeypatch.setitem(embedded.ADAPTERS, "embedded-zh", path)
    pipe = build_pipeline()
    made = adapter(width=pipe.unet.config.cross_attention_dim)
    own = record(
        tower=tower_fingerprint(load_tower("embedded-zh")),
        teacher=tower_fingerprint(pipe.conditioner.towers[0]),
        unet=unet_fingerprint(pipe.unet),
        width=made.config.width,
    )
    save_adapter(made, own, path)
    return path


@pytest.mark.slow
def test_the_embedded_chinese_tower_brings_its_adapter(stand_in, pipe):
    built = build_pipeline(tower="embedded-zh", clip_skip=2)
    ids = built.conditioner.chunks(CAT)[0].input_ids

    assert built.conditioner.adapter.config.width == 128
    assert built.conditioner.clip_skip == 2
    assert "".join(built.conditioner.towers[0].tokenizer.pieces(ids[1:10])).replace(" ", "") == CAT
    image = built(CAT, num_inference_steps=2).images[0]
    assert image.size == SIZE

    by_hand = attach(build_pipeline(), tower="embedded-zh", clip_skip=2)
    found = by_hand.encode_prompt(CAT, "cpu", 1, False)[0]
    assert torch.equal(found, built.encode_prompt(CAT, "cpu", 1, False)[0])
    # into another model it has none
    assert "'embedded-zh' was not trained with this pipeline's UNet" in refused(
        pipe, tower="embedded-zh"
    )


@pytest.mark.slow
def test_generate_with_the_embedded_chinese_tower(stand_in, tmp_path, capsys):
    out = tmp_path / "out.png"
    arguments = ["generate", CAT, "--tower", "embedded-zh", "--steps", "1", "-o", str(out)]
    assert main(arguments) == 0
    first = out.read_bytes()
    assert b"Tower: embedded-zh" in first
    assert main([*arguments, "--adapter", str(stand_in), "--force"]) == 0
    assert b"Adapter: adapter" in out.read_bytes()
    assert main(["inspect", CAT, "--tower", "embedded-zh"]) == 0
    assert "猫" in capsys.readouterr().out


def test_generate_refuses_an_unaligned_tower(zh_folder, tmp_path, capsys):
    wide = tmp_path / "wide"
    config = copy.deepcopy(text_model().config)
    config.hidden_size = 128
    torch.manual_seed(0)
    type(text_model())(config).save_pretrained(wide)
    chinese().save_pretrained(wide)
    out = tmp_path / "out.png"
    arguments = ["generate", CAT, "--tower", str(wide), "--steps", "1", "-o", str(out)]

    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert f"clipcond: {str(wide)!r} was not trained with this pipeline's UNet" in shown
    assert "clipcond align" in shown
    assert not out.exists()
    assert main([*arguments, "--allow-unaligned"]) == 0
    assert "was not trained with this pipeline's UNet" in capsys.readouterr().err
    assert out.exists()


def test_the_embedded_chinese_files_are_where_they_are_looked_for():
    folder = embedded.folder().parent / "zh"

    assert embedded.adapter_file("embedded-zh") == folder / "adapter.safetensors"
    assert embedded.adapter_file("embedded") is None
    assert opening.NAMES["embedded-zh"]() == folder / "tower"
