"""What only ComfyUI could compute is "from" a node, and no text of a graph is lost."""

import sys

import pytest

from clipcond import attach
from tests.metadata.comfyui_graphs import USUAL, changed, graph, node, read, said, text
from tests.pipelines.models import tiny_sd

LOADER = {"model_name": "motion.ckpt", "beta_schedule": "sqrt_linear"}


@pytest.mark.parametrize(
    ("nodes", "model"),
    [
        ([node("ADE_AnimateDiffLoaderWithContext", **LOADER, model=["4", 0])], "v1.safetensors"),
        (
            [
                node("ADE_Any", model_name="a.ckpt", model=["41", 0]),
                node("LoraLoaderModelOnly", lora_name="x", model=["42", 0]),
                node("Patch", unet_name="b", model=["4", 0]),
            ],
            "v1.safetensors",
        ),
        ([node("DiffusersLoader", model_name="sd15")], "sd15"),
        ([node("Patch", ckpt_name="a", base_model=["4", 0])], "from Patch"),
        ([node("Reroute", x=["41", 0]), node("UNETLoader", unet_name="flux")], "flux"),
    ],
)
def test_a_node_that_takes_a_model_is_not_where_it_is_from(nodes, model):
    held = {str(40 + i): each for i, each in enumerate(nodes)}
    assert read({**changed(model=["40", 0]), **held}).others["Model"] == model


@pytest.mark.parametrize(
    "node_",
    [
        node("MathExpression", expression="a * 2", a=77),
        node("AspectRatio", aspect="1:1", width=77),
        node("RandomInt", max=77, mode="random"),
        node("LoadTextFile", path="a.txt"),
        node("Text Random Line", text="a cat\na fox", seed=77),
        node("Text Input", text="a fox", index=77),
        node("Simple String", string="a fox", strip=True),
        node("Float Literal", float=77.0, digits="2"),
        node("Primitive", a=77, b=78, text="a fox", c="a dog"),
        node("String", string=["5", 0]),
    ],
)
def test_a_node_with_further_inputs_computes(node_):
    kind = node_["class_type"]
    numbers = said({**changed(seed=["20", 0], steps=["20", 0]), "20": node_})
    assert numbers[2][:2] == (None, None)
    assert (numbers[3]["Seed"], numbers[3]["Steps"]) == (f"from {kind}",) * 2
    texts = said({**changed("7", text=["20", 0]), "20": node_})
    assert (texts[1], texts[3]["Negative text"]) == ("", f"from {kind}")
    if kind != "Primitive":
        assert kind in texts[3]["Nodes"]


LOADED = {"91": node("LoadImage", image="x.png")}
EMPTY = {"90": graph()["5"]}


def latent(kind, link, **inputs):
    """A graph whose sampler begins with what a node makes of the node 90 or 91."""
    return {
        **changed(latent_image=["80", 0]),
        **LOADED,
        **EMPTY,
        "80": node(kind, **inputs, **link),
    }


@pytest.mark.parametrize(
    ("kind", "link", "inputs"),
    [
        ("LatentUpscaleBy", {"samples": ["90", 0]}, {"scale_by": 1.5}),
        ("ImageScaleToTotalPixels", {"image": ["90", 0]}, {"megapixels": 1.0}),
        ("ImageScaleBy", {"image": ["91", 0]}, {"scale_by": 2.0}),
        ("LatentRotate", {"samples": ["90", 0]}, {"rotation": "90 degrees"}),
        ("Whatever", {"anything": ["90", 0]}, {}),
        ("ImageResize+", {"image": ["90", 0]}, {"width": 64, "height": 64, "method": "keep"}),
        ("LatentUpscale", {"samples": ["90", 0]}, {"width": 64, "height": 0}),
        ("CR Aspect Ratio", {}, {"width": 64, "height": 64, "aspect_ratio": "3:4 portrait"}),
        ("EmptyLatentImagePresets", {}, {"dimensions": "512 x 768", "invert": True}),
    ],
)
def test_a_size_that_a_node_computes_is_from_it(kind, link, inputs):
    pipe = attach(tiny_sd())
    for nodes in (
        latent(kind, link, **inputs),
        {**latent("VAEEncode", {"pixels": ["81", 0]}), "81": node(kind, **link, **inputs)},
    ):
        found = said(nodes)
        assert (found[2][3], found[3]["Size"]) == (None, f"from {kind}")
        assert kind in found[3]["Nodes"]
        assert f"Size: from {kind}" in read(nodes).not_honoured(pipe)


