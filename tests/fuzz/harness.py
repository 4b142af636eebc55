"""Spoil files at random, seeded, and check that opening each ends soon, and in a clear error."""

import json
import random
import re
import resource
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from clipcond.errors import ClipcondError, excerpt

MOST_SECONDS = 5
MOST_TIMES = 10  # as much memory as the file or folder has bytes, and
MOST_BYTES = 10 * 2**20  # what opening takes of its own: torch's blocks, messages; measured: 7
VALUES = (
    *(None, True, False, 0, -4, 1, 3, 10**9, 10**12, 10**30, 1e9, 0.5, -1.5, float("nan")),
    *(float("inf"), "", "x", "0000000012", "../../etc", "a" * 5000, "\0", [], {}, [1, 2], [[]]),
    *([None], {"a": 1}, ["x", "y"], {"type": "Unigram"}),
)


def spoiled_bytes(draw: random.Random, content: bytes, n_head: int | None = None) -> bytes:
    """Flip, cut, drop, double or overwrite some bytes; most of them in the first `n_head`."""
    data, way = bytearray(content), draw.randrange(8)
    n_head = min(n_head or len(data), len(data))
    at = draw.randrange(n_head) if draw.random() < 0.9 else draw.randrange(len(data))
    if way == 0:
        return bytes(data[: draw.randrange(len(data))])
    if way == 1:
        return bytes(data[:at] + data[at + draw.randrange(1, 40) :])
    if way == 2:
        return bytes(data[:at] + data[at : at + 20] + data[at:])
    if way == 3:
        data[at : at + 8] = draw.randbytes(8)
    for _ in range(draw.choice((1, 1, 2, 6))):
        place = draw.randrange(n_head)
        data[place] = draw.choice((data[place] ^ (1 << draw.randrange(8)), draw.randrange(256)))
    return bytes(data)


def spoiled_json(draw: random.Random, values: Any) -> str:
    """Replace or remove one or two values anywhere in JSON, or break it."""
    values = json.loads(json.dumps(values))
    if draw.random() < 0.03:
        return draw.choice(("", "{", "[]", "null", '"x"', "5", "[" * 100_000, '{"a":' * 50_000))
    for _ in range(draw.choice((1, 1, 2))):
        inner, holder = values, None
        while isinstance(inner, dict | list) and inner and (holder is None or draw.random() < 0.8):
            holder = inner
            key = draw.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            inner = inner[key]
        if holder is None:
            return json.dumps(draw.choice(VALUES))
        if draw.random() < 0.25:
            del holder[key]
        else:
            holder[key] = draw.choice(VALUES)
    return json.dumps(values)


def failures(
    mutants: Iterable[tuple[str, Callable[[], object]]],
    *,
    of: Path,
    at_least: int,
    also: tuple = (),
) -> list[str]:
    """Run each mutant; list those that raise what is not clipcond's, hang, or take memory.

    Args:
        mutants: a name, and what opens it.
        of: the file or folder that is spoiled, by whose size memory is measured.
        at_least: as many must have been refused, or the mutants are too tame.
        also: further kinds of errors that are documented.
    """
    found, n_refused = [], 0
    for number, (name, act) in enumerate(mutants):
        size, before = _size(of), _start_measuring()
        try:
            with _Watchdog():
                act()
        except (ClipcondError, *also):
            n_refused += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            found.append(f"{name}: {type(error).__name__}: {excerpt(str(error), 300)}")
        growth = _peak() - before
        # the first one imports libraries
        if number and growth > MOST_TIMES * size + MOST_BYTES:
            found.append(f"{name}: {growth} bytes of memory for {size} of the file")
    if n_refused < at_least:
        found.append(f"only {n_refused} were refused")
    return found


class _Watchdog:
    """Raise Hang after so many seconds of work inside, or after many more without any."""

    # CPU time, so that a busy machine is no fault; what only waits spends none
    _TIMERS = {  # noqa: RUF012
        signal.SIGPROF: (signal.ITIMER_PROF, MOST_SECONDS),
        signal.SIGALRM: (signal.ITIMER_REAL, 12 * MOST_SECONDS),
    }

    def __enter__(self) -> None:
        self.before = {each: signal.signal(each, self._ring) for each in self._TIMERS}
        for timer, seconds in self._TIMERS.values():
            signal.setitimer(timer, seconds)

    def __exit__(self, *_: object) -> None:
        for signum, (timer, _) in self._TIMERS.items():
            signal.setitimer(timer, 0)
            signal.signal(signum, self.before[signum])

    def _ring(self, *_: object) -> None:
        raise Hang(f"it took more than {MOST_SECONDS} s of work, or waits for something")


class Hang(BaseException):
    """Not an Exception, or a reader might turn it into an error of its own."""


def _size(place: Path) -> int:
    if place.is_file():
        return place.stat().st_size
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def _start_measuring() -> int:
    """Forget the peak of memory so far, where the system can; return what is in use."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The most memory that was in use, torch's and the system's included, in bytes."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
