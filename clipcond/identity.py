"""Number objects, so that keys can say which object they mean without its address.

CPython gives the address of a freed object to the next one, so a key made of `id()` takes another
object for the one it was made of. A serial number is given once.
"""

from __future__ import annotations

from itertools import count
from weakref import ref

__all__ = ["serial_of"]


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

    Objects without weak references (most with `__slots__`) are kept alive from then on.
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


def _forget(reference: _Reference) -> None:
    if _NUMBERED.get(reference.address) is reference:
        del _NUMBERED[reference.address]
