"""Keep the texts that were parsed lately: a prompt is often encoded again, with another seed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from clipcond.locks import fork_safe_lock
from clipcond.prompt import ParsedPrompt

MOST_SIZE = 200_000  # some 20 MB
PART_SIZE = 10  # of a segment or an issue, in characters of text


class ParsedTexts:
    """A bounded store of parsed texts; the least recently used is dropped first.

    Threads may share it. What it gives is immutable. Copies and pickles start empty.

    Args:
        most: the size of all texts together: characters, and `PART_SIZE` for each part.
    """

    def __init__(self, most: int = MOST_SIZE) -> None:
        self.most = most
        self.size = 0
        self._texts: OrderedDict[Hashable, ParsedPrompt] = OrderedDict()
        self._lock = fork_safe_lock()

    def __reduce__(self) -> tuple[type[ParsedTexts], tuple[int]]:
        return ParsedTexts, (self.most,)

    def get(self, key: Hashable, parse: Callable[[], ParsedPrompt]) -> ParsedPrompt:
        """Look up a text, or parse it; errors are raised at every call.

        Args:
            key: all that the result depends on.
        """
        with self._lock:
            known = self._texts.get(key)
            if known is not None:
                self._texts.move_to_end(key)
                return known
        parsed = parse()
        with self._lock:
            if key not in self._texts:
                self._texts[key] = parsed
                self.size += _size(parsed)
            while self.size > self.most:
                self.size -= _size(self._texts.popitem(last=False)[1])
        return parsed

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._texts.clear()
            self.size = 0


def _size(parsed: ParsedPrompt) -> int:
    return len(parsed.source) + PART_SIZE * (1 + len(parsed.parts) + len(parsed.issues))


PARSED = ParsedTexts()
