"""Draw in a thread of its own, so that the page can show each step and stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

from clipcond.app.studio import Drawn, Studio
from clipcond.app.wishes import Wish


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a drawing is: `done` of `steps` of picture `number` of `count`, from 1."""

    number: int
    count: int
    done: int
    steps: int

    @property
    def share(self) -> float:
        """Of all steps, from 0 to 1."""
        return (self.number - 1 + self.done / self.steps) / self.count


class Stops:
    """Which visitors have said stop, by their sessions."""

    def __init__(self) -> None:
        self._stopped: set[str] = set()

    def stop(self, session: str) -> None:
        """Stop what this visitor draws or waits for."""
        self._stopped.add(session)

    def clear(self, session: str) -> None:
        """Begin another drawing."""
        self._stopped.discard(session)

    def asker(self, session: str) -> Callable[[], bool]:
        """Make what says whether this visitor's drawing is to stop."""
        return lambda: session in self._stopped


def follow(
    studio: Studio, wishes: list[Wish], is_stopped: Callable[[], bool]
) -> Iterator[Progress | Drawn]:
    """Draw, and yield each step and each picture as it is there.

    Args:
        wishes: drawn one after another, as of one drawing.
    Raises:
        ClipcondError: a wish cannot be fulfilled.
    """
    events: SimpleQueue[Progress | Drawn | BaseException | None] = SimpleQueue()
    is_left = threading.Event()  # the visitor has closed the page
    count = sum(wish.count for wish in wishes)

    def work() -> None:
        n_before = 0
        try:
            for wish in wishes:

                def on_step(i: int, done: int, before: int = n_before, wish: Wish = wish) -> None:
                    events.put(Progress(before + i + 1, count, done, wish.steps))

                def is_over() -> bool:
                    return is_left.is_set() or is_stopped()

                for drawn in studio.draw(wish, is_over, on_step):
                    events.put(drawn)
                n_before += wish.count
            events.put(None)
        except BaseException as error:  # raised again where it can be shown
            events.put(error)

    thread = threading.Thread(target=work, name="drawing", daemon=True)
    thread.start()
    try:
        while (event := events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        is_left.set()
        with suppress(RuntimeError):
            thread.join()
