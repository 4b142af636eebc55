"""Keys of objects that no other object ever has, and of weights: they change when values do."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain, count
from weakref import ref

import torch
from torch import Tensor, nn

N_WHOLE = 8192  # larger matrices are sampled
N_WHOLE_VECTOR = 2**18  # so are larger vectors: a whole model as one, as FSDP keeps it
N_SAMPLES = 32  # values of each of those
_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}
DENSE = (Tensor, nn.Parameter)
PLAIN_KINDS = (bool, int, float, complex, str, bytes, type(None))
HELD = (*PLAIN_KINDS, Tensor, list, dict, set, tuple, frozenset)  # by classes, and by files
# Of libraries that hook models by themselves, and keep nothing there that changes results.
LIBRARIES = frozenset({"torch", "accelerate", "diffusers", "transformers", "clipcond"})


class _Reference(ref[object]):
    """A weak reference with the number and the address of its object."""

    __slots__ = ("address", "serial")
    address: int
    serial: int


class _Held:
    """A stand-in for a weak reference to an object that allows none: it stays alive."""

    __slots__ = ("_value", "serial")

    def __init__(self, value: object) -> None:
        self._value = value
        self.serial = next(_SERIALS)

    def __call__(self) -> object:
        return self._value


_SERIALS = count(1)
_NUMBERED: dict[int, _Reference | _Held] = {}


def serial_of(value: object) -> int:
    """Find the number of an object, the same at every call while it lives, and no other's ever.

    CPython gives the address of a freed object to the next one, so a key made of `id()` would
    confuse the two. A number is given once. Objects without weak
    references (most with `__slots__`) are kept alive from then on.
    """
    known = _NUMBERED.get(id(value))
    if known is not None and known() is value:
        return known.serial
    made: _Reference | _Held
    try:
        made = _Reference(value, _forget)
        made.address, made.serial = id(value), next(_SERIALS)
    except TypeError:
        made = _Held(value)
    # of two threads the first one's number counts, unless it is a dead object's
    if known is not None and _NUMBERED.get(id(value)) is known:
        _NUMBERED[id(value)] = made
    return _NUMBERED.setdefault(id(value), made).serial


def class_settings(kind: type) -> list[object]:
    """List what a class holds that its objects may compute with; nothing of libraries' classes."""
    values = (vars(each) for each in own_classes(kind))
    return [
        value
        for own in values
        for name, value in list(own.items())
        if not name.startswith("__") and isinstance(value, HELD)
    ]


@lru_cache(1000)
def own_classes(kind: type) -> tuple[type, ...]:
    """List which of a class and its bases are no library's."""
    homes = [(each, each.__module__.split(".", 1)[0]) for each in kind.__mro__]
    known = LIBRARIES | sys.stdlib_module_names
    return tuple(each for each, home in homes if home == "__main__" or home not in known)


def new_serial() -> int:
    """Draw a number that nothing else has."""
    return next(_SERIALS)


def _forget(reference: _Reference) -> None:
    if _NUMBERED.get(reference.address) is reference:
        del _NUMBERED[reference.address]


@torch.no_grad()
def keys_of_weights(tensors: Iterable[Tensor]) -> list[Hashable]:
    """Make keys of tensors: which they are, versions, types, shapes; for each type a sum of bits.

    A vector, or a tensor of at most N_WHOLE values, counts whole: any other value changes the sum.
    Of a larger one N_SAMPLES values count, spread evenly.
    """
    listed = list(tensors)
    key: list[Hashable] = []
    for tensor in listed:
        # every onload makes another parameter object of one on meta
        key += (0 if tensor.is_meta else serial_of(tensor), tensor.dtype, tensor.shape)
        try:
            key += (tensor._version,)
        except RuntimeError:  # made in inference mode: it has none
            key += (-1,)
    return [*key, *(int(_sum(group)) for group in samples_of(listed))]


