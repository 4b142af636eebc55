"""Of a model of texts and pictures the text half: a module that is one, a tower that runs it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from clipcond.tokenizers.unread_words import KnownWords, blank_ids, tell_unknown
from clipcond.tokenizers.word_piece import UNITS
from clipcond.tokenizers.wrapped import WrappedTokenizer
from clipcond.towers.model_tower import ModelTower

__all__ = ["HalfTower", "TextHalf"]


class TextHalf(nn.Module):
    """A whole model without its vision half, for which transformers has no class.

    Args:
        text_model: its text model.
        text_projection: [P D], without bias; None where a checkpoint has none.
    """

    def __init__(self, text_model: nn.Module, text_projection: nn.Module | None = None) -> None:
        super().__init__()
        self.text_model = text_model
        self.text_projection = text_projection
        self.config = text_model.config

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        """What the text model gives for `input_ids` [n L]."""
        return self.text_model(input_ids=input_ids, attention_mask=attention_mask)


class HalfTower(ModelTower):
    """What towers have in common that run the text half of a whole model, or a text model alone.

    Their vocabularies have a token for all that is in none, which [UNK] or <unk> stands for.
    """

    tokenizer: WrappedTokenizer

    def __init__(self, model: nn.Module, name: str | None = None) -> None:
        super().__init__(model, name)
        self._known = KnownWords()

    def unread(self, texts: Sequence[str]) -> str:
        """What to tell a caller about words and characters that mean nothing to this tower.

        Rare characters and many emoji are in no vocabulary, and all reach it as the same token. A
        tower trained on few words has all-zero embeddings for the others.

        Returns:
            a message, or "" where everything can be read.
        """
        table, unknown = self._table(), self.tokenizer.source.unk_token_id
        n_known = self._known.of(table, self.tokenizer)

        def unreadable(ids: Sequence[int]) -> set[int]:
            blank = set() if n_known is None else blank_ids(table, ids)
            return blank | {i for i in ids if i == unknown}

        return tell_unknown(self.name, texts, self.tokenizer, unreadable, n_known, UNITS)

    @abstractmethod
    def _parts(self) -> Any:
        """The text model, by what it has."""

    def _text_model(self) -> nn.Module:
        # the whole model's own forward wants pictures too, so a hook there that fetches all of the
        # model must be called from here; one without submodules only has what is the model's own
        text_model: nn.Module = self._parts()
        hook = getattr(self.model, "_hf_hook", None)
        is_whole = text_model is not self.model
        if is_whole and hook is not None and getattr(hook, "place_submodules", True):
            hook.pre_forward(self.model)
        return text_model

    def _through_projection(self, pooled: Tensor) -> Tensor:
        """A pooled state [n D] through the model's text projection, if it has one."""
        projection = getattr(self.model, "text_projection", None)
        return pooled if projection is None else projection(pooled)
