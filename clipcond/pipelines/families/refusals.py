"""Say why a pipeline is refused: what was found, why that is not supported, what else to do."""

from __future__ import annotations

import inspect
import re
from typing import Any

from clipcond.errors import PipelineError
from clipcond.pipelines.family import component_kind, parameters_of

__all__ = ["reads_clip", "reason_of", "refusal"]

# Beginnings of class names -> why they are refused; the longest that fits counts.
_REASONS = {
    "Amused": "it encodes prompts within its call, where nothing can take their place",
    "AudioLDM": "its text encoder is CLAP's, which was trained on sounds",
    "BlipDiffusion": "its text encoder mixes a picture's embeddings into the prompt",
    "LEditsPP": "it encodes several editing prompts apart, each with attention masks of its words",
    "Marigold": "it encodes the empty prompt only",
    "MusicLDM": "its text encoder is CLAP's, which was trained on sounds",
    "SemanticStableDiffusion": "it encodes prompts within its call, editing prompts among them",
    "VersatileDiffusion": "it encodes prompts within its call, where nothing can take their place",
    "VQDiffusion": "its embeddings are normed, and mixed with learned ones",
    "VisualCloze": "it makes prompts of its own out of several",
}
_PARTS = ("prior_pipe", "decoder_pipe")
_CLIP_TEXT = re.compile("C(LI|li)PText|CLIPModel|ClapText|ClapModel|RobertaSeries|MultilingualCLIP")
_METHODS = ("encode_prompt", "_encode_prompt")
_EMBEDS = "prompt_embeds"


def refusal(pipe: object) -> PipelineError:
    """Make the error for a pipeline of no supported family."""
    if not callable(getattr(type(pipe), "__call__", None)):  # noqa: B004  # the class's own
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
    name = type(pipe).__name__
    known = max((start for start in _REASONS if name.startswith(start)), key=len, default=None)
    if known is not None:
        return _REASONS[known]
    if "Combined" in name:
        return "it runs two pipelines, which encode prompts each for itself"
    if not reads_clip(pipe):
        kind = component_kind(pipe, "text_encoder")
        return f"its text encoder is {kind}, not CLIP's" if kind else "it has no CLIP text encoder"
    methods = {method: parameters_of(pipe, method) for method in _METHODS}
    found = [f"{method}({', '.join(names)})" for method, names in methods.items() if names]
    if not found:
        return "it encodes prompts within its call, where nothing can take their place"
    return f"no family known here has its {found[0]}"


def _way_out(pipe: Any) -> str:
    """Say what else can be done with a pipeline that is refused."""
    if "Combined" in type(pipe).__name__:
        return "Attach its parts: attach(pipe.prior_pipe), and so on."
    if not reads_clip(pipe):
        return ""
    if _EMBEDS in inspect.signature(type(pipe).__call__).parameters:
        return (
            "Encode prompts with a Conditioner around its text encoder, and call the pipeline with "
            f"{_EMBEDS}=conditioner(prompt).embeds."
        )
    return ""


def _init_parameters(kind: type) -> list[str]:
    own = vars(kind).get("__init__")
    return [] if own is None or kind is object else list(inspect.signature(own).parameters)
