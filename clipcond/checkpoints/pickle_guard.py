"""Bound what a pickle may unpack to, before torch's unpickler for `weights_only=True` runs.

That unpickler runs no code of the file, but it calls `bytearray(n)` and `torch.Tensor(n)` for any
n, and tuples within tuples that are used twice take for ever to hash. So the instructions are
followed here first, with a size in place of each value.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import BinaryIO

MOST_OPERATIONS = 400_000  # about 25 a tensor; they take a second or two
MOST_PARTS = 10_000  # of a tuple and of all tuples in it; a shape has at most 16
# What a file of weights calls; none allocates more than its arguments take.
_CALLED = frozenset(
    (
        *("collections OrderedDict", "collections Counter", "_codecs encode", "torch Size"),
        *("torch device", "torch.serialization _get_layout", "torch.nn.parameter Parameter"),
        *("__builtin__ set", "__builtin__ complex", "builtins set", "builtins complex"),
        *("torch._tensor _rebuild_from_type_v2",),
        "torch.nn.modules.container ParameterDict",
    )
)
_CALLED_PARTS = ("torch._utils _rebuild_", "torch.jit._pickle ", "__torch__.")  # their beginnings


@dataclass(slots=True)
class _Value:
    """What is known of a value on the stack: a global's name or "", and how many parts it has."""

    name: str = ""
    n_parts: int = 1


def check_pickle(file: BinaryIO) -> None:
    """Check one pickle; the file is then at its end.

    Raises:
        ValueError: it is damaged, or unpacks to more than the values that are in it.
    """
    stack: list[_Value | None] = []  # None is a mark
    memo: dict[int, _Value] = {}
    for n, (operation, argument, _) in enumerate(pickletools.genops(file)):
        name = operation.name
        if n > MOST_OPERATIONS:
            raise ValueError(f"it has more than {MOST_OPERATIONS} instructions")
        if name in ("REDUCE", "NEWOBJ"):
            called = stack[-2] if len(stack) > 1 else None
            what = "something" if called is None or not called.name else called.name
            if what not in _CALLED and not what.startswith(_CALLED_PARTS):
                raise ValueError(f"it calls {what.replace(' ', '.')}, which weights do not need")
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            top = stack[-1] if stack else None
            if top is None:
                raise ValueError("it keeps a value that is not there")
            memo[len(memo) if argument is None else int(argument)] = top
            continue
        taken = _pop(stack, operation)
        if name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in memo:
                raise ValueError("it uses a value that is not there")
            stack.append(memo[argument])
        elif name == "MARK":
            stack.append(None)
        elif name == "GLOBAL":
            stack.append(_Value(str(argument)))
        elif name == "DUP":
            stack += taken[-1:] * 2
        elif operation.stack_after:
            n_parts = 1 + sum(value.n_parts for value in taken) if "TUPLE" in name else 1
            if n_parts > MOST_PARTS:
                raise ValueError("it has tuples within tuples without end")
            # a dict or list stays the value it was: APPENDS, SETITEMS, BUILD
            is_same = bool(taken) and name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD")
            stack.append(taken[0] if is_same else _Value(n_parts=n_parts))


def _pop(stack: list[_Value | None], operation: pickletools.OpcodeInfo) -> list[_Value]:
    before = operation.stack_before
    if pickletools.markobject in before:
        at = len(stack) - 1
        while at >= 0 and stack[at] is not None:
            at -= 1
        at -= before.index(pickletools.markobject)
        if at < 0:
            raise ValueError("it ends a list that it did not begin")
    else:
        at = len(stack) - len(before)
        if at < 0:
            raise ValueError("it uses values that are not there")
    taken = [value for value in stack[at:] if value is not None]
    del stack[at:]
    return taken
