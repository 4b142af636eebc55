"""How the nodes of a graph read its texts: the dialect where they say it, else a clear sentence."""

import json

import pytest

from clipcond import attach
from clipcond.metadata import read_parameters
from tests.metadata.comfyui_graphs import changed, graph, node, read, text
from tests.pipelines.models import tiny_sd

KINDS = ("Dialect", "Encoder", "Encoder weights", "Other dialects")
SMZ = {"mean_normalization": True, "multi_conditioning": True, "with_SDXL": False, "text_g": "",
       "use_old_emphasis_implementation": False, "text_l": "", "smZ_steps": 1}  # fmt: skip
WORDS = "a (red:1.3) apple BREAK [x]"


@pytest.fixture(scope="module")
def pipes():
    return {name: attach(tiny_sd(), dialect=name) for name in ("a1111", "comfyui", "compel")}


def encoded(kind, kind_of_negative=None, **inputs):
    """A graph whose texts are encoded by nodes of a kind."""
    own = {"clip": ["4", 1], **inputs}
    negative = node(kind_of_negative, text="dog", **own) if kind_of_negative else text("dog")
    return graph(n6=node(kind, text=WORDS, **own), n7=negative)


def smz(parser, **more):
    return encoded("smZ CLIPTextEncode", "smZ CLIPTextEncode", parser=parser, **{**SMZ, **more})


def how(nodes):
    others = read(nodes).others
    return tuple(others.get(name) for name in KINDS)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (smz("A1111"), ("a1111", None, None, None)),
        (smz("a1111"), ("a1111", None, None, None)),
        (smz("compel"), ("compel", None, None, None)),
        (smz("comfy"), ("comfyui", None, None, None)),
        *(
            (smz(name), ("comfyui", f"smZ CLIPTextEncode with parser={name}", None, None))
            for name in ("full", "comfy++", "fixed attention", "new")
        ),
        (
            {**smz(["20", 0]), "20": node("Pick", a=1)},
            ("comfyui", "smZ CLIPTextEncode with parser=from Pick", None, None),
        ),
        ({**smz(["20", 0]), "20": node("PrimitiveString", value="A1111")}, ("a1111", *[None] * 3)),
        (
            smz("A1111", mean_normalization=False, use_old_emphasis_implementation=True),
            (
                "a1111", None, "smZ CLIPTextEncode with mean_normalization=False, "
                "use_old_emphasis_implementation=True", None,
            ),
        ),
        (smz("comfy", mean_normalization=False), ("comfyui", None, None, None)),
        (
            encoded("BNK_CLIPTextEncodeAdvanced", weight_interpretation="A1111",
                    token_normalization="none"),
            ("comfyui", None, "BNK_CLIPTextEncodeAdvanced with weight_interpretation=A1111", None),
        ),
        (
            encoded("BNK_CLIPTextEncodeAdvanced", weight_interpretation="comfy",
                    token_normalization="none"),
            ("comfyui", None, None, None),
        ),
        (
            encoded("CLIPTextEncode (BlenderNeko Advanced)", weight_interpretation="comfy++",
                    token_normalization="mean"),
            (
                "comfyui", None, "CLIPTextEncode (BlenderNeko Advanced) with "
                "weight_interpretation=comfy++, token_normalization=mean", None,
            ),
        ),
        (encoded("PCLazyTextEncode"), ("comfyui", "PCLazyTextEncode", None, None)),
        (
            encoded("smZ CLIPTextEncode", parser="A1111", **SMZ),
            ("a1111", None, None, "comfyui (CLIPTextEncode)"),
        ),
        (graph(), ("comfyui", None, None, None)),
    ],
)  # fmt: skip
def test_the_dialect_that_a_node_reads(nodes, expected):
    assert how(nodes) == expected


def test_a_loader_says_how_its_texts_are_weighed():
    settings = {"positive_weight_interpretation": "A1111", "positive_token_normalization": "none",
                "negative_weight_interpretation": "comfy"}  # fmt: skip
    loader = node("easy fullLoader", ckpt_name="v2", positive="a cat", negative="dog", **settings)
    links = {"model": ["4", 0], "positive": ["4", 1], "negative": ["4", 2]}
    nodes = {**changed(**links), "4": loader}
    shown = "easy fullLoader with positive_weight_interpretation=A1111"
    assert how(nodes) == ("comfyui", None, shown, None)
    settings["positive_weight_interpretation"] = "comfy"
    nodes["4"]["inputs"] |= settings
    assert how(nodes) == ("comfyui", None, None, None)


def said(nodes, pipe):
    """What is said of dialects, also after the parameters were written as text."""
    found = read(nodes)
    words = ("dialect", "Dialects:", "Encoder:", "Weights:")
    lines = [line for line in found.not_honoured(pipe) if any(each in line for each in words)]
    again = read_parameters(found.text()).not_honoured(pipe)
    assert [line for line in again if any(each in line for each in words)] == lines
    return lines


