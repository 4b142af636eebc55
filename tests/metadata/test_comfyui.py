"""A picture of ComfyUI is read along the links of its graph, never from nodes that it ignores."""

import json
import random

import pytest
from PIL.PngImagePlugin import PngInfo

from clipcond import attach
from clipcond.errors import PictureError
from clipcond.metadata import read_parameters
from tests.metadata.test_pictures import picture
from tests.pipelines.models import tiny_sd


def text(words, clip="4"):
    return {"class_type": "CLIPTextEncode", "inputs": {"text": words, "clip": [clip, 1]}}


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def graph(**changed):
    """A workflow as ComfyUI opens with; a node of None is taken out."""
    sampler = node(
        "KSampler", seed=5, steps=20, cfg=8.0, sampler_name="dpmpp_2m", scheduler="karras",
        denoise=1.0, model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0],
    )  # fmt: skip
    nodes = {
        "3": sampler,
        "4": node("CheckpointLoaderSimple", ckpt_name="v1.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": text("a cat"),
        "7": text("dog"),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="x", images=["8", 0]),
    }
    nodes |= {number.removeprefix("n"): each for number, each in changed.items()}
    return {number: each for number, each in nodes.items() if each is not None}


def read(nodes):
    return read_parameters(json.dumps(nodes))


def said(nodes):
    """What is read, but for what is the same of all."""
    found = read(nodes)
    others = {k: v for k, v in found.others.items() if k not in {"Dialect", "Generator", "Model"}}
    others = {k: v for k, v in others.items() if (k, v) != ("denoise", "1")}
    numbers = (found.seed, found.steps, found.guidance, found.size, found.clip_skip)
    return found.prompt, found.negative, numbers, others


USUAL = ("a cat", "dog", (5, 20, 8.0, (512, 768), 1), {})
STRAY = {
    "n1": node("KSampler", seed=99, steps=9, cfg=9.0, sampler_name="ddim", scheduler="normal",
               denoise=0.3, model=["4", 0], positive=["7", 0], negative=["6", 0],
               latent_image=["2", 0]),
    "n2": node("EmptyLatentImage", width=128, height=96, batch_size=8),
    "n10": text("a stray text"),
    "n11": node("CLIPSetLastLayer", stop_at_clip_layer=-3, clip=["4", 1]),
    "n12": node("LoraLoader", lora_name="x", model=["4", 0], clip=["4", 1]),
    "n13": node("PreviewImage", images=["14", 0]),
    "n14": node("LoadImage", image="a.png"),
    "n15": node("VAEDecode", samples=["1", 0], vae=["4", 2]),
}  # fmt: skip


def test_what_the_picture_does_not_depend_on_does_not_count():
    assert said(graph()) == USUAL
    assert said(graph(**STRAY)) == USUAL
    nodes = list(graph(**STRAY).items())
    for seed in range(5):
        random.Random(seed).shuffle(nodes)
        assert said(dict(nodes)) == USUAL
    renamed = json.dumps(graph(**STRAY))
    for number in ("15", "3", "1", "5", "2"):
        renamed = renamed.replace(f'"{number}"', f'"{number}:{number}"')
    assert said(json.loads(renamed)) == USUAL  # nodes of groups


