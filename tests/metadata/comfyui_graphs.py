"""A small graph of ComfyUI, in the form of its API, and what is read of one."""

import json

from clipcond.metadata import read_parameters


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


def changed(kind="3", **inputs):
    nodes = graph()
    nodes[kind]["inputs"] |= inputs
    return nodes


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
