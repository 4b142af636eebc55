"""Locks that a forked process finds open, and the one that only one thread loads models under."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock, local
from weakref import WeakMethod, WeakSet

__all__ = ["LOADING", "ForkSafeLock"]


class ForkSafeLock:
    """A reentrant lock that never stays locked in a forked child by a thread of its parent.

    A fork waits until no other thread holds it, but not longer than `patience`.

    Args:
        patience: seconds.
        repair: a method that is called in the child where the fork did not wait to the end: what
            the lock protects may be half changed. The method's object is not kept alive.
    """

    def __init__(self, patience: float = 1.0, repair: Callable[[], None] | None = None) -> None:
        self.patience = patience
        self._repair = None if repair is None else WeakMethod(repair)
        self._lock = RLock()
        _LOCKS.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def acquire(self, timeout: float) -> bool:
        """Wait so many seconds for the lock; True if it is held now."""
        return self._lock.acquire(timeout=timeout)

    def renew(self) -> None:
        """Forget who holds it: a thread that this process does not have."""
        self._lock = RLock()
        repair = None if self._repair is None else self._repair()
        if repair is not None:
            repair()


_LOCKS: WeakSet[ForkSafeLock] = WeakSet()
_FORKING = local()  # `held`: what this thread holds while it forks

# transformers and accelerate replace methods of torch while they load a model; two threads that do
# so at once leave a process in which new modules have no storage.
LOADING = ForkSafeLock(patience=30.0)


def _all_locks() -> list[ForkSafeLock]:
    while True:
        try:
            return list(_LOCKS)
        except RuntimeError:  # another thread made one meanwhile
            continue


def _before() -> None:
    _FORKING.held = [lock for lock in _all_locks() if lock.acquire(lock.patience)]


def _after_in_parent() -> None:
    for lock in _FORKING.held:
        lock.__exit__()


def _after_in_child() -> None:
    held = set(_FORKING.held)
    for lock in _all_locks():
        lock.__exit__() if lock in held else lock.renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
