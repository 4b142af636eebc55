"""Make locks that survive a fork, and the one under which models are loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock, local
from weakref import WeakKeyDictionary, WeakMethod


def fork_safe_lock(patience: float = 1.0, repair: Callable[[], None] | None = None) -> RLock:
    """Make a reentrant lock that never stays locked in a forked child by a thread of its parent.

    A fork waits until no other thread holds it, but not longer than `patience`.

    Args:
        patience: seconds.
        repair: a method that is called in the child where the fork did not wait to the end: what
            the lock protects may be half changed. The method's object is not kept alive.
    """
    lock = RLock()
    _LOCKS[lock] = patience, None if repair is None else WeakMethod(repair)
    return lock


_LOCKS: WeakKeyDictionary[RLock, tuple[float, WeakMethod[Callable[[], None]] | None]]
_LOCKS = WeakKeyDictionary()
_FORKING = local()  # `held`: what this thread holds while it forks

# transformers and accelerate replace methods of torch while they load a model; two threads that do
# so at once leave a process in which new modules have no storage.
LOADING = fork_safe_lock(patience=30.0)


def _all_locks() -> list[RLock]:
    while True:
        try:
            return list(_LOCKS)
        except RuntimeError:  # another thread made one meanwhile
            continue


def _before() -> None:
    _FORKING.held = [lock for lock in _all_locks() if lock.acquire(timeout=_LOCKS[lock][0])]


def _after_in_parent() -> None:
    for lock in _FORKING.held:
        lock.release()


def _after_in_child() -> None:
    held = set(_FORKING.held)
    for lock in _all_locks():
        if lock in held:
            lock.release()
            continue
        lock._at_fork_reinit()  # type: ignore[attr-defined]  # as the standard library does
        method = _LOCKS[lock][1]
        repair = None if method is None else method()
        if repair is not None:
            repair()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
