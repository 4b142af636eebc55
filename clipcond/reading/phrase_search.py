"""Search the combination of phrases that a picture is nearest to: greedy, or by beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.reading.phrase_lists import WordList

Chosen: TypeAlias = tuple[tuple[str, ...], ...]  # of each list the phrases that were chosen
Score: TypeAlias = Callable[[Sequence[str]], Tensor]  # texts -> cosines [n]


@dataclass(frozen=True, slots=True)
class PhraseSearch:
    """A search over lists of phrases.

    Args:
        lists: in the order of the text.
        comma: between two phrases.
        least_gain: by how much each phrase has to raise the cosine.
        start: what the text begins with, such as a caption; "" = nothing.
        beam: how many texts are gone on with; 1 is greedy.
    """

    lists: Sequence[WordList]
    comma: str
    least_gain: float
    start: str = ""
    beam: int = 1

    def best(self, score: Score) -> tuple[Chosen, float]:
        """Change one phrase after the other while that is a gain; return phrases and cosine.

        In each round every change of a text is tried: a phrase more in the place of its list,
        before or behind those of its list; another phrase for one that is there; one less.
        """
        best: Chosen = tuple(() for _ in self.lists)
        value = float(score([self.start])[0]) if self.start else -torch.inf
        cosine, states = value, [best]
        while True:
            changed = list(dict.fromkeys(each for state in states for each in self._changed(state)))
            if not changed:
                return best, cosine
            cosines = score([self.text(each) for each in changed])
            costs = torch.tensor([sum(map(len, each)) for each in changed]) * self.least_gain
            values, places = (cosines - costs).topk(min(self.beam, len(changed)))
            if float(values[0]) <= value:
                return best, cosine
            first = int(places[0])
            best, value, cosine = changed[first], float(values[0]), float(cosines[first])
            states = [changed[i] for i in places.tolist()]

    def text(self, chosen: Chosen) -> str:
        """Join what was chosen."""
        phrases = [phrase for own in chosen for phrase in own]
        return self.comma.join([self.start, *phrases] if self.start else phrases)

    def _changed(self, chosen: Chosen) -> Iterator[Chosen]:
        for i, (words, own) in enumerate(zip(self.lists, chosen, strict=True)):
            for new in _changed_phrases(words, own):
                found = (*chosen[:i], new, *chosen[i + 1 :])
                if self.start or any(found):
                    yield found


def _changed_phrases(words: WordList, own: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for j in range(len(own)):
        yield own[:j] + own[j + 1 :]
    for phrase in words.phrases:
        if phrase in own:
            continue
        if len(own) < words.most:
            yield (*own, phrase)
            yield (phrase, *own)
        for j in range(len(own)):
            yield (*own[:j], phrase, *own[j + 1 :])
