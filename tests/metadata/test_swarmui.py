"""JSON of SwarmUI is read as parameters, and JSON of tools that are not known is refused."""

import json

import pytest
from PIL.PngImagePlugin import PngInfo

from clipcond import attach
from clipcond.errors import PictureError
from clipcond.metadata import Parameters, read_parameters, save_picture
from tests.metadata.comfyui_graphs import graph
from tests.metadata.test_pictures import exif, picture
from tests.pipelines.models import tiny_sd

SWARM = {
    "prompt": "a (red:1.3) cat\nin the rain", "negativeprompt": "dog", "model": "Official/sd_xl",
    "seed": 5, "steps": 20, "cfgscale": 7.5, "aspectratio": "1:1", "width": 512, "height": 768,
    "sampler": "dpmpp_2m", "scheduler": "karras", "images": 1, "automaticvae": True,
    "swarm_version": "0.9.3.1",
}  # fmt: skip
EXPECTED = Parameters(
    "a (red:1.3) cat\nin the rain", "dog", 20, "dpmpp_2m", "karras", 7.5, 5, (512, 768), 1,
    {"Model": "Official/sd_xl", "Dialect": "comfyui", "Generator": "SwarmUI"},
)  # fmt: skip


def swarm(indent=None, **changed):
    own = {name: value for name, value in {**SWARM, **changed}.items() if value is not None}
    return json.dumps({"sui_image_params": own, "sui_extra_data": {"date": "x"}}, indent=indent)


def test_swarmui_as_text_and_in_pictures(tmp_path):
    texts = {name: str(value) for name, value in SWARM.items()}
    for written in (swarm(), swarm(2), f"\n{swarm(1)}\n", swarm(**texts)):
        assert read_parameters(written) == EXPECTED
    info = PngInfo()
    info.add_itxt("parameters", swarm(2))
    picture().save(tmp_path / "a.png", pnginfo=info)
    comment = b"UNICODE\0" + swarm().encode("utf-16-be")
    picture().save(tmp_path / "a.jpg", exif=exif(comment))
    (tmp_path / "a.txt").write_text(swarm())
    for ending in ("png", "jpg", "txt"):
        found = read_parameters(tmp_path / f"a.{ending}")
        assert (found.prompt, found.negative, found.seed) == (EXPECTED.prompt, "dog", 5), ending
        assert found.others == EXPECTED.others, ending


def test_what_else_swarmui_did_is_listed():
    more = {"loras": ["x"], "loraweights": ["0.5"], "refinerupscale": 2, "variationseed": "7"}
    found = read_parameters(swarm(**more, images=4))
    listed = found.not_honoured(attach(tiny_sd(), dialect="comfyui"))
    for line in ('loras: ["x"]', "refinerupscale: 2", "variationseed: 7", "images: 4"):
        assert line in listed
    assert read_parameters(swarm(clipstopatlayer=-2)).clip_skip == 2
    assert read_parameters(swarm(clipstopatlayer="-2")).clip_skip == 2
    odd = read_parameters(swarm(clipstopatlayer=3, seed="x", width=None))
    assert (odd.clip_skip, odd.seed, odd.size) == (None, None, None)
    assert odd.others["Clip skip"] == "layer 3"
    assert odd.others["aspectratio"] == "1:1"
    assert read_parameters('{"sui_image_params": {}}').prompt == ""


def test_null_is_as_if_it_was_left_out():
    for names in (["prompt"], ["negativeprompt", "width"], ["clipstopatlayer", "seed", "x"], SWARM):
        own = {name: value for name, value in SWARM.items() if name not in names}
        nulls = json.dumps({"sui_image_params": {**own, **dict.fromkeys(names)}})
        assert read_parameters(nulls) == read_parameters(json.dumps({"sui_image_params": own}))
    assert read_parameters(nulls).prompt == read_parameters(nulls).negative == ""
    assert read_parameters(swarm(prompt=["a", None])).prompt == '["a", null]'


def test_damaged_json_in_a_picture_names_the_picture(tmp_path):
    swarms = (swarm()[:-9], swarm()[:-9] + "}", swarm().replace(":", ";", 3))
    for damaged, tool, name in (
        *((each, "SwarmUI", name) for each in swarms for name in ("a.png", "a.jpg", "a.webp")),
        (json.dumps(graph())[:-5].rstrip("}"), "ComfyUI", "a.png"),
    ):
        save_picture(picture().convert("RGB"), tmp_path / name, damaged)
        with pytest.raises(PictureError) as caught:
            read_parameters(tmp_path / name)
        shown = f"the text in {str(tmp_path / name)!r} is {tool}'s JSON, but is damaged\n"
        assert str(caught.value).startswith(f"{shown}Use the picture's first file.")
        assert caught.value.path == tmp_path / name
        assert "Copy" not in str(caught.value)
    (tmp_path / "a.txt").write_text(swarm()[:-9])
    with pytest.raises(PictureError) as caught:
        read_parameters(tmp_path / "a.txt")
    assert str(caught.value) == (
        f"{str(tmp_path / 'a.txt')!r} is SwarmUI's JSON, but is damaged\nCopy it again, all of it."
    )


def test_what_swarmui_leaves_out_is_the_pipelines_own():
    pipe = attach(tiny_sd(), dialect="comfyui")

    def left_out(**changed):
        found = read_parameters(swarm(model=None, sampler="euler", **changed))
        return [line for line in found.not_honoured(pipe) if line != "aspectratio: 1:1"]

    assert left_out() == []
    spaced = "No schedule type is given: noise levels are spaced evenly."
    assert left_out(scheduler=None) == [spaced]
    assert left_out(cfgscale=None) == ["No CFG scale is given: the pipeline's own is used."]
    assert left_out(steps=None) == ["No steps are given: the pipeline's own number is used."]
    bare = read_parameters(swarm(model=None, sampler=None, scheduler=None, cfgscale=None))
    assert bare.not_honoured(pipe) == [
        "No CFG scale is given: the pipeline's own is used.",
        "No sampler is given: the pipeline's DDIM is used.",
    ]
    odd = read_parameters(swarm(model=None, sampler="euler", cfgscale="high"))
    assert odd.not_honoured(pipe) == ["CFG scale: high"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (swarm()[:-9] + "}", "SwarmUI's JSON, but is damaged"),
        ('{"prompt": "a cat", "steps": 20}', "JSON of another tool"),
        ('{"sui_image_params": "a cat"}', "JSON of another tool"),
        ('\n{"positive": "cat",\n "negative": "dog"}', "JSON of another tool"),
    ],
)
def test_json_that_cannot_be_read_is_no_prompt(text, why):
    with pytest.raises(PictureError, match=why):
        read_parameters(text)


@pytest.mark.parametrize(
    "text", ["{a|b} cat", "{}", "{cat}", '{"a"}', "{a: b}", "a {red:1.3} cat", '["a", "b"]', "{"]
)
def test_templates_are_prompts(text):
    assert read_parameters(text).prompt == text