@pytest.mark.parametrize(
    ("kind", "link", "size"),
    [
        ("LatentUpscale", {"samples": ["91", 0], "width": 64, "height": 128}, (64, 128)),
        ("ImageScale", {"image": ["91", 0], "width": 64, "height": 128}, (64, 128)),
        ("SetLatentNoiseMask", {"samples": ["90", 0], "mask": ["91", 1]}, (512, 768)),
        ("LatentComposite", {"samples_from": ["82", 0], "samples_to": ["90", 0]}, (512, 768)),
        ("LatentCompositeMasked", {"source": ["82", 0], "destination": ["90", 0]}, (512, 768)),
        ("LatentBlend", {"samples2": ["82", 0], "samples1": ["90", 0]}, (512, 768)),
        ("CR Aspect Ratio", {"width": 64, "height": 64, "aspect_ratio": "custom"}, (64, 64)),
        ("Reroute", {"": ["90", 0]}, (512, 768)),
    ],
)
def test_a_size_that_is_kept_or_chosen_is_read(kind, link, size):
    other = {"82": node("EmptyLatentImage", width=8, height=8, batch_size=1)}
    assert said({**latent(kind, link), **other})[2][3] == size


def test_a_sampler_with_several_pictures_is_where_the_size_is_from():
    sampler = dict(graph()["3"]["inputs"])
    del sampler["latent_image"]
    several = node("KSampler (two)", **sampler, first=["90", 0], second=["82", 0])
    nodes = {**graph(n3=several), **EMPTY, "82": node("EmptyLatentImage", width=8, height=8)}
    assert said(nodes)[3]["Size"] == "from KSampler (two)"


def sdxl(**words):
    return node("CLIPTextEncodeSDXL", **words, width=64, height=64, clip=["4", 1])


def test_all_texts_of_several_encoders_are_kept():
    nodes = changed(positive=["30", 0], negative=["31", 0])
    nodes["30"] = node("ConditioningConcat", a=["32", 0], b=["33", 0], c=["34", 0])
    nodes["31"] = node("ConditioningCombine", a=["35", 0], b=["36", 0])
    nodes["32"] = sdxl(text_g="castle", text_l="stone")
    nodes["33"] = text("a cat")
    nodes["34"] = node("CLIPTextEncodeFlux", clip_l="fur", t5xxl="a soft cat", clip=["4", 1])
    nodes["35"] = sdxl(text_g="dog", text_l="")
    nodes["36"] = sdxl(text_g="rain", text_l="wet")
    found = said(nodes)
    assert found[:2] == ("castle, a cat, fur", "dog, rain")
    others = {name: value for name, value in found[3].items() if name != "Nodes"}
    assert others == {
        "text_g": "castle", "text_l": "stone", "clip_l 2": "fur", "t5xxl 2": "a soft cat",
        "negative text_g": "dog", "negative text_l": "", "negative text_g 2": "rain",
        "negative text_l 2": "wet", "Joined texts": "ConditioningConcat",
        "Joined negative texts": "ConditioningCombine",
    }  # fmt: skip
    assert "t5xxl 2: a soft cat" in read(nodes).text()


@pytest.mark.parametrize("words", ["", " \n "])
def test_an_empty_prompt_is_a_prompt(words):
    assert said(changed("6", text=words)) == ("", *USUAL[1:])
    linked = {**changed("6", text=["20", 0]), "20": node("PrimitiveString", value=words)}
    assert said(linked) == ("", *USUAL[1:])


def test_zeros_instead_of_a_prompt_are_listed():
    zeros = {"20": node("ConditioningZeroOut", conditioning=["6", 0])}
    found = said({**changed(positive=["20", 0]), **zeros})
    assert found == ("", *USUAL[1:3], {"Nodes": "CLIPTextEncode, ConditioningZeroOut"})


def chained(n):
    """n texts linked to the first of n Reroutes, and n encoders to another such chain."""
    nodes = changed(positive=["100", 0])
    for i in range(n):
        nodes[f"r{i}"] = node("Reroute", x=[f"r{i + 1}" if i < n - 1 else "held", 0])
        nodes[f"c{i}"] = node("Reroute", x=[f"c{i + 1}" if i < n - 1 else "stop", 0])
        nodes[f"t{i}"] = text(["r0", 0], "c0")
        nodes[str(100 + i)] = node("ConditioningCombine", a=[str(101 + i), 0], b=[f"t{i}", 0])
    nodes["held"] = node("PrimitiveString", value="a fox")
    nodes["stop"] = node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["4", 1])
    nodes["7"] = text("dog", "c0")
    return nodes


def n_calls(nodes):
    """Count the calls, of Python's own functions too, that reading a graph takes."""
    counts = []
    sys.setprofile(lambda _, event, __: counts.append(event))
    try:
        found = said(nodes)
    finally:
        sys.setprofile(None)
    assert (found[0], found[2][4]) == ("a fox", 2)
    return len(counts)


def test_chains_of_reroutes_take_steps_in_proportion_to_their_length():
    assert n_calls(chained(200)) < 2.2 * n_calls(chained(100))


def test_reroutes_that_lead_nowhere_end():
    for ends in (["r0", 0], ["r1", 0], ["gone", 0]):
        nodes = changed(seed=["r0", 0], model=["r1", 0])
        nodes |= {"r0": node("Reroute", x=["r1", 0]), "r1": node("Reroute", x=ends)}
        found = read(nodes)
        assert (found.prompt, found.others["Seed"]) == ("a cat", "from Reroute")
        assert found.others["Model"] == "from Reroute"
