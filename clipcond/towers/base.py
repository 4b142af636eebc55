"""ModelTower, which runs a torch model up to one of its blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks
from torch.utils.hooks import RemovableHandle

from clipcond.errors import TowerError
from clipcond.locks import fork_safe_lock
from clipcond.model_defaults import own_defaults
from clipcond.tokenizers.wrapped import WrappedTokenizer
from clipcond.towers.capturing import let_pickle
from clipcond.towers.fingerprint import execution_device, items_of, model_key, weight_of
from clipcond.towers.modules import TowerModules
from clipcond.towers.protocol import HiddenLayer as HiddenLayer  # one place for all types
from clipcond.towers.protocol import TextTower as TextTower
from clipcond.towers.protocol import TowerOutput as TowerOutput
from clipcond.towers.protocol import too_deep
from clipcond.towers.snapshot import Snapshot
from clipcond.towers.weight_keys import row_checksums, serial_of

# Models that a key was made of, the last of them: None until a key is made a second time.
_KNOWN: dict[int, Snapshot | None] = {}
_LOCK = fork_safe_lock()
N_KNOWN = 16


def fingerprint_of(model: nn.Module) -> Hashable:
    """Make a key of everything about `model` that changes what it computes.

    It changes with: another or resized weight, an in-place change (by version counter), dtype,
    device, autocast, hooks, a replaced `forward` or class, settings of modules (`eps`, `scale`,
    train mode, LoRA's scales, a config's entries). Writes that no counter counts, through `.data`,
    numpy, a fused optimizer or inference mode, are seen by the bits of the weights: those of
    vectors and small matrices all, of a larger matrix 32 values (`keys_of_weights`). So it misses
    such a write to a few values of a large matrix: in loops that write so, encode without a cache
    (`cache_bytes=0`). Addresses are left out, so moving to the CPU and back changes nothing.

    A model that has not changed since is recognized by a `Snapshot`, made with its second key:
    0.5 ms for one of CLIP-L's size on one CPU core; making the key takes four times as long.
    """
    context: list[Hashable] = [torch.get_float32_matmul_precision()]
    for hooks in (global_hooks._global_forward_hooks, global_hooks._global_forward_pre_hooks):
        context += [number for number, _ in items_of(hooks)]
    number = serial_of(model)
    known = _KNOWN.get(number)
    if known is not None and known.holds():
        state, device = known.key, known.device
    else:
        # before the key: a change meanwhile is seen by the next call
        snapshot = Snapshot.of(model) if known is None and number in _KNOWN else None
        state, device = model_key(model)
        if snapshot is not None:
            snapshot.key = state
        with _LOCK:
            _KNOWN.pop(number, None)
            _KNOWN[number] = snapshot
            while len(_KNOWN) > N_KNOWN:
                del _KNOWN[next(iter(_KNOWN))]
    context.append(device)
    if device.type != "meta" and torch.is_autocast_enabled(device.type):
        context += ("autocast", torch.get_autocast_dtype(device.type))
    return tuple(context), state


class ModelTower(ABC):
    """A tower around a torch model; subclasses know where a kind of model keeps its modules.

    The model is never changed: nothing is patched into it. Later changes to it (LoRA, another dtype
    or device, accelerate's offload hooks) take effect, as modules are looked up at every use.
    """

    tokenizer: WrappedTokenizer

    @property
    def causal(self) -> bool:
        """Whether no position sees one behind it, so that chunks may end early."""
        return False

    @property
    def mask_keeps_rows(self) -> bool:
        """Whether rows without a mask keep their bits next to masked ones in a batch."""
        return False

    def __init__(self, model: nn.Module, name: str | None = None) -> None:
        self.model = model
        path = str(getattr(getattr(model, "config", None), "_name_or_path", "") or "")
        self.name = name or path or type(model).__name__

    def __getstate__(self) -> dict[str, Any]:
        let_pickle(self.model)
        return vars(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, depth={self.depth}, width={self.width})"

    @abstractmethod
    def _modules(self) -> TowerModules:
        """Look up the model's modules."""

    @abstractmethod
    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        """Make the pooled output [n P] from the last block's output."""

    def _hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        """Make hidden states [n L D] of a block's output, normed or not."""
        hidden: Tensor = self._modules().norm(output) if final_norm else output
        return hidden

    def _through_projection(self, pooled: Tensor) -> Tensor:
        """Apply the model's text projection, if it has one, to pooled states [n D]."""
        projection = getattr(self.model, "text_projection", None)
        return pooled if projection is None else projection(pooled)

    def _text_model(self) -> nn.Module:
        """Return the module to be called with `input_ids` and `attention_mask`."""
        return self.model

    def _blocks(self) -> nn.ModuleList:
        return self._modules().blocks

    def _table(self) -> Tensor:
        return self._modules().embedding.weight

    @property
    def width(self) -> int:
        """D, the width of hidden states."""
        return self._table().shape[1]

    @property
    def depth(self) -> int:
        """The number of transformer blocks."""
        return len(self._blocks())

    @property
    def device(self) -> torch.device:
        """Where the model runs; under offload hooks its weights may be elsewhere meanwhile."""
        return execution_device(self.model)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the model computes in."""
        return self._modules().norm.weight.dtype

    @property
    def own_clip_skip(self) -> int | None:
        """The clip skip that the model's configuration names as best; None = it names none."""
        return own_defaults(self.model).get("clip_skip")

    def fingerprint(self) -> Hashable:
        """Make a key that changes with weights, LoRA, dtype, device (see `fingerprint_of`)."""
        return fingerprint_of(self.model)

    def row_checksums(self, ids: Sequence[int]) -> dict[int, int]:
        """Sum up the bits of the token embeddings of ids: `fingerprint` only samples the table."""
        embedding = self._modules().embedding
        table = weight_of(embedding, "weight", embedding.weight)
        own = [i for i in ids if i < len(table)]
        return dict(zip(own, row_checksums(table, own), strict=False))

    def unread(self, texts: Sequence[str]) -> str:
        """Describe words and characters that mean nothing to this tower; "" if all are read."""
        return self.tokenizer.unread(self.name, texts, self._table())

    def unread_words(self, texts: Sequence[str]) -> list[str]:
        """List what `unread` describes: words in small letters and characters, each once."""
        return self.tokenizer.unread_words(texts, self._table())

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        layer: HiddenLayer,
        *,
        pooled: bool = False,
    ) -> TowerOutput:
        """Run the model up to `layer`, or to its end when the pooled output is wanted too.

        The pooled output is that of the last layer, whatever `layer` is.

        Args:
            input_ids: [n L], L at most the model's positions.
            attention_mask: [n L], 0 = hidden from attention; None = all visible.
            layer: which block's output, and whether normed.
            pooled: whether to give `TowerOutput.pooled`; layers above `layer` run only then.
        Returns:
            hidden [n L D]; pooled [n P] or None. Without gradients.
        Raises:
            TowerError: the model has too few blocks, or an id is outside its vocabulary.
        """
        blocks = self._blocks()
        if layer.depth > len(blocks):
            raise too_deep(layer, len(blocks), self.name)
        with torch.no_grad(), self._known_ids(input_ids) as known_ids:
            self._check_ids(known_ids)
            stop = not pooled and layer.depth > 1
            with capture(blocks[-layer.depth], stop=stop) as wanted, capture(blocks[-1]) as last:
                self._run(known_ids, attention_mask)
            hidden = self._hidden(wanted[0], layer.final_norm)
            return TowerOutput(hidden, self._pool(last[0], input_ids) if pooled else None)

    def pooled(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Compute the pooled output [n P] with gradients, for training the tower.

        Raises:
            TowerError: an id is outside its vocabulary.
        """
        with self._known_ids(input_ids) as known_ids:
            self._check_ids(known_ids)
            with capture(self._blocks()[-1]) as last:
                self._run(known_ids, attention_mask)
            return self._pool(last[0], input_ids)

    def _known_ids(self, input_ids: Tensor) -> AbstractContextManager[Tensor]:
        """Replace ids that are not the model's own, and supply their vectors in this context."""
        return nullcontext(input_ids)

    def _run(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        device = self.device
        mask = None if attention_mask is None else attention_mask.to(device)
        with suppress(_Reached):
            self._forward(input_ids.to(device), mask)

    def _forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        """Call the text model, not compiled: each hook would make it compile again."""
        module = self._text_model()
        plain: Any = getattr(module, "_orig_mod", module)
        call = plain if plain._compiled_call_impl is None else plain._call_impl
        call(input_ids=input_ids, attention_mask=attention_mask)

    def _check_ids(self, input_ids: Tensor) -> None:
        # on CUDA an id outside the table kills the process
        n_entries = len(self._table())
        if input_ids.numel() and int(input_ids.max()) >= n_entries:
            raise TowerError(
                f"token id {int(input_ids.max())} is outside the {n_entries} entries of "
                f"{self.name!r}: this tokenizer belongs to another model"
            )


def project_each(projection: Callable[[Tensor], Tensor], states: Tensor) -> Tensor:
    """Project states [n D] row by row: [n P].

    The product of one row is rounded otherwise than that of several, and a prompt's vector must not
    depend on its neighbours in the batch.
    """
    return torch.cat([projection(states[i : i + 1]) for i in range(len(states))])


class _Reached(Exception):
    """The requested layer has run; the later ones need not."""


@contextmanager
def capture(module: nn.Module, *, stop: bool = False) -> Iterator[list[Tensor]]:
    """Collect the outputs of `module` in forwards inside; `stop` ends a forward after it."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Any, ...], result: Tensor | tuple[Tensor, ...]) -> None:
        seen.append(result[0] if isinstance(result, tuple) else result)
        if stop:
            raise _Reached

    with hooked(module.register_forward_hook, keep):
        yield seen


@contextmanager
def hooked(
    register: Callable[..., RemovableHandle], act: Callable[..., Any], **choices: bool
) -> Iterator[None]:
    """Keep a hook on a module, for forwards of this thread: other threads may share the model.

    Hooks work under accelerate's offload too, which replaces `forward`.

    Args:
        register: a module's `register_forward_hook` or `register_forward_pre_hook`.
    """
    thread = get_ident()
    handle = register(lambda *call: act(*call) if get_ident() == thread else None, **choices)
    try:
        yield
    finally:
        handle.remove()
