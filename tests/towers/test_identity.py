"""A number for each object: the same while it lives, and no other object's."""

import gc
import threading
from functools import partial

import torch

from clipcond.towers.weight_keys import serial_of


class Slotted:
    __slots__ = ("value",)


def test_the_number_stays_and_is_not_given_again():
    kept, seen = [object.__new__(type("Thing", (), {})) for _ in range(3)], set()
    first = [serial_of(each) for each in kept]
    for i in range(200):
        for made in (torch.ones(3) * i, Slotted(), partial(int, i), {1, 2}, types_of(i)):
            serial = serial_of(made)
            assert serial_of(made) == serial
            assert serial not in seen
            seen.add(serial)
        if i % 50 == 0:
            gc.collect()

    assert [serial_of(each) for each in kept] == first
    assert not seen & set(first)


def types_of(i):
    return type(f"Kind{i}", (), {})


def test_the_dead_are_forgotten():
    from clipcond.towers import weight_keys as identity

    value = torch.ones(2)
    serial = serial_of(value)
    address = id(value)
    assert identity._NUMBERED[address].serial == serial
    del value

    known = identity._NUMBERED.get(address)
    assert known is None or known.serial != serial


def test_equal_tensors_are_two():
    assert serial_of(torch.ones(2)) != serial_of(torch.ones(2))


def test_threads_agree():
    things, found = [torch.ones(1) for _ in range(500)], []

    def number():
        found.append([serial_of(each) for each in things])

    threads = [threading.Thread(target=number) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert all(each == found[0] for each in found)
    assert len(set(found[0])) == len(things)
