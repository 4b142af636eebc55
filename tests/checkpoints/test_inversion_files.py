"""Files of textual inversions as trainers write them: pairs, several terms, within a LoRA."""

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond.checkpoints.inversion_terms import find_terms
from clipcond.checkpoints.textual_inversions import load_inversion
from clipcond.errors import CheckpointError
from tests.checkpoints.made_files import clip, unet, wrapped
from tests.checkpoints.test_textual_inversions import kept, vectors
from tests.failures import failures_of
from tests.parity.models import tower_g, tower_l

L, G = vectors(2), vectors(2, 40, seed=6)
LORA = {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(4, 64)}
PAIRS = {
    "clip_l": {"clip_l": L, "clip_g": G},
    "pivotal": {"text_encoders_0": L, "text_encoders_1": G},
    "SD3": {"clip_l": L, "clip_g": G, "t5xxl": torch.zeros(2, 64)},
    "pivotal, SD3": {"text_encoders_0": L, "text_encoders_1": G, "text_encoders_2": vectors(2, 64)},
    "bundled": {**LORA, "bundle_emb.foo.clip_l": L, "bundle_emb.foo.clip_g": G},
    "bundled, dots": {**LORA, "bundle_emb.a.b.clip_l": L, "bundle_emb.a.b.clip_g": G},
    "nested": {"foo.clip_l": L, "foo.clip_g": G},
}
SINGLE = {
    "flat": {"string_to_param.*": L},
    "bundled": {**LORA, "bundle_emb.foo.string_to_param.*": L},
    "bundled, emb_params": {**LORA, "bundle_emb.foo.emb_params": L},
    "with a number": {"<foo>": L, "step": torch.tensor(5)},
    "one dimension": {"foo": L[0]},
}


def test_pairs(tmp_path):
    def check(case):
        path = tmp_path / "foo.safetensors"
        save_file(PAIRS[case], path)
        pair = [tower_l(), tower_g()]
        name = load_inversion(pair, path)
        assert name == {"bundled, dots": "a.b"}.get(case, "foo")
        assert torch.equal(kept(pair[0], name), L)
        assert torch.equal(kept(pair[1], name), G)
        assert load_inversion([one := tower_g()], path, "bar") == "bar"
        assert torch.equal(kept(one, "bar"), G)

    assert not failures_of(check, PAIRS)


def test_vectors_for_one_tower(tmp_path):
    def check(case):
        path = tmp_path / "foo.safetensors"
        save_file(SINGLE[case], path)
        tower = tower_l()
        name = load_inversion([tower], path)
        assert name == {"with a number": "<foo>"}.get(case, "foo")
        assert torch.equal(kept(tower, name), L[:1] if case == "one dimension" else L)

    assert not failures_of(check, SINGLE)


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_a_pair_in_two_files(tmp_path, ending):
    for name, rows in (("learned_embeds", L), ("learned_embeds_2", G)):
        write = save_file if ending == "safetensors" else torch.save
        write({"<foo>": rows}, tmp_path / f"{name}.{ending}")
    pair = [tower_l(), tower_g()]

    assert load_inversion(pair, tmp_path, allow_pickle=ending == "bin") == "<foo>"
    assert torch.equal(kept(pair[0], "<foo>"), L)
    assert torch.equal(kept(pair[1], "<foo>"), G)
    assert load_inversion([tower_l()], tmp_path, allow_pickle=ending == "bin") == "<foo>"
    with pytest.raises(CheckpointError, match="are two files in one folder"):
        load_inversion([tower_l(), tower_g()], tmp_path / f"learned_embeds.{ending}",
                       allow_pickle=ending == "bin")  # fmt: skip


TERMS = {
    "<a>": {"<a>": L, "<b>": L + 1},
    "a": {"string_to_param.a": L, "string_to_param.b": L + 1},
    "x": {**LORA, "bundle_emb.x.emb_params": L, "bundle_emb.y.string_to_param.*": L + 1},
    "s0": {"s0.clip_l": L, "s0.clip_g": G, "s1.clip_l": L + 1, "s1.clip_g": G + 1},
}


def test_several_terms_in_one_file(tmp_path):
    def check(first):
        path = tmp_path / "foo.safetensors"
        save_file(TERMS[first], path)
        tower, other = tower_l(), tower_l()
        names = load_inversion([tower], path)
        assert names.split() == list(tower.inversions.names)
        assert torch.equal(kept(tower, first), L)
        assert torch.equal(kept(tower, names.split()[1]), L + 1)
        assert load_inversion([other], path, first) == first
        assert other.inversions.names == (first,)
        with pytest.raises(CheckpointError, match="it holds 2 terms, and none is called 'TOK'"):
            load_inversion([other], path, "TOK")

    assert not failures_of(check, TERMS)


def test_only_the_vectors_of_a_large_lora_are_read(tmp_path):
    path = tmp_path / "big.safetensors"
    save_file(
        {"lora_unet_a.lora_up.weight": torch.zeros(2**24 + 1), "bundle_emb.foo.clip_l": L}, path
    )
    assert path.stat().st_size > 64 * 2**20

    assert load_inversion([tower_l()], path) == "foo"


def test_the_content_says_what_a_file_is_not_its_ending(tmp_path):
    def check(name):
        path = tmp_path / name
        save_file({"emb_params": L}, path)
        assert load_inversion([tower_l()], path) == path.stem

    names = ("a.pt", "b.pti", "c.SAFETENSORS", "d.sft", "e.bin", "f.png", "g.ckpt", "h")
    assert not failures_of(check, names)


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load_inversion([tower_l()], path)
    return str(caught.value).replace(repr(str(path)), "FILE")


def test_other_files_are_called_by_their_names(tmp_path):
    found = {
        "a LoRA (1 tensor)\nIt changes a model: build the pipeline first": LORA,
        "a ControlNet (1 tensor)\nLoad it with diffusers": {"control_model.a.weight": L},
        "a UNet or transformer (SD1, 4 channels in), a VAE": unet(768),
        "a VAE\nA VAE alone goes into": {"encoder.conv_in.weight": torch.zeros(2, 3, 3, 3)},
        "an IP-Adapter for pictures (1 tensor)": {"image_proj.proj.weight": L},
        "no tensors": {},
    }

    def check(text):
        path = tmp_path / "x.safetensors"
        save_file(found[text], path)
        assert refusal(path).startswith(f"FILE: no textual inversion: it holds {text}")

    assert not failures_of(check, found)
    save_file(wrapped(clip(layers=1)), tmp_path / "tower.safetensors")
    assert "no textual inversion: it holds 1 text tower" in refusal(tmp_path / "tower.safetensors")


def test_a_picture_is_called_one(tmp_path):
    path = tmp_path / "foo.png"
    Image.new("RGB", (8, 8)).save(path)
    assert refusal(path) == (
        "FILE is no safetensors file but a PNG picture\nIt is no model: check the path."
    )


def test_no_terms():
    for shapes in ({}, {"a.weight": (4, 4)}, {"a": (2, 3, 4)}, {"lora_up": (2, 2)}):
        assert find_terms(shapes) == ()
