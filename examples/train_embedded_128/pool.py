"""Scenes and their captions, drawn once by several processes and kept as tensors.

Records come in families of four: a scene, and three that differ from it in one thing that words
tell (hard negatives of the contrastive stages). Prompts of two and three chunks are apart. What a
caption leaves open is drawn whenever a record is rendered.
"""

from __future__ import annotations

import multiprocessing
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, chunk, tokenize
from clipcond.prompt import parse
from clipcond.tokenizers import clip_bpe, word_piece
from clipcond.tokenizers.base import SpecialTokens

from .captioning import Habits, Language, Said
from .captions import ENGLISH
from .captions_zh import CHINESE, MIXED
from .models import CHINESE_POSITIONS
from .render import Scenes, as_tensors
from .settings import Work
from .sprites import Offers
from .world import Mix, Places, Scene

FAMILY = 4
PART = 2000  # records drawn by one call of a process
SHARES = {1: 0.86, 2: 0.11, 3: 0.03}  # of the records, by number of chunks
N_WORDS = {1: (15, 40), 2: (80, 115), 3: (160, 195)}  # of filler around a caption
LONG = 0.08  # of the records of one chunk: a long one
ENGLISH_SHARE, MIXED_SHARE = 0.1, 0.2  # of the Chinese captions


@dataclass(frozen=True, slots=True)
class Records:
    """Scenes with their captions.

    Args:
        scenes: n scenes.
        ids: int32 [n K 77], the English prompt's K chunks; `weights`: float16, theirs.
        key: int64 [n], equal where captions mean the same.
        chinese, chinese_key: int32 [n 52], padded with 0, and int64 [n]; of one chunk only.
    """

    scenes: Scenes
    ids: Tensor
    weights: Tensor
    key: Tensor
    chinese: Tensor
    chinese_key: Tensor

    def __len__(self) -> int:
        return len(self.key)

    def to(self, device: str) -> Records:
        """The same on a device."""
        return Records(*(getattr(self, each.name).to(device) for each in fields(self)))

    def state(self) -> dict[str, Tensor]:
        """All tensors by name, for a file."""
        scenes = {f"scenes.{f.name}": getattr(self.scenes, f.name) for f in fields(Scenes)}
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "scenes"}
        return scenes | own

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> Records:
        """What `state` gave."""
        scenes = Scenes(*(state[f"scenes.{f.name}"] for f in fields(Scenes)))
        return cls(scenes, *(state[f.name] for f in fields(cls)[1:]))

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """Several one after the other."""
        states = [part.state() for part in parts]
        return cls.from_state({key: torch.cat([s[key] for s in states]) for key in states[0]})


@cache
def _clip() -> tuple[clip_bpe.ClipBpeTokenizer, SpecialTokens]:
    tokenizer = clip_bpe.ClipBpeTokenizer(clip_bpe.shipped_clip())
    return tokenizer, clip_bpe.special_tokens(tokenizer.source, tokenizer.source.model_max_length)


def english_chunks(prompt: str) -> tuple[TokenChunk, ...]:
    """The chunks that the a1111 dialect makes of a prompt."""
    tokenizer, special = _clip()
    return chunk(tokenize(parse(prompt), tokenizer), special)


@cache
def _bert() -> Any:
    return word_piece.chinese_tokenizer()


def chinese_ids(prompts: Sequence[str]) -> Tensor:
    """BERT's ids, cut and padded to its positions: int32 [n 52]."""
    made = _bert()(
        list(prompts), padding="max_length", truncation=True, max_length=CHINESE_POSITIONS
    )
    return torch.tensor(made.input_ids, dtype=torch.int32)


def key_of(said: Said) -> int:
    """A number for what a caption means."""
    meaning = ("silent", said.scene.degraded) if said.silent else said.scene.meaning
    text = repr((meaning, [round(s, 2) for s in said.scale]))
    return (zlib.crc32(text.encode()) << 31) ^ zlib.crc32(text[::-1].encode())


def family(places: Places, rng: random.Random) -> list[Scene]:
    """A scene and three near it, which are near each other too."""
    scenes = [places.draw(rng)]
    while len(scenes) < FAMILY:
        near = places.near(rng.choice(scenes[-2:]), rng)
        if near.meaning not in {scene.meaning for scene in scenes}:
            scenes.append(near)
    return scenes


def long_enough(language: Language, text: str, n_chunks: int, rng: random.Random) -> str:
    """`text` among as much filler as makes `n_chunks` chunks, about."""
    return language.lengthened(text, rng, rng.randint(*N_WORDS[n_chunks]))


