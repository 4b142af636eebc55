"""attach and detach: what changes in a pipeline, what does not, and that it is undone."""

import copy
import gc
import inspect
import json
import pickle
import weakref

import pytest
import torch
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from PIL import Image

from clipcond import Conditioner, attach, detach
from clipcond.errors import (
    ClipcondError,
    PipelineError,
    UnknownNameError,
)
from tests.parity.models import tower_g, tower_l
from tests.pipelines.models import final_norm, latents, stock_class, tiny_sd


def test_nothing_else_of_the_pipeline_changes(pipe):
    before, modules = dict(vars(pipe)), _state(pipe)
    assert attach(pipe, clip_skip=2) is pipe
    prompts, negatives = ["a (cat:1.2)", "b " * 100], ["x", "y"]
    latents(pipe, prompts, negative_prompt=negatives)

    own = {name: vars(pipe)[name] for name in before}
    assert set(vars(pipe)) - set(before) <= {"encode_prompt", "conditioner"} | _CALL_STATE
    assert all(own[name] is before[name] for name in before if name not in _CALL_STATE)
    # of the same name; the stock call is what runs, and steps that change end with it
    assert stock_class(pipe) is StableDiffusionPipeline
    stock = StableDiffusionPipeline.__call__
    assert inspect.unwrap(type(pipe).__call__) is inspect.unwrap(stock)
    own, theirs = (inspect.signature(call) for call in (type(pipe).__call__, stock))
    further = [each for name, each in own.parameters.items() if name not in theirs.parameters]
    assert [each.name for each in further] == ["regions", "base_share"]
    rest = [each for each in own.parameters.values() if each not in further]
    assert own.replace(parameters=rest) == theirs
    assert repr(type(pipe)) == repr(StableDiffusionPipeline)
    assert _same(_state(pipe), modules)
    assert (prompts, negatives) == (["a (cat:1.2)", "b " * 100], ["x", "y"])


def test_full_width_punctuation_can_be_asked_for(pipe):
    theirs = latents(attach(pipe), "a (cat:1.3)")

    assert torch.equal(latents(attach(pipe, fullwidth=True), "a （cat：１．３）"), theirs)


def test_detach_restores_exactly(pipe):
    theirs = latents(pipe, "a cat")
    before = dict(vars(pipe))
    attach(attach(pipe, clip_skip=2), dialect="plain")

    assert detach(pipe) is pipe
    assert vars(pipe).keys() == before.keys()
    assert type(pipe) is StableDiffusionPipeline
    assert all(vars(pipe)[name] is before[name] for name in before)
    assert torch.equal(latents(pipe, "a cat"), theirs)
    assert not hasattr(pipe, "conditioner")
    detach(pipe)
    assert vars(pipe).keys() == before.keys()


def test_detach_gives_back_an_override_of_the_user(pipe):
    def mine(*args, **kwargs):
        raise NotImplementedError

    pipe.encode_prompt = mine
    attach(attach(pipe))
    detach(pipe)

    assert pipe.encode_prompt is mine


def test_a_refused_attach_changes_nothing(pipe):
    before = dict(vars(pipe))
    with pytest.raises(UnknownNameError, match="Did you mean 'a1111'"):
        attach(pipe, dialect="a111")
    with pytest.raises(ClipcondError, match="clip_skip=9"):
        attach(pipe, clip_skip=9)

    assert vars(pipe) == before


def test_an_error_in_the_middle_changes_nothing(pipe):
    attach(pipe)
    theirs, modules = latents(pipe, "a cat"), _state(pipe)

    def fail(*_):
        raise RuntimeError("in the middle")

    handle = pipe.text_encoder.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        latents(pipe, "a dog")
    handle.remove()

    assert _same(_state(pipe), modules)
    assert torch.equal(latents(pipe, "a cat"), theirs)


def test_a_saved_folder_is_stock(pipe, tmp_path):
    attach(pipe, clip_skip=2).save_pretrained(tmp_path / "attached")
    detach(pipe).save_pretrained(tmp_path / "plain")

    attached, plain = (
        json.loads((tmp_path / name / "model_index.json").read_text())
        for name in ("attached", "plain")
    )
    assert attached == plain
    assert attached["_class_name"] == "StableDiffusionPipeline"
    again = StableDiffusionPipeline.from_pretrained(tmp_path / "attached", safety_checker=None)
    again.set_progress_bar_config(disable=True)
    assert torch.equal(latents(again, "a cat"), latents(pipe, "a cat"))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pipe: pickle.loads(pickle.dumps(pipe))])