def test_a_picture_is_read_without_a_workflow_and_without_sd_parsers(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sd_parsers", None)
    info = PngInfo()
    info.add_text("prompt", json.dumps(graph(**STRAY)))
    picture().save(tmp_path / "a.png", pnginfo=info)
    found = read_parameters(tmp_path / "a.png")

    assert found == read(graph())
    assert (found.sampler, found.schedule_type) == ("dpmpp_2m", "karras")
    assert found.others["Model"] == "v1.safetensors"


def changed(kind="3", **inputs):
    nodes = graph()
    nodes[kind]["inputs"] |= inputs
    return nodes


@pytest.mark.parametrize(
    "held",
    [
        {"20": node("PrimitiveInt", value=77)},
        {"20": node("Reroute", anything=["21", 0]), "21": node("PrimitiveInt", value=77)},
        {"20": node("PrimitiveNode", value=77, control_after_generate="fixed")},
        {"20": node("Primitive integer [Crystools]", int=77)},
        *({"20": node(kind, value=77)} for kind in ("INTConstant", "FLOATConstant", "ImpactInt")),
        *({"20": node(kind, seed=77)} for kind in ("Seed (rgthree)", "easy seed", "CR Seed")),
        {"20": node("Int Literal", int=77), "21": node("SimpleMath+", value="a+1", a=["20", 0])},
        {"20": node("Reroute", x=["21", 0]), "21": node("JWInteger", value=77)},
    ],
)
def test_values_that_are_linked_to(held):
    for name, place in (("seed", 0), ("steps", 1), ("cfg", 2)):
        found = said({**changed(**{name: ["20", 0]}), **held})
        assert found[2][place] == 77
        assert found[3] == {}
    found = said({**changed("5", width=["20", 0]), **held})
    assert found[2][3] == (77, 768)


@pytest.mark.parametrize(
    "node_",
    [
        node("IntegerMath", a=3, b=4),
        node("SimpleMath+", value="a+1", a=5),
        node("RandomInt", seed=5),
        node("FloatToInt", value=5.0),
        node("Seed Generator", seed=5),
        node("Int", value=5, step=1),
        node("整数", value=5),
        node("", value=5),
        node("IntegerMath", a=3, b=["5", 0]),
        node("Evaluate", expression="a * 2", a=["5", 0]),
        node("Reroute", anything=["20", 0]),
        node("Nothing"),
    ],
)
def test_values_that_would_have_to_be_computed_are_listed(node_):
    for names, label in (
        (("3", "seed"), "Seed"),
        (("3", "steps"), "Steps"),
        (("3", "cfg"), "CFG scale"),
        (("3", "denoise"), "denoise"),
    ):
        nodes = changed(names[0], **{names[1]: ["20", 0]})
        assert said({**nodes, "20": node_})[3][label] == f"from {node_['class_type']}"
    sized = said({**changed("5", width=["20", 0], height=["20", 0]), "20": node_})
    assert (sized[2][3], sized[3]["Size"]) == (None, f"from {node_['class_type']}")


def test_links_of_values_bring_no_picture():
    held = node("Input Parameters", seed=1, steps=2, cfg=3.0, sampler_name="euler", scheduler="x")
    nodes = {**changed(steps=["20", 1]), "20": held}
    assert said(nodes)[0] == "a cat"
    assert said(nodes)[3] == {"Steps": "from Input Parameters", "Nodes": "Input Parameters"}
    linked = {**held, "inputs": {**held["inputs"], "seed": ["21", 0]}}
    assert said({**nodes, "20": linked, "21": node("PrimitiveInt", value=4)})[0] == "a cat"

    other = graph(**STRAY)
    other["5"]["inputs"]["width"] = ["30", 0]
    other["30"] = node("GetImageSize", image=["15", 0])  # of another sampler's picture
    found = said(other)
    assert found[:2] == USUAL[:2]
    assert found[2][:3] == USUAL[2][:3]
    assert found[3]["Size"] == "from GetImageSizex768"


def test_texts_that_are_linked_to():
    held = {"20": node("PrimitiveString", value="a fox")}
    assert said({**changed("6", text=["20", 0]), **held})[0] == "a fox"
    for kind in ("StringConstantMultiline", "Text Multiline", "String Literal (Image Saver)"):
        held = {"20": node(kind, string="a fox")}
        assert said({**changed("6", text=["20", 0]), **held})[0] == "a fox"
    drawn = {"20": node("DPRandomGenerator", text="a {fox|cat}", seed=5)}
    with pytest.raises(PictureError, match="No prompt that can be read leads to its sampler"):
        said({**changed("6", text=["20", 0]), **drawn})
    joined = {"20": node("StringConcatenate", string_a="a", string_b="fox", delimiter=" ")}
    with pytest.raises(PictureError, match="No prompt that can be read leads to its sampler"):
        said({**changed("6", text=["20", 0]), **joined})
    negative = said({**changed("7", text=["20", 0]), **joined})
    assert negative[1] == ""
    assert negative[3] == {
        "Negative text": "from StringConcatenate", "Nodes": "StringConcatenate",
    }  # fmt: skip


def second_pass(**links):
    """A graph whose picture was drawn again, larger."""
    again = node(
        "KSampler", seed=6, steps=10, cfg=4.0, sampler_name="euler", scheduler="normal",
        denoise=0.5, model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["1", 0],
    )  # fmt: skip
    return graph(
        n2=again,
        n1=node("LatentUpscale", samples=["3", 0], width=1024, height=1536),
        n8=node("VAEDecode", samples=["2", 0], vae=["4", 2]),
        **links,
    )


def test_the_first_of_two_passes_is_read_and_the_other_is_listed():
    listed = {"Nodes": "KSampler, LatentUpscale"}
    assert said(second_pass()) == (*USUAL[:3], listed)

    pixels = {
        "n1": node("VAEEncode", pixels=["16", 0], vae=["4", 2]),
        "n16": node("ImageScaleBy", image=["17", 0], scale_by=2.0),
        "n17": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
    }
    assert said({**second_pass(), **{k[1:]: v for k, v in pixels.items()}}) == (
        *USUAL[:3],
        {"Nodes": "KSampler, VAEEncode, ImageScaleBy"},
    )
    own = second_pass(n20=text("a better cat"))
    own["2"]["inputs"]["positive"] = ["20", 0]
    assert said(own) == (*USUAL[:3], {"Nodes": "KSampler, LatentUpscale, CLIPTextEncode"})


def test_which_of_several_pictures_it_is():
    same = graph(n10=node("PreviewImage", images=["8", 0]))
    assert said(same) == USUAL
    between = second_pass(
        n17=node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        n0=node("PreviewImage", images=["17", 0]),
    )
    found = said(between)
    assert found[:3] == USUAL[:3]
    assert found[3]["Outputs"] == "several that differ; that of SaveImage 9 is read"
    assert found[3]["Nodes"] == "KSampler, LatentUpscale"
    shown = graph(n9=None, n10=node("PreviewImage", images=["8", 0]))
    assert said(shown) == USUAL
    sent = graph(n9=None, n40=node("SendOverTheNet", image=["8", 0]), **STRAY)
    assert said(sent) == USUAL


def test_advanced_samplers():
    inputs = graph()["3"]["inputs"]
    inputs = {k: v for k, v in inputs.items() if k not in {"seed", "denoise"}} | {"noise_seed": 5}
    whole = {
        "add_noise": "enable", "start_at_step": 0, "end_at_step": 10000,
        "return_with_leftover_noise": "disable",
    }  # fmt: skip
    base = node("KSamplerAdvanced", **inputs, **whole)
    assert said(graph(n3=base)) == USUAL
    base["inputs"] |= {"end_at_step": 16, "return_with_leftover_noise": "enable"}
    cut = {"end_at_step": "16", "return_with_leftover_noise": "enable"}
    assert said(graph(n3=base)) == (*USUAL[:3], cut)

    refined = node("KSamplerAdvanced", **{**inputs, "latent_image": ["3", 0], "noise_seed": 9})
    refined["inputs"] |= {"add_noise": "disable", "start_at_step": 16, "end_at_step": 10000}
    decode = node("VAEDecode", samples=["2", 0], vae=["4", 2])
    assert said(graph(n2=refined, n3=base, n8=decode)) == (
        *USUAL[:3],
        {**cut, "Nodes": "KSamplerAdvanced"},
    )
    assert said(graph(n3=refined | {"inputs": {**refined["inputs"], "latent_image": ["5", 0]}}))[
        3
    ] == {"add_noise": "disable", "start_at_step": "16"}


def custom(**changed_):
    nodes = {
        "n3": node("SamplerCustomAdvanced", noise=["20", 0], guider=["21", 0], sampler=["22", 0],
                   sigmas=["23", 0], latent_image=["5", 0]),
        "n20": node("RandomNoise", noise_seed=5),
        "n21": node("CFGGuider", model=["4", 0], positive=["6", 0], negative=["7", 0], cfg=8.0),
        "n22": node("KSamplerSelect", sampler_name="dpmpp_2m"),
        "n23": node("BasicScheduler", model=["4", 0], scheduler="karras", steps=20, denoise=1.0),
    }  # fmt: skip
    return graph(**{**nodes, **changed_})


def test_samplers_of_several_nodes():
    assert said(custom()) == USUAL
    assert said(custom(**STRAY)) == USUAL
    assert read(custom()) == read(graph())
    basic = node("BasicGuider", model=["4", 0], conditioning=["6", 0])
    found = said(custom(n21=basic))
    assert found == ("a cat", "", (5, 20, 1.0, (512, 768), 1), {})

    split = {"n23": node("SplitSigmas", sigmas=["24", 0], step=10)}
    split["n24"] = custom()["23"]
    assert said(custom(**split)) == (*USUAL[:3], {"Nodes": "SplitSigmas"})
    own = custom(
        n20=node("DisableNoise"),
        n22=node("SamplerEulerAncestral", eta=1.0, s_noise=1.0),
        n23=node("KarrasScheduler", steps=20, sigma_max=14.6, sigma_min=0.03, rho=7.0),
    )
    assert read(own).sampler == "SamplerEulerAncestral"
    assert said(own)[2] == (None, 20, 8.0, (512, 768), 1)
    assert said(own)[3] == {"Nodes": "DisableNoise, SamplerEulerAncestral, KarrasScheduler"}
    dual = node(
        "DualCFGGuider", model=["4", 0], cond1=["6", 0], cond2=["10", 0], negative=["7", 0],
        cfg_conds=8.0, cfg_cond2_negative=8.0,
    )  # fmt: skip
    found = said(custom(n21=dual, n10=text("a fox")))
    assert found[:2] == ("a cat, a fox", "dog")
    assert found[3] == {"Nodes": "DualCFGGuider"}
    plain = node(
        "SamplerCustom", model=["4", 0], add_noise=True, noise_seed=5, cfg=8.0, positive=["6", 0],
        negative=["7", 0], sampler=["22", 0], sigmas=["23", 0], latent_image=["5", 0],
    )  # fmt: skip
    assert said(custom(n3=plain)) == USUAL
    plain["inputs"]["add_noise"] = False
    assert said(custom(n3=plain))[3] == {"add_noise": "False"}


def test_what_changes_conditioning_is_listed_and_keeps_its_side():
    control = node(
        "ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], control_net=["31", 0],
        image=["32", 0], strength=1.0,
    )  # fmt: skip
    more = {"31": node("ControlNetLoader", control_net_name="c"), "30": control}
    more["32"] = node("LoadImage", image="x.png")
    nodes = {**changed(positive=["30", 0], negative=["30", 1]), **more}
    assert said(nodes) == (
        *USUAL[:3], {"Nodes": "ControlNetLoader, ControlNetApplyAdvanced, LoadImage"}
    )  # fmt: skip
    swapped = {**changed(positive=["30", 1], negative=["30", 0]), **more}
    assert said(swapped)[:2] == ("dog", "a cat")

    zero = {"30": node("ConditioningZeroOut", conditioning=["6", 0])}
    assert said({**changed(negative=["30", 0]), **zero}) == (
        "a cat", "", USUAL[2], {"Nodes": "ConditioningZeroOut"}
    )  # fmt: skip
    both = {"30": node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["31", 0])}
    both["31"] = text("a hat")
    assert said({**changed(positive=["30", 0]), **both})[0] == "a cat, a hat"
    pair = {"6": node("CLIPTextEncodeSDXL", text_g="a cat", text_l="a cat", width=64, height=64,
                      clip=["4", 1])}  # fmt: skip
    assert said({**graph(), **pair}) == (*USUAL[:3], {"Nodes": "CLIPTextEncodeSDXL"})
    pair["6"]["inputs"]["text_l"] = "fur"
    assert said({**graph(), **pair})[3]["text_l"] == "fur"


