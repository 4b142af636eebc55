"""OpenAI's CLIP text encoder as transformers has it: SD1, SD2, both towers of SDXL, LongCLIP."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer, default_context_length, special_tokens
from clipcond.tokenizers.inversions import FIRST_ID, Inversions
from clipcond.towers.base import ModelTower, hooked, project_each
from clipcond.towers.modules import TowerModules, choose_context_length, first_eos

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class OpenAIClipTower(ModelTower):
    """A transformers `CLIPTextModel` or `CLIPTextModelWithProjection` with its tokenizer.

    The pooled output is the state at the first EOS of the last layer, normed, through the text
    projection if the model has one. Modules are found by their parts: transformers 5.6 has no
    `CLIPTextModel.text_model` any more.

    Args:
        model: the text model, in eval mode; it may be shared with a pipeline.
        tokenizer: its transformers tokenizer, whose pad token fills up chunks; or a
            `ClipBpeTokenizer` around one.
        name: its name in reports and messages; the checkpoint's name by default.
        context_length: the length of chunks, at most the model's positions: 77, LongCLIP's 248. By
            default as the tokenizer and the model say. In a pair of towers the longer one must be
            given the length of the shorter.
    Raises:
        TowerError: the model has no encoder layers and final layer norm where CLIP has them, or too
            few positions.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: PreTrainedTokenizerBase | ClipBpeTokenizer,
        name: str | None = None,
        *,
        context_length: int | None = None,
    ) -> None:
        super().__init__(model, name)
        if hasattr(model, "vision_model"):
            raise TowerError(
                f"{type(model).__name__} is a whole CLIP, of texts and pictures. OpenAIClipTower "
                "takes its text half: a CLIPTextModel or CLIPTextModelWithProjection.",
                "Open its folder with load_tower(folder).",
            )
        n_positions = len(self._parts().embeddings.position_embedding.weight)
        if not isinstance(tokenizer, ClipBpeTokenizer):
            tokenizer = ClipBpeTokenizer(tokenizer)
        default = default_context_length(tokenizer.source, n_positions)
        length = choose_context_length(context_length, default, n_positions, self.name)
        self.inversions = Inversions(self.width, self.name)
        self.tokenizer = tokenizer.with_inversions(self.inversions)
        self.special = special_tokens(tokenizer.source, length, self.inversions)

    @property
    def causal(self) -> bool:
        """Whether no position sees one behind it: so it is in transformers' own classes."""
        return type(self._parts()).__module__ == "transformers.models.clip.modeling_clip"

    @property
    def mask_keeps_rows(self) -> bool:
        """Whether rows without a mask keep their bits next to masked ones: on a CPU they do."""
        config = getattr(self._parts(), "config", None)
        is_usual = getattr(config, "_attn_implementation", None) in ("eager", "sdpa")
        return self.causal and is_usual and self.device.type == "cpu"

    def fingerprint(self) -> Hashable:
        """Make a key that changes with the model (see `fingerprint_of`) and the inversions."""
        inversions = self.inversions.fingerprint() if self.inversions.by_name else ()
        return super().fingerprint(), inversions

    @contextmanager
    def _known_ids(self, input_ids: Tensor) -> Iterator[Tensor]:
        ours = input_ids >= FIRST_ID
        if not bool(ours.any()):
            yield input_ids
            return
        rows = self.inversions.vectors(input_ids[ours].tolist())

        def insert(_: nn.Module, args: tuple[Any, ...], result: Tensor) -> Tensor:
            result = result.clone()
            result[ours.to(result.device)] = rows.to(result.device, result.dtype)
            return result

        with hooked(self._modules().embedding.register_forward_hook, insert):
            yield input_ids.masked_fill(ours, 0)

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        ends = first_eos(input_ids, self.special.eos).to(last.device)
        states = self._hidden(last, True)[torch.arange(len(last), device=last.device), ends]
        return project_each(self._through_projection, states)

    @staticmethod
    def is_model(model: object) -> bool:
        """Whether a model has its parts where CLIP's text model has them."""
        return _text_part(model) is not None

    def _parts(self) -> Any:
        found = _text_part(self.model)
        if found is not None:
            return found
        raise TowerError(
            f"{type(self.model).__name__} is no CLIP text model: it has no encoder.layers with a "
            f"final_layer_norm. OpenAIClipTower takes a CLIPTextModel or "
            f"CLIPTextModelWithProjection."
        )

    def _modules(self) -> TowerModules:
        text = self._parts()
        return TowerModules(
            text.encoder.layers, text.embeddings.token_embedding, text.final_layer_norm
        )


def _text_part(model: object) -> Any:
    """Find the module with `embeddings`, `encoder.layers` and `final_layer_norm`, or None."""
    if _has_parts(model):
        return model
    inner = getattr(model, "text_model", None)  # up to transformers 5.5
    return inner if _has_parts(inner) else None


def _has_parts(model: object) -> bool:
    encoder = getattr(model, "encoder", None)
    return hasattr(encoder, "layers") and hasattr(model, "final_layer_norm")
