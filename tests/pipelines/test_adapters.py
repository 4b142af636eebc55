"""Another tower in a pipeline, with an adapter that was aligned to both."""

import copy

import pytest
import torch

from clipcond import attach, build_pipeline, detach, load_tower
from clipcond.adapters import save_adapter
from clipcond.errors import ClipcondWarning, PipelineError
from clipcond.towers import ChineseClipTower, OpenAIClipTower
from tests.adapters.made import LENGTH
from tests.parity.models import tokenizer, tower_l
from tests.pipelines.aligned import CAT, aligned, refused, warned
from tests.pipelines.models import latents, tiny_sd
from tests.towers.chinese import tower_zh


def test_an_aligned_adapter_is_taken_without_a_warning(pipe):
    made = aligned(pipe)
    attach(pipe, clip_skip=1, tower=tower_zh(), adapter=made)
    embeds, negative = pipe.encode_prompt(f"{CAT}，" * 15, "cpu", 1, True)

    assert embeds.shape == negative.shape == (1, 3 * LENGTH, 32)
    assert pipe.conditioner.adapter is made
    assert latents(pipe, CAT, negative_prompt="狗").isfinite().all()
    assert not torch.equal(latents(pipe, CAT), latents(pipe, "狗"))
    assert not torch.equal(latents(pipe, CAT), latents(pipe, "蓝色背景上的一只(猫:1.4)"))
    assert not torch.equal(latents(pipe, CAT), latents(pipe, CAT, clip_skip=2))


def test_attached_and_detached_changes_nothing(pipe):
    theirs, before = latents(pipe, "a cat"), dict(vars(pipe))
    made = aligned(pipe)
    weights = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    attach(pipe, tower=tower_zh(), adapter=made)
    ours = latents(pipe, CAT)
    handle = made.register_forward_hook(_fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        latents(pipe, "狗")
    handle.remove()

    assert torch.equal(latents(pipe, CAT), ours)
    assert all(torch.equal(made.state_dict()[name], tensor) for name, tensor in weights.items())
    detach(pipe)
    assert vars(pipe).keys() == before.keys()
    assert torch.equal(latents(pipe, "a cat"), theirs)


def test_a_copy_and_a_saved_pipeline(pipe, tmp_path):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe))
    ours = latents(pipe, CAT, negative_prompt="狗")
    other = copy.deepcopy(pipe)
    with torch.no_grad():
        pipe.conditioner.adapter.row_bias.add_(1.0)

    assert not torch.equal(latents(pipe, CAT, negative_prompt="狗"), ours)
    assert torch.equal(latents(other, CAT, negative_prompt="狗"), ours)
    other.save_pretrained(tmp_path)  # the model's own parts: tower and adapter have their files
    assert torch.equal(latents(other, CAT, negative_prompt="狗"), ours)
    saved, plain = build_pipeline(tmp_path), attach(tiny_sd())
    assert saved.conditioner.adapter is None
    saved.set_progress_bar_config(disable=True)
    assert torch.equal(latents(saved, "a cat"), latents(plain, "a cat"))


def test_swapping_prompt_and_negative_swaps_what_the_unet_reads(pipe):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe), clip_skip=2)
    one = pipe.encode_prompt(CAT, "cpu", 1, True, f"(狗:1.3){CAT * 10}")
    other = pipe.encode_prompt(f"(狗:1.3){CAT * 10}", "cpu", 1, True, CAT)

    # batches of another order are summed in another order
    assert torch.allclose(one[0], other[1], rtol=0, atol=5e-6)
    assert torch.allclose(one[1], other[0], rtol=0, atol=5e-6)


def test_embeddings_of_the_callers_own_are_filled_up(pipe):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe))
    long = pipe.encode_prompt(f"{CAT}，" * 15, "cpu", 1, False)[0]
    embeds, negative = pipe.encode_prompt(None, "cpu", 1, True, "狗", prompt_embeds=long)

    assert embeds.shape == negative.shape == (1, 3 * LENGTH, 32)


def test_a_fine_tuned_tower_needs_no_adapter(pipe):
    tower = OpenAIClipTower(copy.deepcopy(tower_l().model), tokenizer(), name="tuned")
    with torch.no_grad():
        for parameter in tower.model.parameters():
            parameter.add_(0.1 * parameter.std() * torch.randn_like(parameter))
    attach(pipe, tower=tower)

    assert latents(pipe, "a cat").isfinite().all()


