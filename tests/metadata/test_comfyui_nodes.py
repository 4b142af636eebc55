"""Which nodes of ComfyUI give the settings of a picture, and which are listed."""

from clipcond import attach
from tests.metadata.comfyui_graphs import (
    STRAY,
    USUAL,
    changed,
    custom,
    graph,
    node,
    read,
    said,
    text,
)
from tests.pipelines.models import tiny_sd


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
    assert found[3] == {"Joined texts": "DualCFGGuider", "Nodes": "DualCFGGuider"}
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
