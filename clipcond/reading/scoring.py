"""Measure how well a picture shows what a prompt says, and which of its parts it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName
from clipcond.conditioning.explaining import Explainer
from clipcond.conditioning.prompt_text import list_prompts
from clipcond.errors import PromptError
from clipcond.prompt.segments import ParsedPrompt
from clipcond.reading.batches import BadPicture
from clipcond.reading.encoder import BATCH_SIZE, DualEncoder, checked_encoder
from clipcond.reading.phrases import phrases_of, plain_text
from clipcond.reading.pictures import Picture, listed

WEIGHT = 2.5  # Source: Hessel et al. 2021, "CLIPScore", section 3


@dataclass(frozen=True, slots=True)
class PartScore:
    """How well a picture shows one part of a prompt.

    Attributes:
        text: the part.
        start, stop: where it is in the prompt.
        score: of the part alone, as `clip_score` has it.
        gain: what the part adds: 2.5 * (cosine of the whole prompt - cosine without this part).
            Below 0 the picture fits the rest better, so it lacks the part. None for a prompt of
            one part.
    """

    text: str
    start: int
    stop: int
    score: float
    gain: float | None


@dataclass(frozen=True, slots=True)
class PromptScore:
    """How well a picture shows a prompt: `score` of the whole, and its `parts`."""

    prompt: str
    score: float
    parts: tuple[PartScore, ...]

    @property
    def weakest(self) -> PartScore:
        """The part that the picture shows least: the smallest gain, or the only part."""
        return min(self.parts, key=lambda part: 0.0 if part.gain is None else part.gain)


def clip_score(
    encoder: DualEncoder,
    images: Picture | Sequence[Picture],
    prompts: str | Sequence[str],
    *,
    dialect: DialectName | Dialect = "plain",
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Compute the CLIPScore of pictures and prompts: 2.5 * max(cosine, 0), pair by pair.

    A prompt of any length counts whole, see `DualEncoder.encode_text`. Scores of two encoders
    cannot be compared: each has its own range.

    Args:
        images: n pictures, as for `DualEncoder.encode_image`.
        prompts: n prompts, or a single one for all; a list has one for each picture.
        dialect: what brackets and weights in the prompts are: "plain" = text; "a1111", "comfyui",
            ... = syntax, which is left out, and what it does is not: of a prompt over time the last
            step's text is scored, as `Conditioner` encodes it.
    Returns:
        [n], float32.
    Raises:
        PictureError: a picture cannot be read.
        PromptError: there are not as many prompts as pictures, or one has no text.
        UnknownNameError: no such dialect.
    Source: Hessel et al. 2021, "CLIPScore: A Reference-free Evaluation Metric for Image
        Captioning", section 3.
    """
    pictures = listed(images)
    given = [prompts] * len(pictures) if isinstance(prompts, str) else list_prompts(prompts)
    if len(given) != len(pictures):
        raise PromptError(
            f"{len(pictures)} pictures, but {len(given)} prompts",
            remedy="Give each picture its prompt, or a single text for all of them.",
        )
    texts = scored_texts(encoder, given, dialect)
    images_embeds = encoder.encode_image(pictures, batch_size=batch_size)
    cosines = _cosines(images_embeds, encoder.embed(texts))
    return WEIGHT * cosines.clamp(min=0)


def score_pairs(
    encoder: DualEncoder, pictures: Sequence[Picture], texts: Sequence[str], *, progress: bool
) -> list[float | BadPicture]:
    """Compute the CLIPScore of each of n pictures with its text; pictures may be bad.

    Args:
        texts: n, see `scored_texts`.
        progress: show on standard error how many are done.
    """
    found = encoder.encode_pictures(pictures, progress=progress)
    different = list(dict.fromkeys(texts))
    rows = dict(zip(different, encoder.embed(different), strict=True))
    scores: dict[int, float | BadPicture] = {bad.place: bad for bad in found.bad}
    for place, embeds in zip(found.places, found.embeds, strict=True):
        scores[place] = WEIGHT * max(float(embeds @ rows[texts[place]]), 0.0)
    return [scores[i] for i in range(len(pictures))]


def scored_texts(
    encoder: DualEncoder, prompts: Sequence[str], dialect: DialectName | Dialect
) -> list[str]:
    """List what of each prompt is scored: its text without syntax.

    Raises:
        PromptError: a prompt has no text.
        UnknownNameError: no such dialect.
    """
    return [plain_text(parsed) for parsed in _read(encoder, prompts, dialect)]


def score_parts(
    encoder: DualEncoder,
    image: Picture,
    prompt: str,
    *,
    dialect: DialectName | Dialect = "a1111",
) -> PromptScore:
    """Score a prompt and each of its parts: which part does the picture lack?

    A part is what a comma, another such sign or a break sets apart.

    Args:
        dialect: of the prompt; see `clip_score`.
    Raises:
        PictureError: the picture cannot be read.
        PromptError: the prompt has no text.
    """
    (text,) = list_prompts([prompt])
    (parsed,) = _read(encoder, [text], dialect)
    whole, parts = plain_text(parsed), phrases_of(parsed)
    rests = [", ".join(each.text for each in parts if each is not part) for part in parts]
    texts = [whole, *(part.text for part in parts), *(rests if len(parts) > 1 else ())]
    cosines = _cosines(encoder.encode_image(image), encoder.embed(texts)).tolist()
    alone, without = cosines[1 : 1 + len(parts)], cosines[1 + len(parts) :]
    gains = [WEIGHT * (cosines[0] - each) for each in without] or [None]
    return PromptScore(
        text,
        WEIGHT * max(cosines[0], 0.0),
        tuple(
            PartScore(part.text, part.start, part.stop, WEIGHT * max(cosine, 0.0), gain)
            for part, cosine, gain in zip(parts, alone, gains, strict=True)
        ),
    )


def _read(
    encoder: DualEncoder, prompts: Sequence[str], dialect: DialectName | Dialect
) -> list[ParsedPrompt]:
    """Parse prompts as a `Conditioner` does, and warn of the same."""
    reader = Explainer((checked_encoder(encoder).tower,), dialect).reader
    texts = [reader.read(prompt) for prompt in prompts]
    parsed = reader.parse_and_warn([[(text,)] for text in texts])
    return [parsed[text] for text in texts]


def _cosines(image_embeds: Tensor, text_embeds: Tensor) -> Tensor:
    """Compare unit vectors row by row; one picture goes with all texts."""
    cosines: Tensor = (image_embeds * text_embeds).sum(-1)
    return cosines
