"""A forked process is not locked out by threads that it does not have."""

import os
import sys
import threading
import time

import pytest

from clipcond.locks import LOADING, fork_safe_lock

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork"),  # Python 3.12 warns where there are threads
]


class Store:
    def __init__(self, patience):
        self.lock = fork_safe_lock(patience, self.repair)
        self.n_repairs = 0

    def repair(self):
        self.n_repairs += 1


def in_child(check) -> int:
    """Fork, and give the exit status of a child that exits with `check()`."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = check()
        finally:
            os._exit(status)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -9


def held_by_a_thread(lock, seconds):
    started = threading.Event()

    def hold():
        with lock:
            started.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    started.wait()
    return thread


def test_a_child_enters_what_a_thread_of_its_parent_holds():
    store = Store(patience=0.05)

    def enter():
        with store.lock:
            return 10 + store.n_repairs

    thread = held_by_a_thread(store.lock, 1.0)
    assert in_child(enter) == 11  # half changed, perhaps: repaired
    thread.join()
    assert in_child(enter) == 10
    assert store.n_repairs == 0


def test_a_fork_waits_for_a_short_hold():
    store = Store(patience=5.0)
    thread = held_by_a_thread(store.lock, 0.2)

    assert in_child(lambda: 10 + store.n_repairs) == 10
    thread.join()


def test_a_thread_may_fork_while_it_holds_the_lock():
    store = Store(patience=0.05)

    def leave_and_enter():
        store.lock.__exit__()
        with store.lock:
            return 10

    with store.lock:
        assert in_child(leave_and_enter) == 10
    with LOADING, store.lock:
        assert in_child(lambda: 10) == 10


def test_threads_that_fork_at_once_leave_the_lock_open():
    store, results = Store(patience=0.01), []

    def fork_often():
        results.extend(in_child(lambda: 10) for _ in range(5))

    threads = [threading.Thread(target=fork_often) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert results == [10] * 15
    assert store.lock.acquire(timeout=1.0)


def test_a_forgotten_store_is_not_kept():
    from clipcond import locks

    store = Store(patience=0.01)
    before = sys.getrefcount(store)
    assert store.lock in locks._LOCKS
    assert before == 2  # the name, and getrefcount's argument
