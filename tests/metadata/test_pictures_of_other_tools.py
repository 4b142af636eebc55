"""Pictures that other tools saved are read, with sd-parsers where it knows them."""

import json

import pytest
from PIL.PngImagePlugin import PngInfo

from clipcond.errors import PictureError
from clipcond.metadata import read_parameters
from tests.metadata.test_pictures import picture


def tools(folder):
    """Pictures as other tools write them, by the tool's name."""
    nodes = {
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 5, "steps": 20, "cfg": 8.0, "sampler_name": "dpmpp_2m", "scheduler": "karras",
            "denoise": 1.0, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
            "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a (red:1.3) cat"}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog"}},
    }  # fmt: skip
    invoke = {
        "app_version": "3.0.1", "positive_prompt": "a (cat)1.3", "negative_prompt": "dog",
        "width": 512, "height": 768, "seed": 5, "cfg_scale": 8, "steps": 20, "scheduler": "euler",
        "model": {"model_name": "x", "base_model": "sd-1"},
    }  # fmt: skip
    novel = {"steps": 20, "sampler": "k_euler", "seed": 5, "scale": 8.0, "uc": "dog"}
    fooocus = {
        "prompt": "a cat", "negative_prompt": "dog", "steps": 20, "resolution": "(512, 768)",
        "guidance_scale": 8.0, "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "5",
        "base_model": "x", "base_model_hash": "aa", "loras": [], "metadata_scheme": "fooocus",
    }  # fmt: skip
    texts = {
        "ComfyUI": {"prompt": nodes, "workflow": {"nodes": [], "links": []}},
        "InvokeAI": {"invokeai_metadata": invoke},
        "NovelAI": {"Software": "NovelAI", "Title": "AI generated image", "Source": "x",
                    "Description": "a cat", "Comment": novel},
        "Fooocus": {"parameters": fooocus, "fooocus_scheme": "fooocus"},
    }  # fmt: skip
    for tool, chunks in texts.items():
        info = PngInfo()
        for name, value in chunks.items():
            info.add_text(name, value if isinstance(value, str) else json.dumps(value))
        path = folder / f"{tool}.png"
        picture().save(path, pnginfo=info)
        yield tool, path


def test_pictures_of_other_tools_through_sd_parsers(tmp_path):
    samplers = {"ComfyUI": "dpmpp_2m", "InvokeAI": "euler", "NovelAI": "k_euler"}
    prompts = {"ComfyUI": "a (red:1.3) cat", "InvokeAI": "a (cat)1.3"}
    dialects = {"ComfyUI": "comfyui", "InvokeAI": "compel", "Fooocus": "a1111",
                "NovelAI": "novelai"}  # fmt: skip
    for tool, path in tools(tmp_path):
        found = read_parameters(path)
        assert (found.prompt, found.negative) == (prompts.get(tool, "a cat"), "dog"), tool
        assert (found.steps, found.guidance, found.seed) == (20, 8.0, 5), tool
        assert found.sampler == samplers.get(tool, "dpmpp_2m_sde_gpu"), tool
        assert found.size == (None if tool == "NovelAI" else (512, 768)), tool
        assert found.others.get("Dialect") == dialects.get(tool), tool
        assert found.clip_skip == (1 if tool in {"ComfyUI", "InvokeAI"} else None), tool
        assert found.others["Generator"] == tool


def test_without_sd_parsers_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sd_parsers", None)
    for tool, path in tools(tmp_path):
        if tool == "ComfyUI":
            assert read_parameters(path).prompt == "a (red:1.3) cat"
            continue
        with pytest.raises(PictureError, match=r"pip install \"clipcond\[metadata\]\""):
            read_parameters(path)
    picture().save(tmp_path / "bare.png")
    with pytest.raises(PictureError, match="does not say how it was made"):
        read_parameters(tmp_path / "bare.png")


@pytest.mark.parametrize("installed", [True, False])
def test_a_workflow_alone_is_not_for_sd_parsers(tmp_path, monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(__import__("sys").modules, "sd_parsers", None)
    path = tmp_path / "a.png"
    for texts in ({}, {"prompt": '{"3": {"class_ty'}, {"prompt": "{}"}):
        info = PngInfo()
        for name, value in {"workflow": '{"nodes": [], "links": []}', **texts}.items():
            info.add_text(name, value)
        picture().save(path, pnginfo=info)
        with pytest.raises(PictureError) as caught:
            read_parameters(path)
        assert str(caught.value) == (
            f"{str(path)!r} has the workflow of ComfyUI's page, but not the graph that its API "
            "takes\nOpen it in ComfyUI, choose Export (API), and give what that writes."
        )


def comfy(path, nodes, **texts):
    info = PngInfo()
    for name, value in {"prompt": nodes, "workflow": {"links": []}, **texts}.items():
        info.add_text(name, json.dumps(value))
    picture().save(path, pnginfo=info)


def test_what_else_comfyui_did_is_listed(tmp_path):
    inputs = {
        "seed": 5, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal",
        "denoise": 1.0, "model": ["8", 0], "positive": ["6", 0], "negative": ["7", 0],
    }  # fmt: skip
    nodes = {
        "3": {"class_type": "KSampler", "inputs": inputs},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["9", 0]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog", "clip": ["9", 0]}},
        "8": {"class_type": "LoraLoader", "inputs": {"lora_name": "x", "model": ["4", 0]}},
        "9": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1"}},
    }
    comfy(tmp_path / "lora.png", nodes)
    found = read_parameters(tmp_path / "lora.png")
    assert (found.prompt, found.negative, found.clip_skip) == ("a cat", "dog", 2)
    assert found.others["Nodes"] == "LoraLoader"
    assert all(isinstance(value, str) for value in found.others.values())

    last = {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -3}}
    for links, skip in (((8, 8), 1), ((9, 8), None), ((10, 10), 3), ((9, 9), 2), ((11, 11), 2)):
        further = {"10": last, "11": {"class_type": "LoraLoader", "inputs": {"clip": ["9", 1]}}}
        many = json.loads(json.dumps({**nodes, **further}))
        for text, link in zip("67", links, strict=True):
            many[text]["inputs"]["clip"] = [str(link), 0]
        comfy(tmp_path / "many.png", many)
        found = read_parameters(tmp_path / "many.png")
        assert found.clip_skip == skip
        assert found.others["Nodes"] == "LoraLoader" if 11 not in links else "2 x LoraLoader"
        assert found.others.get("Clip skip") == (
            None if skip else "2 for the prompt, 1 for the negative"
        )

    nodes["6"]["inputs"]["text"] = ["13", 0]
    comfy(tmp_path / "none.png", nodes)
    with pytest.raises(PictureError, match="No prompt that can be read leads to its sampler"):
        read_parameters(tmp_path / "none.png")