@pytest.mark.parametrize("part", ["unet", "text_encoder", "both"])
def test_a_fine_tuned_unet_of_the_family_is_taken_with_a_warning(pipe, part):
    made = aligned(pipe)
    with torch.no_grad():
        if part != "text_encoder":
            pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_v.weight.add_(0.1)
        if part != "unet":
            next(pipe.text_encoder.parameters()).add_(0.1)
    others = {"unet": "UNet", "text_encoder": "text tower", "both": "UNet and text tower"}[part]

    assert warned(pipe, tower=tower_zh(), adapter=made) == (
        f"the adapter was aligned to another {others} of the same family ('sd1'): what was trained "
        "on top of that family is mostly kept, but pictures may follow the prompt less well"
    )


def test_models_in_bfloat16_are_not_compared(pipe):
    made = aligned(pipe)
    attach(pipe.to(torch.bfloat16), tower=tower_zh(), adapter=made)

    assert latents(pipe, CAT).dtype == torch.bfloat16


def test_a_pipeline_without_a_text_encoder(pipe):
    made = aligned(pipe)
    theirs = latents(attach(pipe, tower=tower_zh(), adapter=made), CAT)
    pipe.text_encoder = pipe.tokenizer = None

    assert torch.equal(latents(attach(pipe, tower=tower_zh(), adapter=made), CAT), theirs)
    assert "(it is a ChineseClipTower)" in refused(pipe, tower=tower_zh())


def test_a_tower_by_name_moves_with_the_pipeline(pipe, zh_folder, tmp_path):
    path = tmp_path / "zh.safetensors"
    tower = load_tower(zh_folder)
    made = aligned(pipe, tower)
    save_adapter(made, made.record, path)
    attach(pipe, tower=str(zh_folder), adapter=str(path))
    exact = latents(pipe, CAT)

    pipe.to(torch.bfloat16)
    half = latents(pipe, CAT)
    assert pipe.conditioner.towers[0].dtype == half.dtype == torch.bfloat16
    assert pipe.encode_prompt(CAT, "cpu", 1, False)[0].dtype == torch.bfloat16
    assert (half.float() - exact).abs().max() < 0.2 * exact.abs().max()
    assert pipe.conditioner.adapter.dtype == torch.float32


def test_a_tower_of_the_users_stays_where_it_is(pipe):
    tower = tower_zh()
    attach(pipe.to(torch.bfloat16), tower=tower, adapter=aligned(tiny_sd()))
    latents(pipe, CAT)

    assert tower.dtype == torch.float32


@pytest.mark.slow
def test_build_pipeline(sd_folder, zh_folder, tmp_path):
    path = tmp_path / "zh.safetensors"
    made = aligned(tiny_sd(), load_tower(zh_folder))
    save_adapter(made, made.record, path)
    for given in (str(path), made):
        pipe = build_pipeline(sd_folder, tower=str(zh_folder), adapter=given)
        assert pipe.encode_prompt(CAT, "cpu", 1, False)[0].shape == (1, LENGTH, 32)
        assert isinstance(pipe.conditioner.towers[0], ChineseClipTower)
    half = build_pipeline(sd_folder, tower=str(zh_folder), adapter=path, dtype="bfloat16")
    assert half.conditioner.towers[0].dtype == torch.bfloat16
    assert latents(half, CAT).isfinite().all()

    with pytest.raises(PipelineError, match="was not trained with this pipeline's UNet"):
        build_pipeline(sd_folder, tower=str(zh_folder))
    with pytest.warns(ClipcondWarning, match="was not trained with this pipeline's UNet"):
        build_pipeline(sd_folder, tower=str(zh_folder), allow_unaligned=True)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_everything_moves_to_cuda(pipe, zh_folder):
    made = aligned(pipe, load_tower(zh_folder))
    attach(pipe, tower=str(zh_folder), adapter=made)
    exact = latents(pipe, CAT)
    pipe.to("cuda", torch.float16)
    moved = latents(pipe, CAT)

    assert moved.device.type == pipe.conditioner.towers[0].device.type == "cuda"
    assert (moved.float().cpu() - exact).abs().max() < 0.05 * exact.abs().max()
    assert made.device.type == "cpu"


def _fail(*_):
    raise RuntimeError("in the middle")
