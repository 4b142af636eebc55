"""OpenAI's CLIP text encoder as transformers has it: SD1, SD2, both towers of SDXL."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.towers.base import HiddenLayer, TowerOutput, check_layer, first_eos
from clipcond.towers.clip_bpe import ClipBpeTokenizer, special_tokens
from clipcond.towers.inversion import Inversions
from clipcond.towers.reading import blank_rows, known_words, tell_bytes, tell_unknown
from clipcond.towers.state import execution_device, state_key

__all__ = ["OpenAIClipTower"]


class OpenAIClipTower:
    """A transformers `CLIPTextModel` or `CLIPTextModelWithProjection` with its tokenizer.

    The model is used as it is: nothing is patched into it, and modules that change later (LoRA,
    another dtype or device, accelerate's offload hooks) are seen. Parts are found by what they
    are, for transformers 5.6 dropped `CLIPTextModel.text_model` and kept it elsewhere.

    Args:
        model: the text model, in eval mode; it may be shared with a pipeline.
        tokenizer: its transformers tokenizer; its pad token says how chunks are padded.
        name: how reports and messages call it; the checkpoint's name by default.
    Raises:
        TowerError: the model has no encoder layers and final layer norm where CLIP has them.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, name: str | None = None) -> None:
        self.model = model
        self.name = name or _name_of(model)
        parts = self._parts()
        n_positions, self.width = parts.embeddings.position_embedding.weight.shape
        self.inversions = Inversions(self.width, self.name)
        self.tokenizer = ClipBpeTokenizer(tokenizer, self.inversions)
        self.special = special_tokens(tokenizer, n_positions, self.inversions)
        self._vocabulary: tuple[int, int | None] = (0, None)  # which table, its words if few

    def __repr__(self) -> str:
        return f"OpenAIClipTower({self.name!r}, depth={self.depth}, width={self.width})"

    @property
    def depth(self) -> int:
        return len(self._parts().encoder.layers)

    @property
    def device(self) -> torch.device:
        """Where the model runs, which under offload hooks is not where its weights rest."""
        return execution_device(self.model)

    @property
    def dtype(self) -> torch.dtype:
        weight: Tensor = self._parts().final_layer_norm.weight
        return weight.dtype

    def fingerprint(self) -> Hashable:
        """Changes with weights, LoRA, dtype, device (see `state_key`) and textual inversions."""
        return state_key(self.model), self.inversions.fingerprint()

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        layer: HiddenLayer,
        *,
        pooled: bool = False,
    ) -> TowerOutput:
        """Run the model up to `layer`, or to its end when the pooled output is wanted too.

        The pooled output is that of the last layer, normed, at the first EOS, whatever `layer` is;
        through the text projection where the model has one.

        Args:
            input_ids: [n L], L at most the context length.
            attention_mask: [n L], 0 = not seen; None = all seen, as Stable Diffusion does.
            layer: which block's output, and whether normed.
            pooled: whether `TowerOutput.pooled` is wanted; layers above `layer` run only then.
        Returns:
            hidden [n L D]; pooled [n P] or None. No gradients are kept.
        Raises:
            TowerError: the model has too few blocks, or an id is outside its vocabulary.
        """
        check_layer(layer, self.depth, self.name)
        parts = self._parts()
        table = parts.embeddings.token_embedding
        # the input of what follows a block is that block's output
        is_last = layer.depth == 1
        norm = parts.final_layer_norm
        above = norm if is_last else parts.encoder.layers[1 - layer.depth]
        with torch.no_grad(), self.inversions.standing_in(table, input_ids) as known_ids:
            self._check_ids(known_ids)
            stop = not (pooled or is_last)
            with _capture(above, stop=stop) as before, _capture(norm, output=True) as last:
                self._run(known_ids, attention_mask)
            hidden = before[0]
            if layer.final_norm:
                hidden = last[0] if is_last else norm(hidden)
            return TowerOutput(hidden, self._pool(last[0], input_ids) if pooled else None)

    def unread(self, texts: Sequence[str]) -> str:
        """What to tell a caller about words and characters that mean nothing to this tower.

        A tower trained on few words has all-zero embeddings for the others. To any CLIP BPE tower,
        characters that are no whole token (most Chinese ones, many emoji) are mere bytes.

        Returns:
            a message, or "" where everything can be read.
        """
        texts = [self.tokenizer.without_names(text) for text in texts]
        table = self._parts().embeddings.token_embedding.weight
        if self._vocabulary[0] != id(table):
            n_known = known_words(table, self.tokenizer) if blank_rows(table) else None
            self._vocabulary = (id(table), n_known)
        n_known = self._vocabulary[1]
        if n_known is None:
            return tell_bytes(self.name, texts, self.tokenizer)
        return tell_unknown(self.name, texts, table, self.tokenizer, n_known)

    def _run(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        device = self.device
        mask = None if attention_mask is None else attention_mask.to(device)
        # a compiled forward would be compiled anew with each hook: run what it was made from
        model = getattr(self.model, "_orig_mod", self.model)
        forward = model if model._compiled_call_impl is None else model._call_impl
        with suppress(_Reached):
            forward(input_ids=input_ids.to(device), attention_mask=mask)

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        ends = first_eos(input_ids, self.special.eos).to(last.device)
        pooled = last[torch.arange(len(last), device=last.device), ends]
        projection = getattr(self.model, "text_projection", None)
        return pooled if projection is None else projection(pooled)

    def _parts(self) -> Any:
        """The module with `embeddings`, `encoder.layers` and `final_layer_norm`."""
        for candidate in (getattr(self.model, "text_model", None), self.model):
            encoder = getattr(candidate, "encoder", None)
            if hasattr(encoder, "layers") and hasattr(candidate, "final_layer_norm"):
                return candidate
        raise TowerError(
            f"{type(self.model).__name__} is no CLIP text model: it has no encoder.layers with a "
            f"final_layer_norm. OpenAIClipTower takes a CLIPTextModel or "
            f"CLIPTextModelWithProjection."
        )

    def _check_ids(self, input_ids: Tensor) -> None:
        # on CUDA an id outside the table kills the process, so it is looked at here
        n_entries = len(self._parts().embeddings.token_embedding.weight)
        if input_ids.numel() and int(input_ids.max()) >= n_entries:
            raise TowerError(
                f"token id {int(input_ids.max())} is outside the {n_entries} entries of "
                f"{self.name!r}: this tokenizer belongs to another model"
            )


class _Reached(Exception):
    """The requested layer's output is there; what comes after it need not run."""


@contextmanager
def _capture(module: nn.Module, *, stop: bool = False, output: bool = False) -> Iterator[list[Any]]:
    """Collect what `module` gets (or gives, with `output`) in the forward run inside.

    `stop` leaves that forward before `module` runs. Hooks are the one way that also holds under
    accelerate's offload, which replaces `forward`. They act in this thread only: the model may be
    shared with a pipeline that runs elsewhere.
    """
    thread = get_ident()
    seen: list[Any] = []

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if get_ident() == thread:
            seen.append(args[0] if args else kwargs["hidden_states"])
            if stop:
                raise _Reached

    def after(_: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if get_ident() == thread:
            seen.append(result)

    handle = (
        module.register_forward_hook(after)
        if output
        else module.register_forward_pre_hook(before, with_kwargs=True)
    )
    try:
        yield seen
    finally:
        handle.remove()


def _name_of(model: nn.Module) -> str:
    name = str(getattr(getattr(model, "config", None), "_name_or_path", "") or "")
    return name or type(model).__name__