UNKNOWN = (
    "Encoder: {}; how it reads brackets and weights is not followed, they are read as this "
    "pipeline does."
)
UNLIKE = (
    "Weights: BNK_CLIPTextEncodeAdvanced with weight_interpretation=A1111; that is not followed, "
    "they act as this pipeline's do."
)


def test_no_remedy_makes_the_reading_wrong(pipes):
    found = {name: said(smz("A1111"), pipe) for name, pipe in pipes.items()}
    remedy = 'The prompt is in the dialect a1111; this pipeline reads {}. Say dialect="a1111".'
    assert found == {
        "a1111": [], "comfyui": [remedy.format("comfyui")], "compel": [remedy.format("compel")],
    }  # fmt: skip
    mismatch = "The prompt is in the dialect comfyui; this pipeline reads {}."
    weighed = encoded("BNK_CLIPTextEncodeAdvanced", weight_interpretation="A1111")
    for nodes, line in (
        (weighed, UNLIKE),
        (smz("full"), UNKNOWN.format("smZ CLIPTextEncode with parser=full")),
        (encoded("PCLazyTextEncode"), UNKNOWN.format("PCLazyTextEncode")),
    ):
        assert said(nodes, pipes["comfyui"]) == [line]
        [*others, last] = said(nodes, pipes["a1111"])
        assert (others, last) == ([mismatch.format("a1111")] * (nodes is weighed), line)
    mixed = encoded("smZ CLIPTextEncode", parser="A1111", **SMZ)
    assert said(mixed, pipes["a1111"]) == [
        "Dialects: some of the texts are in comfyui (CLIPTextEncode); all are read as this "
        "pipeline does."
    ]


@pytest.mark.parametrize("kind", ["TextEncodeQwenImageEdit", "CLIPTextEncodeKandinsky5", "Mine"])
def test_what_is_said_of_an_encoder_is_true_of_comfyuis_own_too(pipes, kind):
    """ComfyUI's own nodes for other models are no riddle: their way is not followed here."""
    nodes = changed(positive=["30", 0])
    nodes["30"] = node(kind, prompt="a cat", clip=["4", 1])
    lines = [each for each in read(nodes).not_honoured(pipes["comfyui"]) if "Encoder" in each]
    assert lines == [UNKNOWN.format(kind)]
    assert "known" not in lines[0]


def test_which_texts_of_a_node_count():
    words = {"text": "stale", "text_g": "castle", "text_l": "stone"}
    nodes = smz("A1111")
    nodes["6"]["inputs"] |= {**words, "with_SDXL": True}
    found = read(nodes)
    assert (found.prompt, found.others["text_l"], "text" in found.others) == (
        "castle", "stone", False
    )  # fmt: skip
    nodes["6"]["inputs"]["with_SDXL"] = False
    found = read(nodes)
    assert (found.prompt, {"text", "text_g", "text_l"} & {*found.others}) == ("stale", set())


def joined(kind, *texts, dialect="comfy", **inputs):
    """A graph whose texts, encoded by one dialect's nodes, come together in a node."""
    nodes = changed(positive=["30", 0])
    nodes["7"] = node("smZ CLIPTextEncode", text="dog", parser=dialect, **SMZ)
    links = {f"conditioning_{i}": [str(40 + i), 0] for i in range(len(texts))}
    nodes["30"] = node(kind, **links, **inputs)
    for i, each in enumerate(texts):
        nodes[str(40 + i)] = node("smZ CLIPTextEncode", text=each, parser=dialect, **SMZ)
    return nodes


HERE = "its texts are joined by commas here"
COMBINED = f"{HERE}; ComfyUI draws with each of them, and nearest to that is AND of dialect a1111."
CHUNKED = (
    f"{HERE}; ComfyUI encodes each in chunks of its own, and nearest to that is BREAK of dialect "
    "a1111."
)
MIXED = f"{HERE}; ComfyUI mixes their embeddings, and its strength is not applied."


@pytest.mark.parametrize(
    ("kind", "inputs", "line"),
    [
        ("ConditioningCombine", {}, f"ConditioningCombine: {COMBINED}"),
        ("ConditioningConcat", {}, f"ConditioningConcat: {CHUNKED}"),
        (
            "ConditioningAverage",
            {"conditioning_to_strength": 0.5},
            f"ConditioningAverage with conditioning_to_strength=0.5: {MIXED}",
        ),
        ("Join", {}, f"Join: {HERE}; what the node makes of them is not followed."),
    ],
)
def test_texts_that_come_together_are_said(pipes, kind, inputs, line):
    nodes = joined(kind, "a cat", "a hat", **inputs)
    found = read(nodes)
    assert found.prompt == "a cat, a hat"
    assert found.not_honoured(pipes["comfyui"]).count(line) == 1
    again = read_parameters(found.text())
    assert again.not_honoured(pipes["comfyui"]).count(line) == 1
    nodes["3"]["inputs"] |= {"positive": ["7", 0], "negative": ["30", 0]}
    turned = read(nodes)
    assert (turned.prompt, turned.negative) == ("dog", "a cat, a hat")
    there = line.replace(":", " (negative):", 1)
    assert [each for each in turned.not_honoured(pipes["comfyui"]) if HERE in each] == [there]


