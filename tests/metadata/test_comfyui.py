"""A picture of ComfyUI is read along the links of its graph, never from nodes that it ignores."""

import json
import random

import pytest
from PIL.PngImagePlugin import PngInfo

from clipcond.errors import PictureError
from clipcond.metadata import read_parameters
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
from tests.metadata.test_pictures import picture


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
