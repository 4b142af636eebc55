"""Infer a prompt from a picture: the phrases, out of lists, that it is nearest to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TypeAlias

from torch import Tensor

from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName, find_dialect
from clipcond.errors import ReadingError
from clipcond.prompt import parse
from clipcond.prompt.rendering import render
from clipcond.reading.captioning import Captioner, load_captioner
from clipcond.reading.encoder import DualEncoder
from clipcond.reading.phrase_lists import WordList, Words, word_lists
from clipcond.reading.phrase_search import PhraseSearch
from clipcond.reading.pictures import Picture, listed
from clipcond.reading.scoring import WEIGHT
from clipcond.reading.text_cache import embed_cached

SHORT_LISTS = 256  # phrases of all lists together that are tried in combination
# By how much a phrase has to raise the cosine, in deviations of the cosines of all phrases.
LEAST_GAIN = 0.2
Ranked: TypeAlias = list[tuple[str, float]]
SHOWN = 10  # phrases of a list in the result


@dataclass(frozen=True, slots=True)
class Interrogation:
    """What a picture was found to show.

    Attributes:
        prompt: in the syntax of the dialect.
        score: the CLIPScore of picture and prompt, as `clip_score` has it.
        phrases: those of the prompt by the kind of their list.
        ranked: the ten best of each list, each alone, with their CLIPScores.
        caption: what a captioner said, which the prompt begins with; or None.
    """

    prompt: str
    score: float
    phrases: Mapping[str, tuple[str, ...]]
    ranked: Mapping[str, tuple[tuple[str, float], ...]]
    caption: str | None = None


def interrogate(
    encoder: DualEncoder,
    image: Picture,
    words: Words = None,
    *,
    dialect: DialectName | Dialect = "a1111",
    beam: int = 4,
    captioner: str | PathLike[str] | Captioner | None = None,
) -> Interrogation:
    """Infer a prompt that the encoder finds close to a picture.

    Every phrase of the lists is ranked by its cosine with the picture; of the best of each list,
    that combination is searched whose cosine is highest. Embeddings of texts are kept for the next
    picture. Score with the tower that conditions your pipeline, and it will read the prompt alike.

    Args:
        image: as for `DualEncoder.encode_image`, one.
        words: lists to choose from; see `word_lists`.
        dialect: whose syntax the prompt is in: brackets that are text get their escapes.
        beam: how many combinations are gone on with; 1 = greedy, a few times as fast.
        captioner: a hub id or folder of a BLIP model of transformers; for many pictures what
            `load_captioner` gives, or any function from a picture to a text. Its caption begins the
            prompt, and our nouns are left out.
    Raises:
        PictureError: the picture cannot be read.
        ReadingError: a wrong `beam`, several pictures, an empty caption; or see `word_lists`.
        CheckpointError: the captioner cannot be opened.
        UnknownNameError: no such dialect, or none whose syntax can be written.
        PromptError: the dialect cannot write what was found.
    """
    if isinstance(beam, bool) or not isinstance(beam, int) or beam < 1:
        raise ReadingError(f"beam is a whole number from 1, not {beam!r}")
    syntax = _syntax_of(dialect)
    lists = word_lists(encoder, words)
    own = _embedded(encoder, image)
    caption = None
    if captioner is not None:
        caption = _caption(captioner, image, encoder)
        lists = lists if words else tuple(each for each in lists if each.kind != "nouns")

    def score(texts: Sequence[str]) -> Tensor:
        return embed_cached(encoder, texts) @ own

    ranked = [_ranked(each, score) for each in lists]
    cosines = score([text for each in lists for text in each.phrases])
    search = PhraseSearch(
        _short_lists(lists, ranked),
        "，" if encoder.reads_chinese_best else ", ",
        LEAST_GAIN * float(cosines.std(correction=0)),
        caption or "",
        beam,
    )
    chosen, cosine = search.best(score)
    return Interrogation(
        render(parse(search.text(chosen), "plain"), syntax),
        WEIGHT * max(cosine, 0.0),
        {each.kind: phrases for each, phrases in zip(lists, chosen, strict=True)},
        {each.kind: tuple(best[:SHOWN]) for each, best in zip(lists, ranked, strict=True)},
        caption,
    )


def _syntax_of(dialect: DialectName | Dialect) -> str:
    """Find what a dialect's prompts are written in.

    Raises:
        UnknownNameError: no such dialect, or none whose syntax can be written.
    """
    own = find_dialect(dialect)
    syntax = own.syntax if isinstance(own.syntax, str) else own.name
    render(parse("", "plain"), syntax)
    return syntax


def _embedded(encoder: DualEncoder, image: Picture) -> Tensor:
    """Encode one picture: [P]."""
    pictures = listed(image)
    if len(pictures) != 1:
        raise ReadingError(f"interrogate takes one picture, not {len(pictures)}")
    return encoder.encode_image(pictures)[0]


def _ranked(words: WordList, score: Callable[[Sequence[str]], Tensor]) -> Ranked:
    """Rank the phrases of a list by their CLIPScores, each alone."""
    cosines, places = score(words.phrases).sort(descending=True, stable=True)
    found = zip(places.tolist(), cosines.tolist(), strict=True)
    return [(words.phrases[i], WEIGHT * max(cosine, 0.0)) for i, cosine in found]


def _short_lists(lists: Sequence[WordList], ranked: Sequence[Ranked]) -> list[WordList]:
    n = SHORT_LISTS // len(lists) or 1
    return [
        WordList(each.kind, tuple(text for text, _ in best[:n]), each.most)
        for each, best in zip(lists, ranked, strict=True)
    ]


def _caption(
    captioner: str | PathLike[str] | Captioner, image: Picture, encoder: DualEncoder
) -> str:
    if isinstance(captioner, str | PathLike):
        captioner = load_captioner(captioner, encoder.device)
    caption = " ".join(str(captioner(image)).split())
    if not caption:
        raise ReadingError("the captioner said nothing of the picture")
    return caption