def test_models_sizes_and_layers():
    lora = {"30": node("LoraLoader", lora_name="x", model=["4", 0], clip=["4", 1])}
    assert said({**changed(model=["30", 0]), **lora}) == (*USUAL[:3], {"Nodes": "LoraLoader"})
    assert read({**changed(model=["30", 0]), **lora}).others["Model"] == "v1.safetensors"
    merged = {"30": node("ModelMergeSimple", model1=["4", 0], model2=["31", 0], ratio=0.5)}
    merged["31"] = node("CheckpointLoaderSimple", ckpt_name="v2")
    found = read({**changed(model=["30", 0]), **merged})
    assert found.others["Model"] == "from ModelMergeSimple"

    scaled = {"30": node("LatentUpscale", samples=["5", 0], width=64, height=128)}
    found = said({**changed(latent_image=["30", 0]), **scaled})
    assert found[2][3] == (64, 128)
    assert found[3] == {"Nodes": "EmptyLatentImage, LatentUpscale"}
    drawn = {"30": node("VAEEncode", pixels=["31", 0], vae=["4", 2])}
    drawn["31"] = node("LoadImage", image="x.png")
    found = said({**changed(latent_image=["30", 0], denoise=0.6), **drawn})
    assert found[2][3] is None
    assert found[3] == {"denoise": "0.6", "Nodes": "VAEEncode, LoadImage"}

    stop = {"30": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["4", 1])}
    nodes = {**graph(), **stop}
    nodes["6"] = text("a cat", "30")
    assert said(nodes)[3] == {"Clip skip": "2 for the prompt, 1 for the negative"}
    nodes["7"] = text("dog", "30")
    assert said(nodes) == ("a cat", "dog", (*USUAL[2][:4], 2), {})


