"""Say why a pipeline is refused: what was found, why that is not supported, what else to do."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from clipcond.errors import PipelineError
from clipcond.pipelines.family import METHODS, component_kind, parameters_of

_WITHIN = "it encodes prompts within its call, where nothing can take their place"
_CLAP = "its text encoder is CLAP's, which was trained on sounds"
_EMPTY = "it encodes the empty prompt only"
_ALONE = "it runs several pipelines, which encode prompts each for itself"
_PARTS = (
    "Attach its parts: attach(pipe.prior_pipe), and attach(pipe.decoder_pipe) where it reads text."
)
_MODULAR = "it is a modular pipeline, whose prompts a block of it encodes"
_BLOCK = (
    "Put a block of clipcond.pipelines.modular in the place of that one: "
    "blocks = pipe.blocks; blocks.sub_blocks['text_encoder'] = ClipcondXLTextStep(clip_skip=2); "
    "pipe = blocks.init_pipeline(), and give that its components."
)
_NO_BLOCK = "There are blocks for Stable Diffusion 1.x, 2.x and XL, in clipcond.pipelines.modular."
# Beginnings of class names -> why they are refused, and what else can be done ("" = nothing);
# the longest that fits counts.
_REASONS = {
    "Amused": (
        _WITHIN,
        "Encode with Conditioner(tower, layer=HiddenLayer(2, final_norm=False), pooled=True), and "
        "call it with prompt_embeds=made.pooled, encoder_hidden_states=made.embeds.",
    ),
    "AudioLDM": (_CLAP, ""),
    "BlipDiffusion": ("its text encoder mixes a picture's embeddings into the prompt", ""),
    "KandinskyImg2ImgPipeline": ("its text encoder is MultilingualCLIP, of one vector", ""),
    "KandinskyInpaintPipeline": ("its text encoder is MultilingualCLIP, of one vector", ""),
    "KandinskyPipeline": ("its text encoder is MultilingualCLIP, of one vector", ""),
    "LEditsPP": (
        "it encodes several editing prompts apart, and masks made of their words' places",
        "",
    ),
    "Marigold": (_EMPTY, ""),
    "MusicLDM": (_CLAP, ""),
    "SemanticStableDiffusion": (_WITHIN, ""),
    "ShapE": ("it reads one normed vector of CLIP, on which no syntax acts", ""),
    "UnCLIPImageVariation": (_EMPTY, ""),
    "VersatileDiffusion": (_WITHIN, ""),
    "VQDiffusion": ("its embeddings are normed, and mixed with learned ones", ""),
    "VisualCloze": (
        "it makes one prompt of several of its own",
        "Pass prompt_embeds= and pooled_prompt_embeds= that you made yourself.",
    ),
}
_CLIP_TEXT = re.compile("C(LI|li)PText|CLIPModel|ClapText|ClapModel|RobertaSeries|MultilingualCLIP")
_EMBEDS = "prompt_embeds"


def refusal(pipe: object) -> PipelineError:
    """Make the error for a pipeline of no supported family."""
    if not callable(pipe):
        return PipelineError(f"{type(pipe).__name__} is no pipeline: it cannot be called.")
    return PipelineError(
        f"{type(pipe).__name__} is not supported: {reason_of(pipe)}.", _way_out(pipe)
    )


def reads_clip(pipe: object) -> bool:
    """Whether a component of a pipeline is a text encoder of CLIP's kind."""
    names = (n for kind in type(pipe).__mro__ for n in _init_parameters(kind))
    return any(_CLIP_TEXT.search(component_kind(pipe, n)) for n in dict.fromkeys(names))


def reason_of(pipe: object) -> str:
    """Say why a pipeline is refused."""
    known = _known(pipe)
    if known is not None:
        return known[0]
    if not reads_clip(pipe):
        kind = component_kind(pipe, "text_encoder")
        return f"its text encoder is {kind}, not CLIP's" if kind else "it has no CLIP text encoder"
    methods = {method: parameters_of(pipe, method) for method in METHODS}
    found = [f"{method}({', '.join(names)})" for method, names in methods.items() if names]
    return f"no family known here has its {found[0]}" if found else _WITHIN


def _known(pipe: object) -> tuple[str, str] | None:
    name = type(pipe).__name__
    if any(
        kind.__module__.startswith("diffusers.modular_pipelines") for kind in type(pipe).__mro__
    ):
        return _MODULAR, _BLOCK if name.startswith("StableDiffusionXL") else _NO_BLOCK
    if "Combined" in name:
        return _ALONE, _PARTS
    start = max((start for start in _REASONS if name.startswith(start)), key=len, default=None)
    return None if start is None else _REASONS[start]


def _way_out(pipe: Callable[..., object]) -> str:
    """Say what else can be done with a pipeline that is refused."""
    known = _known(pipe)
    if known is not None:
        return known[1]
    takes_embeds = _EMBEDS in inspect.signature(type(pipe).__call__).parameters
    if not (takes_embeds and reads_clip(pipe)):
        return ""
    return (
        "Encode prompts with a Conditioner around its text encoder, and call the pipeline with "
        f"{_EMBEDS}=conditioner(prompt).embeds."
    )


def _init_parameters(kind: type) -> list[str]:
    own = vars(kind).get("__init__")
    return [] if own is None or kind is object else list(inspect.signature(own).parameters)