def draw_part(offers: Offers, n: int, n_chunks: int, seed: str, mix: Mix) -> Records:
    """Draw `n` records; the same for the same seed."""
    rng, places = random.Random(seed), Places(offers, mix)
    kept: list[tuple[Said, tuple[TokenChunk, ...]]] = []
    chinese: list[Said] = []
    while len(kept) < n:
        for scene in family(places, rng) if n_chunks == 1 else [places.draw(rng)]:
            kept.append(_english(scene, n_chunks, rng))
            which = rng.random()
            rest = which - ENGLISH_SHARE
            other = ENGLISH if rest < 0 else MIXED if rest < MIXED_SHARE else CHINESE
            chinese.append(other.describe(kept[-1][0].scene, rng, Habits(weighted=0.0)))
    kept, chinese = kept[:n], chinese[:n]
    scenes = as_tensors([said.scene for said, _ in kept], [said.scale for said, _ in kept])
    ids = np.array([[c.input_ids for c in chunks] for _, chunks in kept], dtype=np.int32)
    weights = np.array([[c.weights for c in chunks] for _, chunks in kept], dtype=np.float16)
    return Records(
        scenes,
        torch.from_numpy(ids),
        torch.from_numpy(weights),
        torch.tensor([key_of(said) for said, _ in kept]),
        chinese_ids([said.prompt for said in chinese]),
        torch.tensor([key_of(said) for said in chinese]),
    )


def _english(
    scene: Scene, n_chunks: int, rng: random.Random
) -> tuple[Said, tuple[TokenChunk, ...]]:
    """A caption of so many chunks."""
    while True:
        said = ENGLISH.describe(scene, rng, Habits())
        if n_chunks > 1 or rng.random() < LONG:
            said = replace(said, prompt=long_enough(ENGLISH, said.prompt, n_chunks, rng))
        chunks = english_chunks(said.prompt)
        if len(chunks) == n_chunks:
            return said, chunks


def jobs(work: Work, mix: Mix) -> Iterator[tuple[int, int, str, Mix]]:
    """Number, chunks, seed and mix of every part."""
    for n_chunks, share in SHARES.items():
        n = max(FAMILY * 2, int(work.batches.pool * share))
        for start in range(0, n, PART):
            seed = f"train {work.seed} {n_chunks} {start}"
            yield min(PART, n - start), n_chunks, seed, mix


def make_pool(work: Work, offers: Offers, mix: Mix | None = None) -> dict[int, Records]:
    """Draw the records of every number of chunks, or read those that were drawn before."""
    path = work.runs / "pool.pt"
    if path.exists():
        found = torch.load(path, weights_only=True)
        return {n: Records.from_state(state) for n, state in found.items()}
    todo = list(jobs(work, mix or Mix()))
    if work.workers > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(work.workers, mp_context=context) as processes:
            waiting = [processes.submit(draw_part, offers, *job) for job in todo]
            parts = [each.result() for each in waiting]
    else:
        parts = [draw_part(offers, *job) for job in todo]
    pool = {
        n: Records.joined([p for p, job in zip(parts, todo, strict=True) if job[1] == n])
        for n in SHARES
    }
    work.runs.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({n: records.state() for n, records in pool.items()}, part)
    part.replace(path)
    return pool


def known_rows(pool: dict[int, Records]) -> Tensor:
    """Which rows of the English vocabulary are learned: bool [vocabulary].

    Those that captions use; of strange words only what they share with others, so that a word
    that nothing was learned of is known to be unknown.
    """
    tokenizer, _ = _clip()
    used = [records.ids.unique().long() for records in pool.values()]
    known = _rows(len(tokenizer.source), used, tokenizer.encode_batch, (ENGLISH,))
    known[[tokenizer.source.bos_token_id, tokenizer.source.eos_token_id]] = True
    return known


def known_chinese(pool: dict[int, Records]) -> Tensor:
    """The same of the Chinese vocabulary, without what stands for unknown words and padding."""
    tokenizer: Any = _bert()
    used = [records.chinese.unique().long() for records in pool.values()]

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return tokenizer(list(texts)).input_ids

    known = _rows(len(tokenizer), used, encode, (CHINESE, ENGLISH))
    known[[tokenizer.unk_token_id, tokenizer.pad_token_id]] = False
    return known


def _rows(
    n: int,
    used: Sequence[Tensor],
    encode: Callable[[Sequence[str]], list[list[int]]],
    languages: Sequence[Language],
) -> Tensor:
    known = torch.zeros(n, dtype=torch.bool)
    for ids in used:
        known[ids.cpu()] = True
    said = [text for language in languages for text in language.words()]
    strange = [word for language in languages for word in language.strange]
    known[sorted({i for ids in encode(strange) for i in ids})] = False
    known[sorted({i for ids in encode(said) for i in ids})] = True
    return known
