"""Search the combination of phrases that a picture is nearest to: greedy, or by beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from clipcond.reading.word_lists import WordList

Chosen: TypeAlias = tuple[tuple[str, ...], ...]  # of each list the phrases that were chosen
Score: TypeAlias = Callable[[Sequence[str]], Tensor]  # texts -> cosines [n]
# By how much a further phrase has to raise the cosine.
LEAST_GAIN = 0.003


@dataclass(frozen=True, slots=True)
class PhraseSearch:
    """A search over lists of phrases.

    Args:
        lists: in the order of the text.
        comma: between two phrases.
        start: what the text begins with, such as a caption; "" = nothing.
        beam: how many texts are gone on with; 1 is greedy.
    """

    lists: Sequence[WordList]
    comma: str
    start: str = ""
    beam: int = 4

    def best(self, score: Score) -> tuple[Chosen, float]:
        """Add phrases one by one, while the cosine rises; return the best ones and their cosine.

        In each round every phrase that is not there yet is tried, in the place of its list, and
        there before or behind the phrases of its list.
        """
        empty: Chosen = tuple(() for _ in self.lists)
        best, best_score = empty, -1.0
        if self.start:
            best_score = float(score([self.start])[0])
        states = [empty]
        while True:
            further = dict.fromkeys(each for state in states for each in self._further(state))
            if not further:
                return best, best_score
            candidates = list(further)
            scores = score([self.text(each) for each in candidates])
            values, places = scores.topk(min(self.beam, len(candidates)))
            if float(values[0]) < best_score + LEAST_GAIN:
                return best, best_score
            best, best_score = candidates[int(places[0])], float(values[0])
            states = [candidates[i] for i in places.tolist()]

    def text(self, chosen: Chosen) -> str:
        """Join what was chosen."""
        phrases = [phrase for own in chosen for phrase in own]
        return self.comma.join([self.start, *phrases] if self.start else phrases)

    def _further(self, chosen: Chosen) -> Iterator[Chosen]:
        for i, (words, own) in enumerate(zip(self.lists, chosen, strict=True)):
            if len(own) == words.most:
                continue
            for phrase in words.phrases:
                if phrase in own:
                    continue
                for new in dict.fromkeys([(*own, phrase), (phrase, *own)]):
                    yield (*chosen[:i], new, *chosen[i + 1 :])