def samples_of(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Collect the values of tensors that count: one vector for each device and dtype."""
    groups: dict[tuple[torch.device, torch.dtype, bool], list[Tensor]] = {}
    for tensor in tensors:
        shape = tensor.shape
        is_vector = len(shape) == 1 and shape[0] <= N_WHOLE_VECTOR
        if is_vector and type(tensor) in DENSE and is_dense(tensor):
            samples = [tensor]
        else:
            try:
                samples = [_sample(plain) for plain in _plain(tensor)]
            except (RuntimeError, TypeError, NotImplementedError):
                continue  # of a subclass that cannot be indexed, or not materialized
        for values in samples:
            # torch.cat is slow where one of many is not contiguous
            kind = values.device, values.dtype, values.is_contiguous()
            if kind in groups:
                groups[kind] += (values,)
            else:
                groups[kind] = [values]
    return [torch.cat(group) for group in groups.values()]


@torch.no_grad()
def row_checksums(table: Tensor, rows: Sequence[int]) -> list[int]:
    """Sum up the bits of some rows of a table [V D], one by one; [] if it is not in memory."""
    plain = _plain(table)
    if len(plain) != 1 or plain[0].shape != table.shape or not rows:
        return []
    chosen = plain[0].index_select(0, torch.tensor(rows, device=table.device))
    sums: list[int] = _sum(chosen).tolist()
    return sums


def _plain(tensor: Tensor) -> tuple[Tensor, ...]:
    """Find the dense tensors that a tensor consists of; none if it has no values in memory."""
    if not is_dense(tensor):
        return ()
    if type(tensor) in DENSE:
        return (tensor,)
    if hasattr(tensor, "__tensor_flatten__"):  # of torchao, or distributed
        inner = (getattr(tensor, name) for name in tensor.__tensor_flatten__()[0])
        return tuple(chain.from_iterable(map(_plain, inner)))
    return (tensor.as_subclass(Tensor),)


def is_dense(tensor: Tensor) -> bool:
    """Whether a tensor has its values in memory, one after the other."""
    return not (tensor.is_meta or tensor.layout is not torch.strided or tensor.is_quantized)


def _sample(tensor: Tensor) -> Tensor:
    """Choose the values of a tensor that count, as one dimension."""
    n, is_vector = tensor.numel(), tensor.dim() == 1
    if n <= (N_WHOLE_VECTOR if is_vector else N_WHOLE):
        return tensor if is_vector else tensor.reshape(-1)
    if tensor.is_contiguous():
        return tensor.as_strided((N_SAMPLES,), (_step(n),))
    few = tuple(slice(None, None, -(-size // 6)) for size in tensor.shape)
    return tensor[few].reshape(-1)


def _step(n: int) -> int:
    """Choose the distance of the samples of n values."""
    step = (n - 1) // (N_SAMPLES - 1)
    # odd, or all samples of a table of 2^k columns would come from a few columns
    return step - 1 + step % 2


class Sampler:
    """The same as `samples_of`, for tensors of which the shapes are known: several times as fast.

    Args:
        tensors: dense and contiguous ones; later ones have the same shapes, dtypes and devices.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._groups: dict[Hashable, list[int]] = {}
        self._strided: list[tuple[int, int]] = []
        self._flat: list[int] = []
        for i, tensor in enumerate(tensors):
            n, is_vector = tensor.numel(), tensor.dim() == 1
            is_large = n > (N_WHOLE_VECTOR if is_vector else N_WHOLE)
            step = _step(n) if is_large else 1
            # torch.cat is slow where the steps of many differ
            self._groups.setdefault((tensor.device, tensor.dtype, step), []).append(i)
            if is_large:
                self._strided.append((i, step))
            elif not is_vector:
                self._flat.append(i)

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Collect the values that count: one vector of integers for each device, dtype and step.

        Raises:
            ValueError: one is not contiguous any more.
        """
        values = list(tensors)
        for i, step in self._strided:
            tensor = tensors[i]
            if not tensor.is_contiguous():
                raise ValueError("the values of a tensor are no longer one after the other")
            values[i] = tensor.as_strided((N_SAMPLES,), (step,))
        for i in self._flat:
            values[i] = values[i].reshape(-1)
        groups = (torch.cat([values[i] for i in group]) for group in self._groups.values())
        return list(map(bits_of, groups))


@cache
def _factors(device: torch.device, n: int) -> Tensor:
    """Make random odd factors: with them any one value changes the sum, and so does the order."""
    limit, generator = 2**62, torch.Generator().manual_seed(0)
    halves = torch.randint(-limit, limit, (n,), generator=generator, device="cpu")
    return (halves * 2 + 1).to(device)


def bits_of(values: Tensor, widest: int = 8) -> Tensor:
    """View contiguous values [... D] of any dtype as integers, equal only if their bits are.

    Where they fill integers of `widest` bytes, several values are one: the fewer, the faster.
    """
    is_even = values.dim() and values.shape[-1] * values.element_size() % widest == 0
    return values.view(_INTEGERS[widest if is_even else values.element_size()])


def _sum(values: Tensor) -> Tensor:
    """Sum up values [... D] of any dtype over D, modulo 2^64."""
    # of 64 bits an odd factor leaves the topmost where it is: two changed signs would cancel
    bits = bits_of(values, 4)
    n = bits.shape[-1]
    factors = _factors(values.device, 1 << n.bit_length())
    return (bits * factors[:n]).sum(-1)
