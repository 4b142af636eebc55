"""Reading and writing compel's syntax takes work that grows with the length."""

from contextlib import suppress

import pytest

from clipcond.errors import PromptError
from clipcond.prompt import Segment, parse
from tests.failures import failures_of
from tests.prompt.test_linear import lines_run

GROWING = {
    "nested": lambda n: "(" * n + "a" + ")1.01" * n,
    "nested text": lambda n: "(a b+ " * n + ")-" * n,
    "unclosed": lambda n: "(a " * n,
    "unclosed, tight": lambda n: "(" * n,
    "unmatched": lambda n: "a) " * n,
    "broken inside": lambda n: "(a " * n + "=" + ")" * n,
    "quotes": lambda n: '"a b+ ' * n,
    "brackets and quotes": lambda n: '("a" (b ' * n,
    "escaped quotes": lambda n: '"a\\" ' * n,
    "swaps": lambda n: "a.swap(b c) " * n,
    "unclosed swaps": lambda n: "a.swap(b " * n,
    "nested swaps": lambda n: "(a.swap(b " * n + "))" * n,
    "broken nested swaps": lambda n: "(a.swap(b.c " * n + "))" * n,
    "swapped swaps": lambda n: "(" * n + "a" + ").swap(b)" * n,
    "conjunction": lambda n: "(" + ",".join(["a"] * n) + ").and()",
    "nested conjunctions": lambda n: "(" * n + "a,b).and()" * n,
    "broken members": lambda n: '("a = b",' * n + ").and()",
    "blend": lambda n: f"({','.join(['a'] * n)}).blend({','.join(['1'] * n)})",
    "nested blends": lambda n: '("a", ' * n + ").blend(1)" * n,
    "broken blends": lambda n: '("a","b").blend(1,' * n,
    "loras": lambda n: "withLora(a) (" * n,
    "commas": lambda n: ",,a" * n,
    "signs": lambda n: "a+- " * n,
    "runs of signs": lambda n: "a" + "+" * n + " b" + "-" * n,
    "weighted runs": lambda n: "(red cat)1.3 dog++ " * n,
    "words": lambda n: "a, b. " * n,
    "backslashes": lambda n: "\\\\( " * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("write", [False, True], ids=["read", "written"])
def test_twice_the_prompt_is_twice_the_work(write):
    def work(prompt: str) -> None:
        with suppress(PromptError):  # of weights that do not fit, of what cannot be written
            parsed = parse(prompt, "compel")
            if write:
                parsed.render()

    def check(name):
        once, twice = (lines_run(work, GROWING[name](n)) for n in (100, 200))
        assert twice <= 2.1 * once + 100

    assert not failures_of(check, GROWING)


def test_ten_thousand_brackets():
    (segment,) = parse("(" * 10_000 + "a" + ")" * 10_000 + "1.2", "compel").segments

    assert segment == Segment("a", 1.2, 10_000, 10_001)
