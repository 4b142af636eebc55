"""Regions in calls of a pipeline: laws, what is left behind, and what is encoded."""

import copy

import pytest
import torch

from clipcond import attach
from clipcond.errors import ArgumentError, ClipcondWarning, PipelineError, PromptError
from clipcond.pipelines import Region, trace
from tests.pipelines import zoo
from tests.pipelines.models import WIDTH, latents, seeded, tiny_sd, tiny_sdxl, unet_of

MAKERS = {"sd": tiny_sd, "sdxl": tiny_sdxl}
HALVES = [Region("a cat", "left"), Region("a (dog:1.3)", "right", negative="fog")]


@pytest.fixture(scope="module")
def sd():
    return attach(tiny_sd())


def distance(one, two):
    return float((one - two).abs().max()) / max(1.0, float(two.abs().max()))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_one_region_over_everything_is_the_plain_prompt(make, guidance):
    pipe = attach(make())
    call = {"guidance_scale": guidance, "negative_prompt": "fog"}
    text, pooled = "a (red:1.2) cat, " * 20, {}
    if make is tiny_sdxl:  # the pooled vector is that of the call's own prompt
        made = pipe.encode_prompt(text, negative_prompt="fog")
        pooled = {"pooled_prompt_embeds": made[2], "negative_pooled_prompt_embeds": made[3]}
    plain = latents(pipe, text, **call)

    for region in (Region(text, "all"), Region(text, mask=torch.ones(5, 5))):
        ours = latents(pipe, "a dog", regions=[region], base_share=0, **call, **pooled)
        assert torch.equal(ours, plain)
    thirds = [Region(text, f"{name} third") for name in ("left", "middle", "right")]
    assert distance(latents(pipe, "", regions=thirds, **call, **pooled), plain) < 1e-5
    assert distance(latents(pipe, text, regions=thirds, base_share=0.4, **call), plain) < 1e-5


@pytest.mark.parametrize("dialect", ["comfyui", "compel", "sd_embed"])
def test_a_region_is_as_long_as_its_prompt_alone(dialect):
    """A long base prompt, of other chunks and another layer, leaves a short region as it is."""
    pipe = attach(tiny_sd(), dialect=dialect, clip_skip=2)
    region = [Region("a red cat", "all")]

    plain = latents(pipe, "a red cat", negative_prompt="fog")
    ours = latents(pipe, "a dog, " * 60, negative_prompt="fog", regions=region, base_share=0)
    assert torch.equal(ours, plain)


def test_the_order_of_regions_does_not_matter(sd):
    regions = [*HALVES, Region("a fox", "centre", weight=0.5)]
    one, two = (latents(sd, "a", regions=own) for own in (regions, regions[::-1]))

    assert distance(one, two) < 1e-5
    assert distance(one, latents(sd, "a")) > 1e-3


def test_left_and_right_exchanged_is_the_mirror_image():
    """In a UNet of one size whose convolutions are mirror images of themselves."""
    one_level = {"block_out_channels": (16,), "down_block_types": ("CrossAttnDownBlock2D",)}
    torch.manual_seed(0)
    unet = unet_of(WIDTH, **one_level, up_block_types=("CrossAttnUpBlock2D",)).eval()
    for module in unet.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = (module.weight.data + module.weight.data.flip(3)) / 2
    pipe, noise = attach(tiny_sd(unet=unet)), torch.randn(1, 4, 6, 8, generator=seeded())
    exchanged = [Region("a cat", "right"), Region("a (dog:1.3)", "left", negative="fog")]

    one = latents(pipe, "a", regions=HALVES, latents=noise)
    two = latents(pipe, "a", regions=exchanged, latents=noise.flip(3))
    assert distance(one, two.flip(3)) < 1e-5
    assert distance(one, two) > 1e-3