def test_a_loader_that_encodes():
    loader = node(
        "Efficient Loader", ckpt_name="v2", clip_skip=-2, positive="a cat", negative="dog",
        empty_latent_width=512, empty_latent_height=768, batch_size=1,
    )  # fmt: skip
    links = {"model": ["4", 0], "positive": ["4", 1], "negative": ["4", 2]}
    nodes = changed(**links, latent_image=["4", 3])
    nodes = {number: nodes[number] for number in ("3", "8", "9")} | {"4": loader}
    assert said(nodes) == (*USUAL[:2], (*USUAL[2][:4], 2), {"Nodes": "Efficient Loader"})
    assert read(nodes).others["Model"] == "v2"
    piped = {k: v for k, v in nodes["3"]["inputs"].items() if k not in {"positive", "negative"}}
    nodes["3"] = node("KSampler (pipe)", **piped, pipe=["4", 5])
    assert said(nodes)[:2] == USUAL[:2]
    assert said(nodes)[3] == {"Nodes": "KSampler (pipe), Efficient Loader"}


def test_batches_are_listed():
    found = read(changed("5", batch_size=4))
    assert found.others["batch_size"] == "one picture of 4"
    pipe = attach(tiny_sd())
    assert "batch_size: one picture of 4" in found.not_honoured(pipe)
    assert not [line for line in read(graph()).not_honoured(pipe) if "batch" in line]


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (graph(n9=None, n8=None, n3=None), "No sampler leads to a node there that saves"),
        ({**changed("8", samples=["2", 0]), "2": graph()["5"]}, "No sampler leads to"),
        (changed(positive=["99", 0]), "No prompt that can be read"),
        (changed("6", text=["99", 0]), "No prompt that can be read"),
    ],
)
def test_what_cannot_be_read_says_so(nodes, why):
    if "3" in nodes and "8" in nodes and nodes["8"]["inputs"]["samples"] == ["2", 0]:
        del nodes["3"]
    with pytest.raises(PictureError, match=why):
        read(nodes)


