"""Parts of a pipeline: half-precision files, LoRA scales, teachers, adapters shared by threads."""

import threading

import pytest
import torch
from diffusers.loaders import lora_base

from clipcond.adapters.base import CastAdapter
from clipcond.errors import PipelineError
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.model_parts import LoadChoices, load_model
from clipcond.pipelines.steps import rows
from clipcond.pipelines.steps.rows import MarkedRows, read_serials
from clipcond.training.teacher import Teacher
from tests.adapters.made import adapter
from tests.pipelines.models import WIDTH_G, tiny_sd, tiny_sdxl, unet_of, vae_of

CHOICES = LoadChoices("text2image", torch.float32)


def test_a_part_that_has_half_precision_alone(tmp_path):
    vae = vae_of().eval()
    for name, more in {"whole": {}, "in pieces": {"max_shard_size": "10KB"}}.items():
        for variant in ("fp16", None):
            folder = tmp_path / f"{name} {variant}"
            vae.half().save_pretrained(folder, variant=variant, **more)
            loaded = load_model(folder, "vae", "AutoencoderKL", CHOICES)
            assert loaded.dtype == torch.float32, folder.name
            for key, tensor in vae.state_dict().items():
                assert torch.equal(loaded.state_dict()[key], tensor.float()), (folder.name, key)


def test_scales_of_lora_are_undone_where_one_fails(monkeypatch):
    pipe, scales = tiny_sdxl(), {}
    second = pipe.text_encoder_2

    def scale_by(model, factor):
        if model is second:
            raise RuntimeError("no")
        scales[id(model)] = scales.get(id(model), 1.0) * factor

    monkeypatch.setattr("diffusers.utils.USE_PEFT_BACKEND", True)
    monkeypatch.setattr("diffusers.utils.scale_lora_layers", scale_by)
    monkeypatch.setattr("diffusers.utils.unscale_lora_layers", lambda m, s: scale_by(m, 1 / s))
    assert isinstance(pipe, lora_base.LoraBaseMixin)
    names = ("text_encoder", "text_encoder_2")
    with pytest.raises(RuntimeError, match="no"), lora_scaled(pipe, names, 0.5):
        pass
    assert scales == {id(pipe.text_encoder): 1.0}


def test_a_refiner_cannot_teach():
    unet = unet_of(
        WIDTH_G,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=WIDTH_G + 5 * 8,
    )
    pipe = tiny_sdxl(unet=unet, text_encoder=None, tokenizer=None)
    pipe.register_to_config(requires_aesthetics_score=True)
    with pytest.raises(PipelineError, match="a refiner's UNet cannot teach"):
        Teacher.from_pipeline(pipe)
    assert Teacher.from_pipeline(tiny_sdxl()).pooled_width == WIDTH_G
    assert Teacher.from_pipeline(tiny_sd()).pooled_width is None


def test_every_marked_row_has_a_number(monkeypatch):
    most = rows.BASE**rows.DIGITS
    for first in (1, most - 3, most - 1, most, 2 * most - 2):
        monkeypatch.setattr(rows, "_SERIALS", iter(range(first, first + 4)))
        slot = MarkedRows(torch.zeros(4, 3, 8))
        serials = read_serials(slot.markers)
        assert len({*serials} - {0}) == 4, first
        assert [slot.place(n, slot.markers[i]) for i, n in enumerate(serials)] == [0, 1, 2, 3]


def test_threads_of_two_dtypes_share_an_adapter():
    cast, failed = CastAdapter(adapter()), []

    def run(dtype):
        hidden = torch.zeros(1, 20, 32, dtype=dtype)
        for _ in range(30):
            try:
                assert cast(hidden, None).hidden.dtype == dtype
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=run, args=(d,)) for d in (torch.float32, torch.bfloat16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_an_adapter_of_no_chunks():
    for mask in (None, torch.ones(0, 20)):
        assert CastAdapter(adapter())(torch.zeros(0, 20, 32), mask).hidden.shape == (0, 20, 32)
