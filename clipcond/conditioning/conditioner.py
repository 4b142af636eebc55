"""Conditioner: prompts to what a diffusion model is conditioned on. The only file that sees all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch

from clipcond.adapters.base import Adapter
from clipcond.checkpoints.textual_inversions import (
    InversionSource,
    find_inversion,
    inversion_names,
    load_inversion,
    remove_inversion,
)
from clipcond.chunking import common_length, empty_chunk
from clipcond.conditioning import checks
from clipcond.conditioning.adapter_stage import Adapting
from clipcond.conditioning.arguments import as_many, as_prompts, check_clip_skip, check_towers
from clipcond.conditioning.cache import ChunkCache, ChunkEncoder
from clipcond.conditioning.dialects import Dialect, choose_fullwidth, find_dialect
from clipcond.conditioning.plan import Chunks, Key, Whole, lay_out, one_prompt, pooled_chunk
from clipcond.conditioning.report import Report, report
from clipcond.conditioning.results import Conditioning, Guided, joined, only, zeros_like
from clipcond.errors import TowerError, about
from clipcond.prompt import ParsedPrompt, parse, reduce_to_one_text
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.towers.base import HiddenLayer, TextTower, check_layer
from clipcond.weighting import Mixed, Normalize, Rule, find_normalize, find_rule, needs_of

__all__ = ["Conditioner", "Conditioning", "Guided"]

Prompts = str | Sequence[str]


class Conditioner:
    """Prompts in, conditionings out: one dialect, and one tower or SDXL's pair of towers.

    Args:
        tower: the text tower; with `tower_2`, its embeddings come first.
        tower_2: SDXL's second tower; joined along the width, and the source of the pooled vector.
        dialect: a name (`a1111`, `diffusers`, `plain`, ...) or a `Dialect`.
        clip_skip: as A1111 counts: 1 = last layer, 2 = penultimate with the final norm. For a pair
            1 and 2 are both the penultimate layer without norm; n > 2 goes deeper in both.
        weighting: the rule instead of the dialect's, by name or itself.
        normalize: the normalisation of weights instead of the dialect's, by name or itself.
        layer: the layer itself instead of clip_skip's; for a pair one for each, or one for both.
        pooled: whether pooled vectors are wanted; by default only with a pair of towers, because
            they need the layers above the chosen one.
        adapter: maps the tower's states, weights applied, chunk by chunk into the space of a UNet
            trained with another tower; one tower with an adapter stands for SDXL's pair too. What
            comes out has the adapter's width and length, no mask, and its pooled vector.
        fullwidth: whether full-width punctuation is syntax too, `（猫：1.3）` as `(猫:1.3)`; by
            default where the tower is a Chinese one and the dialect knows how.
    Raises:
        UnknownNameError: no such dialect, rule or normalisation; `fullwidth` in one without.
        TowerError: clip_skip or layer is beyond the tower's blocks; the adapter reads another
            tower, or has no pooled vector where one is wanted.
    """

    def __init__(
        self,
        tower: TextTower,
        tower_2: TextTower | None = None,
        *,
        dialect: str | Dialect = "a1111",
        clip_skip: int = 1,
        weighting: str | Rule | None = None,
        normalize: str | Normalize | None = None,
        layer: HiddenLayer | tuple[HiddenLayer, ...] | None = None,
        pooled: bool | None = None,
        adapter: Adapter | None = None,
        fullwidth: bool | None = None,
    ) -> None:
        self.towers = (tower,) if tower_2 is None else (tower, tower_2)
        check_towers(self.towers)
        self.dialect = find_dialect(dialect).of(len(self.towers))
        self.fullwidth = choose_fullwidth(fullwidth, self.dialect, self.towers)
        self.rule = find_rule(self.dialect.weighting if weighting is None else weighting)
        self.normalize = find_normalize(self.dialect.normalize if normalize is None else normalize)
        self.clip_skip = clip_skip
        self.layer = layer
        self._adapting = None if adapter is None else Adapting(adapter, self.towers)
        if self._adapting is not None:
            pooled = self._adapting.wants_pooled(pooled)
        self.pooled = len(self.towers) > 1 if pooled is None else pooled
        self.cache = ChunkCache()
        self.layers()  # refuses a layer that is not there now, not at the first prompt

    def __call__(
        self,
        prompts: Prompts,
        clip_skip: int | None = None,
        *,
        prompts_2: Prompts | None = None,
    ) -> Conditioning:
        """Condition on one prompt or several; all come out as long as the longest.

        Args:
            prompts: a string, or a list of strings.
            clip_skip: for this call only.
            prompts_2: what the second tower of a pair reads, if not the same.
        Returns:
            embeds [b S D], S a multiple of the context length in most dialects; no gradients.
        Raises:
            PromptTypeError: something is not a string.
            PromptError: no prompts, or one that cannot be read; shows where.
            WeightingError: weights beyond what the tower's dtype can hold.
        """
        positive = self._pairs(as_prompts(prompts), prompts_2)
        (conditioning,) = self._condition([positive], clip_skip)
        return conditioning

    def guided(
        self,
        prompts: Prompts,
        negatives: Prompts | None = None,
        clip_skip: int | None = None,
        *,
        prompts_2: Prompts | None = None,
        negatives_2: Prompts | None = None,
    ) -> Guided:
        """Condition on prompts and negatives: equally long, the same layer, one tower call.

        Args:
            prompts: a string, or a list of strings.
            negatives: one for all prompts, or one for each. None = none: the empty prompt, or for
                a pair of towers zeros, as the dialect has it.
            clip_skip: for this call only, negatives included.
            prompts_2, negatives_2: what the second tower of a pair reads, if not the same.
        """
        positive = self._pairs(as_prompts(prompts), prompts_2)
        texts = as_many("" if negatives is None else negatives, len(positive), "negative prompt")
        negative = self._pairs(texts, negatives_2, negative=True)
        pair = self._condition([positive, negative], clip_skip)
        given = None if negatives is None and negatives_2 is None else sum(negative, ())
        if len(self.towers) > 1 and self.dialect.zero_negative(given):
            pair[1] = zeros_like(pair[1])
        return Guided(*pair)

    def chunks(self, prompt: str) -> Chunks:
        """The chunks of the first tower for the prompt as written: `[a:b:0.5]`, AND included."""
        (prompt,) = as_prompts([prompt])
        return self._chunks(self._parse(prompt))

    @property
    def adapter(self) -> Adapter | None:
        """The adapter in use."""
        return None if self._adapting is None else self._adapting.adapter

    @property
    def inversions(self) -> tuple[str, ...]:
        """The names of the textual inversions loaded here."""
        return inversion_names(self.towers)

    def load_inversion(
        self, source: InversionSource, token: str | None = None, *, allow_pickle: bool = False
    ) -> str:
        """Load a textual inversion; what it stands for is kept beside the model, not in it.

        Args:
            source: a file or folder of diffusers, A1111 or ComfyUI; or tensors laid out as in one.
            token: how prompts are to call it; by default as its file says or is called.
            allow_pickle: whether a `.pt` or `.bin` file may be opened (its tensors, no code).
        Returns:
            the name to write in a prompt: bare, or `embedding:name` in ComfyUI's dialects.
        Raises:
            CheckpointError: not to be read, no inversion, or one for another model.
            TowerError: a name that is taken, or vectors that fit no tower here.
        """
        return load_inversion(self.towers, source, token, allow_pickle=allow_pickle)

    def remove_inversion(self, name: str) -> None:
        """Forget a textual inversion that was loaded here.

        Raises:
            TowerError: there is none of that name.
        """
        remove_inversion(self.towers, name)

    def explain(self, prompt: str) -> Report:
        """How the prompt as written is read: segments, chunks, tokens, weights, issues."""
        (prompt,) = as_prompts([prompt])
        parsed = self._parse(prompt)
        if self.dialect.settles:
            issues = reduce_to_one_text(prompt, fullwidth=bool(self.fullwidth))[1]
            parsed = replace(parsed, issues=(*parsed.issues, *issues))
        chunks = self._chunks(parsed)
        return report(parsed, chunks, self.towers[0], self.layers()[0], self.dialect.name)

    def layers(self, clip_skip: int | None = None) -> tuple[HiddenLayer, ...]:
        """The layer used of each tower, with this clip_skip or else the conditioner's own.

        Raises:
            TowerError: there is no such layer.
        """
        n_towers = len(self.towers)
        if clip_skip is None and self.layer is not None:
            layers = self.layer if isinstance(self.layer, tuple) else (self.layer,) * n_towers
            if len(layers) != n_towers:
                raise TowerError(f"{len(layers)} layers were given for {n_towers} towers")
            for tower, layer in zip(self.towers, layers, strict=True):
                check_layer(layer, tower.depth, tower.name)
            return layers
        n = self.clip_skip if clip_skip is None else clip_skip
        shallowest = min(self.towers, key=lambda tower: tower.depth)
        check_clip_skip(n, shallowest.depth, shallowest.name)
        if n_towers > 1:  # SDXL was trained on the penultimate layers, not normed
            return (HiddenLayer(max(2, n), final_norm=False),) * n_towers
        return (HiddenLayer(n, final_norm=True),)

    def _pairs(
        self, texts: list[str], texts_2: Prompts | None, *, negative: bool = False
    ) -> list[tuple[str, ...]]:
        """What each tower reads, for each prompt: its last step, its first part."""
        columns = [texts] * len(self.towers)
        if texts_2 is not None and len(columns) > 1:
            columns[1] = as_many(texts_2, len(texts), "second prompt")
            if self.dialect.appends_second:
                columns = [[" ".join(both) for both in zip(*columns, strict=True)]] * 2
        if self.dialect.settles:
            unique = dict.fromkeys(text for column in columns for text in column)
            wide = bool(self.fullwidth)
            settled = {
                text: reduce_to_one_text(text, negative=negative, fullwidth=wide) for text in unique
            }
            for text, (_, issues) in settled.items():
                checks.warn_issues(text, issues)
            columns = [[settled[text][0] for text in column] for column in columns]
        return list(zip(*columns, strict=True))

    def _parse(self, prompt: str) -> ParsedPrompt:
        parsed = parse(prompt, self.dialect.syntax, fullwidth=bool(self.fullwidth))
        parsed = with_lookalikes(parsed, fullwidth=self.fullwidth)
        return parsed.with_names(partial(find_inversion, self.towers))

    def _chunks(self, parsed: ParsedPrompt) -> Chunks:
        return one_prompt(parsed, self.towers[0], self.dialect, self.normalize)

    def _condition(
        self, groups: Sequence[Sequence[tuple[str, ...]]], clip_skip: int | None
    ) -> list[Conditioning]:
        """One conditioning for each group of prompts, all of one length."""
        layers = self.layers(clip_skip)
        texts = dict.fromkeys(text for group in groups for prompt in group for text in prompt)
        parsed = {text: self._parse(text) for text in texts}
        for text, prompt in parsed.items():
            checks.warn_issues(text, prompt.issues)
        checks.warn_unread(parsed.values(), self.towers)
        layout = lay_out(groups, parsed, self.towers, self.dialect, self.normalize)
        length = common_length(layout.lengths, repeats=self.dialect.repeats)
        rows = self.dialect.rows(layout.prompts)
        if self._adapting is not None:
            self._adapting.check_layer(layers[0])
            rows = None  # they are places of tokens; an adapter's rows are not
        # tensors made under a caller's inference_mode could not serve a later call under autograd
        with torch.inference_mode(False), torch.no_grad():
            parts = [
                self._encode(*of_tower, parsed, length)
                for of_tower in zip(
                    self.towers, layers, layout.columns, layout.mixtures, strict=True
                )
            ]
            return [only(joined(keys, layout.columns, parts), rows) for keys in layout.keys]

    def _encode(
        self,
        tower: TextTower,
        layer: HiddenLayer,
        column: Mapping[Key, Chunks],
        mixtures: Mapping[Key, Mixed],
        parsed: Mapping[str, ParsedPrompt],
        length: int,
    ) -> Conditioning:
        """One tower's part: each prompt of the column, brought to `length` chunks."""
        wants_pooled = self.pooled and tower is self.towers[-1]
        special = self.dialect.frame(tower.special)
        encode = ChunkEncoder(
            tower,
            layer,
            self.cache,
            pooled=wants_pooled and self._adapting is None,
            special=special,
        )
        empty = empty_chunk(special)
        prompts = [
            Whole.of(self.rule, chunks, mixtures.get(key), length, repeats=self.dialect.repeats)
            for key, chunks in column.items()
        ]
        chosen = [
            pooled_chunk(key.text, chunks, tower, self.dialect)
            for key, chunks in column.items()
            if wants_pooled
        ]
        own = [c for prompt in prompts for c in (*prompt.chunks, *[empty] * prompt.n_missing)]
        needed = [c for p in prompts for c in needs_of(p.rule, p.chunks, special)]
        encode.prefetch(own + needed + chosen)

        rows = []
        for key, prompt in zip(column, prompts, strict=True):
            with about(key.text, checks.place_of_weight(parsed[key.text])):
                rows.append(prompt.encoded(encode).flatten(0, 1))  # [n L D] -> [S D]
        embeds = torch.stack(rows)
        read = [(parsed[key.text], chunks) for key, chunks in column.items()]
        checks.check_finite(embeds, read, repr(tower.name), encode)
        mask = None
        if special.mask_padding:
            masks = [p.masks * p.n_times + [empty.attention_mask] * p.n_missing for p in prompts]
            mask = torch.tensor(masks, device=embeds.device).flatten(1)
        if self._adapting is not None:
            return self._adapting(embeds, mask, read, chosen, encode)
        return Conditioning(embeds, encode(chosen).pooled if chosen else None, mask)
