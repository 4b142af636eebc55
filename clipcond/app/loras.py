"""Load the LoRAs that a prompt names, and switch off those that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from clipcond.app.prompt_files import file_named
from clipcond.errors import PipelineError, PromptError, first_line
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.verbosity import silent_libraries
from clipcond.prompt import ExtraNetwork

MOST_LOADED = 8  # files at a time; each takes memory


class LoraRack:
    """The LoRAs that a pipeline has loaded, by their names."""

    def __init__(self, pipe: ConditionedPipeline) -> None:
        self._pipe = pipe
        self._loaded: dict[Path, str] = {}  # the name of each in the pipeline

    def use(
        self, prompt: str, networks: Sequence[ExtraNetwork], files: dict[str, Path]
    ) -> dict[str, Path]:
        """Let exactly these LoRAs act, each as strongly as the prompt says.

        Args:
            prompt: what names them, for carets.
            networks: of kind `lora`; those that name no file here are left out.
            files: the LoRAs that there are, by name.
        Returns:
            the file of each that acts, by the name that it has in the prompt.
        Raises:
            PromptError: peft is missing.
            PipelineError: a file is no LoRA for this model.
        """
        named = [(each, file_named(each.name, files)) for each in networks if each.kind == "lora"]
        wanted = [(network, files[name]) for network, name in named if name is not None]
        if not wanted:
            if self._loaded:
                self._remove_all()
            return {}
        if find_spec("peft") is None:
            raise PromptError(
                "LoRAs are loaded with the package peft, which is not installed",
                prompt,
                wanted[0][0].start,
                "Install it: pip install peft",
            )
        if len({*self._loaded, *(path for _, path in wanted)}) > MOST_LOADED:
            self._remove_all()
        for network, path in wanted:
            if path not in self._loaded:
                self._load(network.name, path)
        strengths = {self._loaded[path]: _strength(network) for network, path in wanted}
        with silent_libraries():
            self._pipe.set_adapters(list(strengths), adapter_weights=list(strengths.values()))
        return {network.name: path for network, path in wanted}

    def _load(self, name: str, path: Path) -> None:
        adapter = f"lora_{len(self._loaded)}"  # a name with a dot would be no name of a module
        try:
            with silent_libraries():
                self._pipe.load_lora_weights(
                    str(path.parent), weight_name=path.name, adapter_name=adapter
                )
        except Exception as error:  # of many kinds, by what is wrong about the file
            self._remove_all()  # diffusers may have loaded a half of it
            raise PipelineError(
                f"LoRA {name!r} cannot be used with this model: {first_line(error)}"
            ) from error
        self._loaded[path] = adapter

    def _remove_all(self) -> None:
        self._pipe.unload_lora_weights()
        self._loaded.clear()


def _strength(network: ExtraNetwork) -> float | dict[str, float]:
    """Give diffusers one number, or two where text encoder and UNet differ."""
    encoder, unet = network.weights
    return unet if encoder == unet else {"text_encoder": encoder, "unet": unet}


def hashes(files: dict[str, Path]) -> str | None:
    """Write the files' hashes for a picture's settings: the first 12 digits of their SHA-256."""
    found = (
        f"{name}: {sha256(path.read_bytes()).hexdigest()[:12]}" for name, path in files.items()
    )
    return ", ".join(found) or None
