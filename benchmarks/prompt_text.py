"""Write prompts of known length."""

from __future__ import annotations

import re
from random import Random

# one token each
WORDS = re.findall(r"\w+", "a red fox and two cats under an old tree with soft light sharp snow")


def text(n_tokens: int, *, weighted: bool = False, start: int = 0) -> str:
    """Write so many words of a token each, in A1111's notation; two of five have a weight."""
    words = Random(start).choices(WORDS, k=n_tokens)  # not in turns: chunks would be equal
    if weighted:
        for i in range(0, n_tokens - 1, 5):
            words[i], words[i + 1] = f"({words[i]}", f"{words[i + 1]}:1.{i % 9 + 1})"
    return " ".join(words)