def test_each_picture_of_a_batch_is_as_alone(sd):
    prompts, generators = ["a field", "snow"], [seeded(i) for i in range(4)]
    regions, call = HALVES, {"negative_prompt": "grey", "base_share": 0.3}
    several = {"num_images_per_prompt": 2, "generator": generators}
    together = latents(
        sd, prompts, regions=regions, **{**call, "negative_prompt": ["grey"] * 2}, **several
    )

    for i in range(4):
        alone = latents(sd, prompts[i // 2], regions=regions, generator=seeded(i), **call)
        assert distance(together[i], alone[0]) < 1e-5


def state_of(pipe):
    """What a call must not change: processors, hooks, attributes and weights of the models."""
    layers = [(layer, vars(layer).get("processor")) for layer in pipe.unet.modules()]
    hooks = [(len(layer._forward_hooks), len(layer._forward_pre_hooks)) for layer, _ in layers]
    values = {name: each.clone() for name, each in pipe.unet.state_dict().items()}
    return layers, hooks, {**vars(pipe.unet)}.keys(), values


def same(one, two):
    (*first, values), (*second, others) = one, two
    return first == second and all(torch.equal(values[name], others[name]) for name in values)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_nothing_is_left_behind(make):
    pipe = attach(make())
    plain, before = latents(pipe, "a cat"), state_of(pipe)

    latents(pipe, "a", regions=HALVES)
    assert same(state_of(pipe), before)

    def fail(*_):
        raise KeyError("the callback's own")

    with pytest.raises(KeyError):
        latents(pipe, "a", regions=HALVES, callback_on_step_end=fail)
    assert same(state_of(pipe), before)
    with pytest.raises(ArgumentError, match="is outside the picture, which is 16x16"):
        latents(pipe, "a", regions=[Region("a", (0, 0, 99, 99))])
    assert same(state_of(pipe), before)
    assert torch.equal(latents(pipe, "a cat"), plain)


def test_all_texts_are_encoded_in_one_run_of_the_tower(sd):
    runs = []
    tower = sd.conditioner.towers[0]
    sd.conditioner.cache.clear()

    def note(module, args, kwargs):
        runs.append(len(kwargs.get("input_ids", args[0] if args else ())))

    handle = tower.model.register_forward_pre_hook(note, with_kwargs=True)
    regions = [*HALVES, Region("a fox, " * 40, "top"), Region("[a bee:an ant:1]", "centre")]
    call = {"negative_prompt": "grey", "regions": regions, "num_inference_steps": 4}
    try:
        first = latents(sd, "a field", **call)
        assert len(runs) == 1
        assert torch.equal(latents(sd, "a field", **call), first)
        assert len(runs) == 1
    finally:
        handle.remove()


def test_networks_of_regions_are_handed_over_once():
    given = []
    pipe = attach(tiny_sd(), extra_networks=given.append)
    regions = [Region("a cat <lora:two:0.5>", "left"), Region("a dog", "right")]
    latents(pipe, ["a <lora:one:1>", "b"], negative_prompt=["", ""], regions=regions)

    assert sorted(each.name for networks in given for each in networks) == ["one", "two"]


def test_warnings_of_regions_are_given_once(sd):
    with pytest.warns(ClipcondWarning) as caught:
        latents(sd, ["a", "b"], negative_prompt=["", ""], regions=[Region("cat:1.3", "left")])
    assert [each.message.message for each in caught] == ["'cat:1.3' is no weight without brackets"]


def test_a_region_changes_over_the_steps(sd):
    """Of three steps, two are drawn with the first text, as outside of regions."""
    sides = {"num_inference_steps": 3, "guidance_scale": 1.0}
    rows = []

    def forward(*args, **kwargs):
        rows.append(kwargs["encoder_hidden_states"])
        return stock(*args, **kwargs)

    stock = sd.unet.forward
    sd.unet.forward = forward
    try:
        for text in ("[a cat:a dog:1]", "a cat", "a dog"):
            latents(sd, "a field", regions=[Region(text, "left")], **sides)
    finally:
        del sd.unet.forward
    edited, cat, dog = rows[:3], rows[3:6], rows[6:]
    assert not torch.equal(cat[0], dog[0])
    for own, plain in zip(edited, (cat[0], cat[1], dog[2]), strict=True):
        assert torch.equal(own, plain)


@pytest.mark.parametrize(
    ("prompt", "region"), [("a cat AND a dog", "a"), ("a", "[b|c] AND d"), ("a", "a :0.5")]
)
def test_and_is_refused(sd, prompt, region):
    if "AND" not in prompt + region:
        assert latents(sd, prompt, regions=[Region(region, "left")]).isfinite().all()
        return
    with pytest.raises(PromptError) as caught:
        latents(sd, prompt, regions=[Region(region, "left")])
    text = prompt if "AND" in prompt else region
    assert caught.value.message == "AND cannot be drawn in a call with regions"
    assert (caught.value.source, caught.value.position) == (text, text.find("AND"))
    assert not sd.unet._forward_hooks


def test_embeddings_in_place_of_the_prompt_are_refused(sd):
    made = sd.encode_prompt("a cat", "cpu", 1, True)
    with pytest.raises(PipelineError, match="Regions need the prompt of the whole picture as text"):
        latents(sd, prompt_embeds=made[0], negative_prompt_embeds=made[1], regions=HALVES)


def test_negative_embeddings_are_those_of_regions_without_a_negative(sd):
    made = sd.encode_prompt("fog", "cpu", 1, False)[0]
    regions = [Region("a cat", "left"), Region("a dog", "right", negative="grey")]

    ours = latents(sd, "a field", negative_prompt_embeds=made, regions=regions)
    theirs = latents(sd, "a field", negative_prompt="fog", regions=regions)
    assert torch.equal(ours, theirs)


def test_traced_calls_have_no_regions(sd):
    with trace(sd), pytest.raises(PipelineError, match="A call with regions cannot be traced"):
        latents(sd, "a", regions=HALVES)
    assert latents(sd, "a", regions=HALVES).isfinite().all()


def test_regions_that_are_not_drawn_are_an_error(sd, monkeypatch):
    """As of a pipeline that reads its prompts otherwise."""
    monkeypatch.setattr("clipcond.pipelines.steps.over_time.is_drawing", lambda pipe: False)
    with pytest.raises(PipelineError, match="has not drawn the regions of its call"):
        latents(sd, "a", regions=HALVES)


def test_a_call_within_a_call_has_no_regions_of_its_own(sd):
    """A callback's preview is drawn without them, and the outer call goes on with them."""
    plain, outer = latents(sd, "a cat"), latents(sd, "a", regions=HALVES)
    previews = []

    def preview(pipe, i, t, tensors):
        previews.append(latents(pipe, "a cat"))
        return tensors

    again = latents(sd, "a", regions=HALVES, callback_on_step_end=preview)
    assert torch.equal(again, outer)
    assert len(previews) == 2
    assert all(torch.equal(each, plain) for each in previews)


def test_a_copy_of_the_pipeline_has_regions_too(sd):
    twin = copy.copy(sd)
    assert torch.equal(latents(twin, "a", regions=HALVES), latents(sd, "a", regions=HALVES))


def test_rows_that_a_callback_replaces_are_refused(sd):
    def replace(pipe, i, t, tensors):
        return {"prompt_embeds": tensors["prompt_embeds"] * 0.5}

    own = {"callback_on_step_end": replace}
    own["callback_on_step_end_tensor_inputs"] = ["prompt_embeds"]
    with pytest.raises(PipelineError, match="A call with regions has other embeddings"):
        latents(sd, "a", regions=HALVES, **own)
    assert not sd.unet._forward_hooks


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("StableDiffusion3Pipeline", "it has no UNet"),
        ("StableDiffusionPanoramaPipeline", "it denoises each step in many views"),
        ("StableDiffusionAttendAndExcitePipeline", "it steers by the attention to one prompt"),
    ],
)
def test_refusals_of_classes(name, why):
    pipe = attach(zoo.make(name))
    with pytest.raises(PipelineError, match=f"cannot draw regions: {why}"):
        zoo.draw(lambda **call: pipe(**call, regions=HALVES), name)
    assert zoo.draw(pipe, name) is not None


def test_a_class_that_is_attached_twice_has_regions(sd):
    """`from_pipe` makes a pipeline of the attached one's class, which attaching wraps again."""
    twin = type(sd).from_pipe(sd)
    twin.set_progress_bar_config(disable=True)
    attach(twin)
    assert torch.equal(latents(twin, "a", regions=HALVES), latents(sd, "a", regions=HALVES))