def test_any_graph_is_read_or_refused():
    """Damaged ones, too: links to nowhere, values of any kind, circles."""
    kinds = [*{each["class_type"] for each in {**graph(), **custom()}.values()}, None, 5]
    inputs = {name for each in {**graph(), **custom()}.values() for name in each["inputs"]}
    values = [None, True, 1, -2.5, 1e400, 10**30, "", "a cat", [], [1], ["3"], [None, 0], {"a": 1}]
    n_read = 0
    for seed in range(400):
        chance, n = random.Random(seed), 1 + seed % 12
        nodes = graph() if seed % 2 else {}
        for _ in range(n):
            link = [str(chance.randrange(12)), chance.randrange(3)]
            own = {
                name: chance.choice([*values, link, link, link])
                for name in chance.sample(sorted(inputs), chance.randrange(8))
            }
            number = str(chance.randrange(12))
            old = nodes.get(number, {}).get("inputs", {})
            nodes[number] = {"class_type": chance.choice(kinds), "inputs": {**old, **own}}
        try:
            found = read(nodes)
        except PictureError:
            continue
        n_read += 1
        assert all(isinstance(value, str) for value in found.others.values())
    assert n_read > 20


def test_graphs_in_a_circle_and_deep_ones_end():
    circle = changed(latent_image=["8", 0], model=["30", 0], positive=["31", 0])
    circle["30"] = node("LoraLoader", model=["30", 0])
    circle["31"] = node("ConditioningCombine", conditioning_1=["31", 0], conditioning_2=["6", 0])
    circle["6"]["inputs"]["clip"] = ["32", 0]
    circle["32"] = node("LoraLoader", clip=["32", 1])
    assert said(circle)[0] == "a cat"
    deep = graph(n8=node("VAEDecode", samples=["100", 0]))
    for i in range(100, 5000):
        deep[str(i)] = node("LatentFlip", samples=[str(i + 1) if i < 4999 else "3", 0])
    assert said(deep) == (*USUAL[:3], {"Nodes": "4900 x LatentFlip"})

    many = changed(positive=["100", 0])  # texts by the thousand, with one long chain of encoders
    for i in range(100, 3100):
        many[str(i)] = node("ConditioningCombine", a=[str(i + 1), 0], b=[f"t{i}", 0])
        many[f"t{i}"] = text(f"cat {i}", "c100")
        many[f"c{i}"] = node("LoraLoader", clip=[f"c{i + 1}", 1])
    found = read(many)
    assert (found.prompt.count("cat"), found.clip_skip) == (3000, 1)
