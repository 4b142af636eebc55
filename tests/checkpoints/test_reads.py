"""Every layout of files: each tensor of the tower is read once, and nothing else."""

import pytest
import torch
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.checkpoints.layouts import LAYOUTS
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from tests.checkpoints.made_files import clip, open_clip, unet, wrapped
from tests.checkpoints.test_layouts import chinese, flash, whole, wide_chinese  # noqa: F401
from tests.checkpoints.test_single_file import SD1, SD3, SDXL

SD2 = "cond_stage_model.model."
OTHERS = {**unet(768), "visual.class_embedding": torch.zeros(2), "logit_scale": torch.ones(())}


@pytest.fixture(scope="module")
def files(wide_chinese):  # noqa: F811
    """Layout -> the tower's tensors, others in the file, what to say to load_tower."""
    small, other = clip(projection=64), clip(128, 2, "gelu", projection=96)
    deep = open_clip(clip(64, 24, "gelu", projection=64), SD2)
    unused = [name for name in deep if "resblocks.23." in name or "projection" in name]
    trained = {name: tensor for name, tensor in deep.items() if name not in unused}
    first, second = wrapped(small, f"{SDXL}0.transformer."), open_clip(other, f"{SDXL}1.model.")
    sd3 = wrapped(small, f"{SD3}clip_l.transformer."), wrapped(other, f"{SD3}clip_g.transformer.")
    positions = {f"{SD1}text_model.embeddings.position_ids": torch.arange(77)[None]}
    longer = open_clip(clip(context=248))
    longer["positional_embedding_res"] = longer["positional_embedding"] + 1
    return {
        "SD1": (wrapped(small, SD1), {**OTHERS, **positions}, {}),
        "SD2": (trained, {name: deep[name] for name in unused}, {}),
        "SD2 at full depth": (deep, OTHERS, {"full_depth": True}),
        "SDXL, first": (first, {**OTHERS, **second}, {"part": 1}),
        "SDXL, second": (second, {**OTHERS, **first}, {"part": 2}),
        "SDXL refiner": (open_clip(other, f"{SDXL}0.model."), OTHERS, {}),
        "SD3, first": (sd3[0], {**OTHERS, **sd3[1]}, {"part": 1}),
        "SD3, second": (sd3[1], {**OTHERS, **sd3[0]}, {"part": 2}),
        "CLIP-L of a pair": (wrapped(small, "clip_l.transformer."), OTHERS, {}),
        "CLIP-G of a pair": (wrapped(other, "clip_g.transformer."), OTHERS, {}),
        "transformers": (wrapped(small), OTHERS, {"activation": "quick_gelu"}),
        "EVA-CLIP": (open_clip(other, "text."), {**OTHERS, "visual.cls_token": torch.ones(1)}, {}),
        "open_clip, text half of its own": (open_clip(other, "text."), OTHERS, {}),
        "open_clip": (open_clip(other), OTHERS, {"activation": "gelu"}),
        "LongCLIP": (longer, OTHERS, {}),
        "cn_clip": (chinese(wide_chinese), OTHERS, {}),
        "cn_clip with flash attention": (flash(wide_chinese), OTHERS, {}),
        "transformers, Chinese": (whole(wide_chinese), OTHERS, {}),
    }


@pytest.mark.parametrize("ending", ["safetensors", pytest.param("pt", marks=pytest.mark.slow)])
def test_each_tensor_of_a_tower_is_read_once_and_no_other(files, ending, tmp_path, monkeypatch):
    read = []
    bytes_of = StoredTensors._bytes

    def counted(self, name, entry):
        read.append(name)
        return bytes_of(self, name, entry)

    monkeypatch.setattr(StoredTensors, "_bytes", counted)
    failures = []
    for layout, (tower, others, choices) in files.items():
        path = tmp_path / f"model.{ending}"
        tensors = {name: t.contiguous() for name, t in {**tower, **others}.items()}
        save_file(tensors, path) if ending == "safetensors" else torch.save(tensors, path)
        read.clear()
        load_tower(path, allow_pickle=True, **choices)
        expected = sorted(name for name, t in tower.items() if t.is_floating_point())
        if sorted(read) != expected:
            failures.append((layout, sorted(read), expected))

    assert not failures
    assert {layout.place for layout in LAYOUTS} <= set(files)
