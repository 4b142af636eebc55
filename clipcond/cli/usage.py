"""Advise those who type what other tools call an option, or a prompt without quotes."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

# What other tools call an option of `generate`; case and underscores do not matter.
_OTHER_NAMES = {
    "--guidance": "cfg cfg-scale guidance-scale scale g",
    "--scheduler": "sampler sampler-name sampling-method sampling sample-method",
    "--negative": "negative-prompt neg neg-prompt uncond",
    "--size WIDTHxHEIGHT": "width height w h resolution res aspect-ratio ar",
    "--steps": "num-inference-steps sampling-steps n-steps ddim-steps num-steps s",
    "--count": "batch-size batch-count num-images n-images n-iter num-images-per-prompt b",
    "--model": "ckpt checkpoint model-path model-id sd-model m",
    "--output": "out outfile outdir out-dir output-dir save",
    "--dtype": "precision half fp16 bf16 no-half float16",
    "--device": "gpu cuda cpu mps",
    "--clip-skip": "clipskip clip-stop skip stop-at-last-layers clip",
    "--inversion": "embedding embeddings textual-inversion ti",
    "--prompts": "prompt-file prompts-file from-file file input",
    "--force": "overwrite yes y f",
    "--weighting": "emphasis weights",
    "--dialect": "syntax style parser",
    "--matrix": "xyz xyz-plot plot grid xy xyz-grid script",
    "--wildcards": "wildcard wildcards-dir wildcard-dir dynamic-prompts",
    "--styles": "styles-file styles-csv",
    "--tower": "text-encoder clip-model te",
}
# What is done in Python alone.
_IN_PYTHON = {
    "To load a LoRA: pipe.load_lora_weights(file).": "lora loras lycoris lyco lora-weights",
    "To set a LoRA's weight: pipe.set_adapters(name, 0.8).": "lora-scale lora-weight lora-strength",
}
_PYTHON = {word: advice for advice, words in _IN_PYTHON.items() for word in words.split()}
_KNOWN = {word: option for option, words in _OTHER_NAMES.items() for word in words.split()}
_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL)
_UNKNOWN = re.compile(r"No such option:? '?(-[^\s']*)'?")


def option_of(name: str) -> str:
    """Look up the option of `generate` that other tools call so, such as "--guidance"; else ""."""
    return _KNOWN.get(name.lstrip("-").lower().replace("_", "-"), "").split(" ")[0]


def advice(message: str, options: Collection[str], prompt: str | None) -> str:
    """Reword a message about wrong use so that it says what to type instead.

    Args:
        options: those of the command.
        prompt: what the command took for its prompt; None if it takes none.
    """
    extra = _EXTRA.search(message)
    if extra and prompt is not None:
        return f'a prompt is one argument; put it in quotes: "{prompt} {extra[1]}"'
    unknown = _UNKNOWN.search(message)
    if not unknown:
        return message
    typed = unknown[1].split("=")[0]
    name = typed.lstrip("-").lower().replace("_", "-")
    if name in {"prompt", "p", "text"} and prompt is not None:
        return f"No such option: {typed}\nWrite the prompt without an option, in quotes."
    if name in _PYTHON:
        return f"No such option: {typed}\n{_PYTHON[name]}"
    known = _KNOWN.get(name, "")
    near = [known] if known.split(" ")[0] in options else get_close_matches(f"--{name}", options, 1)
    question = f"\nDid you mean {near[0]}?" if near else ""
    return f"No such option: {typed}{question}"