def test_a_copy_is_bound_to_itself(pipe, copied):
    before = latents(attach(pipe, clip_skip=2), "a (red:1.3) cat")
    other = copied(pipe)

    assert torch.equal(latents(other, "a (red:1.3) cat"), before)
    assert other.conditioner is not pipe.conditioner
    assert other.conditioner.towers[0].model is other.text_encoder
    with torch.no_grad():
        final_norm(other.text_encoder).weight.mul_(2)
    assert not torch.equal(latents(other, "a (red:1.3) cat"), before)
    assert torch.equal(latents(pipe, "a (red:1.3) cat"), before)
    del pipe
    gc.collect()
    assert latents(other, "a cat").isfinite().all()
    assert not hasattr(detach(other), "conditioner")


def test_an_attached_pipeline_is_freed_without_the_garbage_collector():
    pipe = attach(tiny_sd())
    latents(pipe, "a cat")
    alive = weakref.ref(pipe)
    encode_prompt = pipe.encode_prompt
    gc.disable()
    try:
        del pipe
        assert alive() is None
    finally:
        gc.enable()
    with pytest.raises(PipelineError, match=r"no longer exists.\nKeep it in a variable"):
        encode_prompt("a cat", "cpu", 1, True)


def test_from_pipe_makes_a_stock_pipeline_that_can_share_the_conditioner(pipe):
    attach(pipe, clip_skip=2)
    other = StableDiffusionImg2ImgPipeline.from_pipe(pipe)
    other.set_progress_bar_config(disable=True)
    assert type(other) is StableDiffusionImg2ImgPipeline
    assert not hasattr(other, "conditioner")

    attach(other).conditioner = pipe.conditioner
    assert other.conditioner is pipe.conditioner
    picture = {"image": Image.new("RGB", (16, 16), "red"), "strength": 1.0}
    skipped = latents(other, "a cat", **picture)
    assert torch.equal(skipped, latents(attach(other, clip_skip=2), "a cat", **picture))
    assert not torch.equal(skipped, latents(attach(other), "a cat", **picture))


def test_a_replaced_text_encoder_is_used(pipe):
    attach(pipe)
    before, first = latents(pipe, "a cat"), pipe.conditioner
    pipe.text_encoder = copy.deepcopy(pipe.text_encoder)
    with torch.no_grad():
        final_norm(pipe.text_encoder).weight.mul_(2)
    after = latents(pipe, "a cat")

    assert not torch.equal(after, before)
    assert pipe.conditioner is not first
    assert torch.equal(after, latents(detach(pipe), "a cat"))


def test_a_conditioner_of_the_users_own(pipe):
    attach(pipe)
    mine = pipe.conditioner = Conditioner(tower_l(), clip_skip=3)
    skipped = latents(pipe, "a cat")

    assert pipe.conditioner is mine
    assert torch.equal(skipped, latents(attach(pipe, clip_skip=3), "a cat"))


def test_another_tower(pipe):
    wide, name = tower_g(), type(pipe.text_encoder).__name__
    with pytest.raises(PipelineError) as caught:
        attach(pipe, tower=wide)
    assert str(caught.value).startswith("The text embeddings are 40 wide")

    other = copy.deepcopy(tower_l())
    with torch.no_grad():
        final_norm(other.model).weight.mul_(2)
    attach(pipe, tower=other)
    assert pipe.conditioner.towers == (other,)
    assert type(pipe.text_encoder).__name__ == name
    assert not torch.equal(latents(pipe, "a cat"), latents(attach(pipe), "a cat"))


@pytest.mark.parametrize("part", ["text_encoder", "tokenizer"])
def test_a_pipeline_without_its_text_encoder(pipe, part):
    setattr(pipe, part, None)
    attach(pipe)
    assert not hasattr(pipe, "conditioner")
    with pytest.raises(PipelineError) as caught:
        latents(pipe, "a cat")
    assert str(caught.value) == (
        f"This StableDiffusionPipeline has no {part}.\n"
        "Load it with one, or say which tower to use: attach(pipe, tower=...)."
    )

    pipe.unet.to(torch.bfloat16)
    attach(pipe, tower=tower_l())
    assert pipe.encode_prompt("a cat", "cpu", 1, False)[0].dtype == torch.bfloat16


_CALL_STATE = {
    "_guidance_scale",
    "_guidance_rescale",
    "_clip_skip",
    "_cross_attention_kwargs",
    "_interrupt",
    "_num_timesteps",
}


def _state(pipe):
    """Identity and values of everything in the models, and what hangs on them."""
    return {
        f"{part}.{name}": (id(module), list(vars(module)), _copies(module))
        for part, model in pipe.components.items()
        if isinstance(model, torch.nn.Module)
        for name, module in model.named_modules()
    }


def _copies(module):
    tensors = {**module._parameters, **module._buffers}
    return {name: tensor.clone() for name, tensor in tensors.items() if tensor is not None}


def _same(one, other):
    return one.keys() == other.keys() and all(
        one[key][:2] == other[key][:2]
        and all(torch.equal(one[key][2][name], other[key][2][name]) for name in one[key][2])
        for key in one
    )
