"""AltDiffusion: Stable Diffusion with diffusers' own XLM-RoBERTa in CLIP's place."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from clipcond.conditioning.explaining import ModelReads
from clipcond.pipelines.families.stable_diffusion import STABLE_DIFFUSION
from clipcond.pipelines.family import Family, component_kind
from clipcond.towers import AltClipTower, HiddenLayer
from clipcond.towers.modules import TowerModules

_PRE = "transformation_pre"


class RobertaSeriesTower(AltClipTower):
    """A diffusers `RobertaSeriesModelWithTransformation`.

    One of the later models has a norm, and a transformation of its own behind it.
    """

    parts = ("roberta", "transformation")
    expected = "RobertaSeriesModelWithTransformation of diffusers."

    def _modules(self) -> TowerModules:
        text = self._parts()
        norm = getattr(text, "pre_LN", text.roberta.embeddings.LayerNorm)  # without, not applied
        embeddings: nn.Embedding = text.roberta.embeddings.word_embeddings
        return TowerModules(text.roberta.encoder.layer, embeddings, norm)

    def _hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        text = self._parts()
        states = text.pre_LN(output) if final_norm else output
        hidden: Tensor = getattr(text, _PRE, text.transformation)(states)
        return hidden


def _is_alt(pipe: object) -> bool:
    return component_kind(pipe, "text_encoder").startswith("RobertaSeries")


def _is_later(pipe: object) -> bool:
    return _is_alt(pipe) and hasattr(getattr(pipe, "text_encoder", None), _PRE)


ALT_DIFFUSION = replace(
    STABLE_DIFFUSION,
    name="AltDiffusion",
    reads=ModelReads(HiddenLayer(1, final_norm=False)),
    further_test=_is_alt,
    tower=RobertaSeriesTower,
    tasks={},
)

# Source: diffusers, RobertaSeriesModelWithTransformation.forward
ALT_DIFFUSION_M18 = replace(
    ALT_DIFFUSION,
    name="AltDiffusion with transformation_pre",
    reads=ModelReads(HiddenLayer(2, final_norm=True)),
    further_test=_is_later,
)

ALT_DIFFUSION_FAMILIES: tuple[Family, ...] = (ALT_DIFFUSION_M18, ALT_DIFFUSION)