ONE = "what it joins to its first text, such as zeros or the same text, is left out here"


def lines_of(found, pipe):
    """What is said of nodes that join, without commas where there is one text."""
    lines = [each for each in found.not_honoured(pipe) if ONE in each or HERE in each]
    assert lines == [line for line in lines if (HERE in line) == (", " in found.prompt)]
    return lines


def test_what_an_empty_text_or_zeros_are_mixed_into_is_said_too(pipes):
    nodes = joined("ConditioningAverage", "a cat", "", conditioning_to_strength=0.25)
    zeros = node("ConditioningZeroOut", conditioning=["40", 0])
    for other in (nodes["41"], zeros):
        found = read({**nodes, "41": other})
        assert found.prompt == "a cat"
        shown = "ConditioningAverage with conditioning_to_strength=0.25"
        line = f"{shown}: {MIXED.replace(HERE, ONE)}"
        assert lines_of(found, pipes["comfyui"]) == [line]
        assert lines_of(read_parameters(found.text()), pipes["comfyui"]) == [line]
    for dialect, kind, said in (
        ("A1111", "ConditioningConcat", CHUNKED),
        ("comfy", "ConditioningConcat", CHUNKED),
        ("comfy", "ConditioningCombine", COMBINED),
    ):
        pipe = pipes["a1111" if dialect == "A1111" else "comfyui"]
        found = read({**joined(kind, "a cat", "", dialect=dialect), "41": zeros})
        assert found.prompt == "a cat"
        assert lines_of(found, pipe) == [f"{kind}: {said.replace(HERE, ONE)}"]
    three = {**joined("ConditioningConcat", "a cat", "", "a hat", dialect="A1111"), "41": zeros}
    assert read(three).prompt == "a cat, a hat"
    assert lines_of(read(three), pipes["a1111"]) == [f"ConditioningConcat: {CHUNKED}"]


@pytest.mark.parametrize("dialect", ["comfy", "A1111"])
def test_one_text_that_comes_several_ways(pipes, dialect):
    """Drawn with twice or mixed it is as once; behind itself it is longer."""
    pipe = pipes["a1111" if dialect == "A1111" else "comfyui"]
    ranges = {str(40 + i): node("ConditioningSetTimestepRange", conditioning=["45", 0], start=i / 2)
              for i in range(2)}  # fmt: skip
    for kind, is_longer in (
        ("ConditioningCombine", False),
        ("ConditioningAverage", False),
        ("ConditioningConcat", True),
    ):
        nodes = joined(kind, "a cat", "a cat", dialect=dialect)
        for each in (nodes, {**nodes, "45": nodes["40"], **ranges}):
            found = read(each)
            assert found.prompt == "a cat"
            line = f"{kind}: {CHUNKED.replace(HERE, ONE)}"
            assert lines_of(found, pipe) == ([line] if is_longer else [])
    assert not lines_of(read(joined("ConditioningCombine", "", "", dialect=dialect)), pipe)


def test_nodes_that_one_text_passes_join_nothing():
    nodes = changed(positive=["30", 0])
    nodes["30"] = node("ControlNetApply", conditioning=["31", 0], control_net=["6", 0])
    nodes["31"] = node("Styled", conditioning=["6", 0], style=["4", 0], again=["6", 0])
    assert not [name for name in read(nodes).others if "oined" in name]


def test_chunks_of_their_own_are_break_where_the_dialect_has_it(pipes):
    found = read(joined("ConditioningConcat", "a cat", "a hat", "fur", dialect="A1111"))
    assert found.prompt == "a cat BREAK a hat BREAK fur"
    assert not [line for line in found.not_honoured(pipes["a1111"]) if "Conditioning" in line[:12]]
    for kind, texts in (
        ("ConditioningConcat", ("a cat AND a dog", "a hat")),  # BREAK would be of the dog alone
        ("ConditioningConcat", ("a cat", "a cat", "a hat")),
        ("ConditioningCombine", ("a cat", "a hat")),
    ):
        nodes = joined(kind, *texts, dialect="A1111")
        assert read(nodes).prompt == ", ".join(dict.fromkeys(texts))
        assert [line for line in read(nodes).not_honoured(pipes["a1111"]) if HERE in line]


def test_any_values_of_these_settings_are_read():
    for value in (None, True, 5, [], ["3"], {"a": 1}, ["4", 0], "x" * 500):
        nodes = json.loads(json.dumps(smz(value, mean_normalization=value, with_SDXL=value)))
        others = read(nodes).others
        assert all(isinstance(each, str) for each in others.values())
        assert others["Encoder"].startswith("smZ CLIPTextEncode with parser=")
