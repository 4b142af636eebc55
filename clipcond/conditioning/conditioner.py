"""Turn prompts into conditionings: parse, tokenize, chunk, plan, apply the rule, join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from os import PathLike
from typing import Any, cast

import torch

from clipcond.adapters.base import Adapter
from clipcond.arguments import check_arguments
from clipcond.checkpoints import load_towers
from clipcond.conditioning import checks, prompt_text, results
from clipcond.conditioning.adapter_stage import AdapterStage
from clipcond.conditioning.alone import ConditionsEach
from clipcond.conditioning.cache import CACHE_BYTES, ChunkCache, ChunkEncoder, empty_chunks_of
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName
from clipcond.conditioning.explaining import Explainer, ModelReads, Prompts
from clipcond.conditioning.image_prompts import TakesImages
from clipcond.conditioning.inversions import TakesInversions
from clipcond.conditioning.measuring import MeasuresRows
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.prompt_text import (
    ExtraNetworks,
    Texts,
    collect_warnings,
    collected_issues,
)
from clipcond.conditioning.report import Report
from clipcond.conditioning.results import Conditioning, Encoded, Guided
from clipcond.conditioning.token_rows import NOTED, kept_rows, note
from clipcond.towers.base import HiddenLayer, TextTower
from clipcond.weighting import WEIGHTINGS, NormalizeChoice, WeightingChoice, find_rule


class Conditioner(Explainer, ConditionsEach, MeasuresRows, TakesInversions, TakesImages):
    """A dialect, and one tower or SDXL's pair of towers: turns prompts into conditionings.

    Args:
        tower: the text tower; with `tower_2`, its embeddings come first.
        tower_2: SDXL's second tower; joined along the width, and the source of the pooled vector.
        dialect: a name (`a1111`, `diffusers`, `plain`, ...) or a `Dialect`.
        clip_skip: as A1111 counts: 1 = last layer, 2 = penultimate with the final norm. For a pair
            1 and 2 are both the penultimate layer without norm; n > 2 goes deeper in both. None =
            the tower's own where it names one (`own_clip_skip`), else 1.
        weighting, normalize: the rule, and what happens to weights before it, by name or itself;
            by default the dialect's.
        layer: the layer itself instead of clip_skip's; for a pair one for each, or one for both.
        pooled: whether pooled vectors are wanted, which need all layers; by default if the model
            reads any.
        reads: what the diffusion model was trained to read; None = as SD and SDXL read them.
        adapter: maps the tower's hidden states, weights applied, chunk by chunk into the space of a
            UNet that was trained with another tower; one tower with an adapter replaces SDXL's pair
            too. Results have the adapter's width and length, no mask, and its pooled vector.
        fullwidth: whether full-width punctuation is syntax too, `（猫：1.3）` as `(猫:1.3)`; by
            default if the towers are Chinese ones and the dialect can read it.
        extra_networks: whether comments behind `#` and `<word:arguments>`, such as
            `<lora:name:0.8>`, are taken out of prompts, with a warning; by default in dialect
            `a1111`, as its user interface does. A function receives the networks of each prompt,
            before it is encoded: a sequence of `clipcond.prompt.ExtraNetwork`, without a warning.
        max_chunks: how many chunks of a prompt are encoded; the rest is dropped, with an issue. Of
            parts of AND a pipeline draws as many: each counts as a chunk, however short it is.
        cache_bytes: for encoded chunks, on the tower's device; 0 for those who train the tower.
    Raises:
        UnknownNameError: there is no such dialect, rule or normalization; or `fullwidth` is wanted
            of a dialect that cannot read it.
        TowerError: clip_skip or layer is beyond the tower's blocks; the adapter reads another
            tower, or has no pooled vector although one is wanted.
        ArgumentError: both clip_skip and layer are given, or an argument is of a wrong kind.
    """

    towers: tuple[TextTower, ...]

    def __init__(
        self,
        tower: TextTower,
        tower_2: TextTower | None = None,
        *,
        dialect: DialectName | Dialect = "a1111",
        clip_skip: int | None = None,
        weighting: WeightingChoice | None = None,
        normalize: NormalizeChoice | None = None,
        layer: HiddenLayer | tuple[HiddenLayer, ...] | None = None,
        pooled: bool | None = None,
        reads: ModelReads | None = None,
        adapter: Adapter | None = None,
        fullwidth: bool | None = None,
        extra_networks: ExtraNetworks = None,
        max_chunks: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        checks.check_limits(max_chunks, cache_bytes)
        check_arguments(fullwidth=fullwidth, pooled=pooled, extra_networks=extra_networks)
        checks.check_objects(layer, reads, adapter)
        towers = (tower,) if tower_2 is None else (tower, tower_2)
        checks.check_towers(towers)
        self._adapter_stage = None if adapter is None else AdapterStage(adapter, towers)
        if self._adapter_stage is not None:
            pooled = self._adapter_stage.wants_pooled(pooled)
        self.cache = ChunkCache(cache_bytes)
        for each in towers if cache_bytes else ():
            empty_chunks_of(each)  # made here, before threads share the towers
        super().__init__(
            towers,
            dialect,
            clip_skip=clip_skip,
            normalize=normalize,
            layer=layer,
            pooled=pooled,
            reads=reads,
            fullwidth=fullwidth,
            extra_networks=extra_networks,
            max_chunks=max_chunks,
        )
        self.rule = find_rule(self.dialect.weighting if weighting is None else weighting)

    @classmethod
    def from_model(
        cls, source: str | PathLike[str], *, allow_pickle: bool = False, **choices: Any
    ) -> Conditioner:
        """Open the text tower of a model, or SDXL's pair, and make a Conditioner of it.

        Args:
            source, allow_pickle: as for `load_tower`; errors too.
            choices: arguments of the Conditioner, by their names.
        """
        return cls(*load_towers(source, allow_pickle=allow_pickle), **choices)

    def __call__(
        self, prompts: Prompts, clip_skip: int | None = None, *, prompts_2: Prompts | None = None
    ) -> Conditioning:
        """Condition on one prompt or several; all results are as long as the longest.

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
        with collect_warnings() as warned:
            positive = self._texts(prompt_text.list_prompts(prompts), prompts_2)
            made = self._condition([(prompt,) for prompt in positive], clip_skip)[0].columns[0]
        return replace(made, issues=collected_issues(warned))

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
            negatives: one for all prompts, or one for each. None = the empty prompt; for a pair of
                towers zeros, if the dialect has it so.
            clip_skip: for this call only, negatives included.
            prompts_2, negatives_2: what the second tower of a pair reads, if not the same.
        """
        texts, given = prompt_text.list_prompts(prompts), "" if negatives is None else negatives
        both = texts, prompt_text.list_each(given, len(texts), "negative prompt")
        with collect_warnings() as warned:
            positive = self._texts(both[0], prompts_2)
            negative = self._texts(both[1], negatives_2, negative=True)
            (made,) = self._condition(list(zip(positive, negative, strict=True)), clip_skip)
        pair = made.columns
        is_given = negatives is not None or negatives_2 is not None
        zeros = [self._gives_zeros(each if is_given else None) for each in negative]
        pair[1] = results.with_zeros(pair[1], zeros)
        issues = prompt_text.issues_of_each(warned, both, (positive, negative))
        return Guided(*(replace(each, issues=own) for each, own in zip(pair, issues, strict=True)))

    def explain(
        self, prompt: str, negative: str | None = None, *, movement: bool = False
    ) -> Report:
        """Report what is encoded of a prompt: segments, chunks, tokens, weights, issues.

        Args:
            prompt: one string.
            negative: what the report shows as well; both are as long as in `guided`.
            movement: whether it is encoded, too, to show how long each token's row is, and how far
                its weight moves it; two reports then also tell how far their embeds differ.
        Raises:
            WeightingError: weights beyond what the tower's dtype can hold, where it is encoded.
        """
        check_arguments(movement=movement)
        return self._explain(prompt, negative, self._measure if movement else None)

    @property
    def adapter(self) -> Adapter | None:
        """The adapter in use."""
        return None if self._adapter_stage is None else self._adapter_stage.adapter

    @property
    def embeds_width(self) -> int:
        """D, of the embeds."""
        if self.adapter is not None:
            return self.adapter.config.width
        return sum(tower.width for tower in self.towers)

    def empty_chunk(self, clip_skip: int | None = None) -> Conditioning:
        """Condition on the empty prompt: one whole chunk, also in dialects that drop rows."""
        if self.dialect.rows is None:
            return self("", clip_skip)
        plain = Conditioner(
            *self.towers,
            dialect="plain",
            clip_skip=self.clip_skip if self.layer is None else None,
            layer=self.layer,
            pooled=self.pooled,
            reads=self.reads,
            adapter=self.adapter,
            cache_bytes=0,
        )
        return plain("", clip_skip)

    def _condition(
        self, rows: Sequence[Sequence[Texts]], clip_skip: int | None, *, sizes: Sequence[int] = ()
    ) -> list[Encoded]:
        """Condition on rows of a prompt and its negative, if any.

        Args:
            sizes: how many of the rows each of several calls has; () = there is one call.
        Returns:
            what the rows of each call came to.
        """
        layers = self.layers(clip_skip)
        parsed = self.reader.parse_and_warn(rows)
        self.reader.hand_over([texts for texts, *_ in rows])
        planned = self._plan(rows, parsed, sizes=sizes)
        left = iter(planned)
        groups = [[*islice(left, n)] for n in sizes or (len(planned),)]
        choose = self._choose_rows
        kept = [None if choose is None else kept_rows(group, choose) for group in groups]
        if NOTED.get() is not None:
            config = None if self.adapter is None else self.adapter.config
            note([texts for texts, *_ in rows], [p for p, *_ in planned], kept[0], config)
        parts: dict[Plan, Conditioning] = {}
        # tensors made under a caller's inference_mode could not serve a later call under autograd
        with torch.inference_mode(False), torch.no_grad():
            is_joined = min(map(len, groups)) > 1 or len(layers) > 1 or kept[0] is not None
            for t, layer in enumerate(layers):
                plans = list(dict.fromkeys(each[t] for row in planned for each in row))
                lengths = results.lengths_in(groups, kept, t, self.rule)
                made = self._encode_and_weigh(plans, layer, lengths, is_joined=is_joined)
                parts.update(zip(plans, made, strict=True))
            columns = [
                results.join(column, parts, rows)
                for group, rows in zip(groups, kept, strict=True)
                for column in zip(*group, strict=True)
            ]
            own, n = results.apart(columns), len(columns) // len(groups)
        of_groups = [own[i : i + n] for i in range(0, len(own), n)]
        return [*map(Encoded, of_groups, groups, kept)]

    def _encode_and_weigh(
        self,
        plans: Sequence[Plan],
        layer: HiddenLayer,
        lengths: results.Lengths,
        *,
        is_joined: bool,
    ) -> list[Conditioning]:
        """Encode one tower's plans, apply the rule, and the adapter if there is one."""
        stage = self._adapter_stage
        if stage is not None:
            stage.check_layer(layer)
        # rules of others may write into what they get, and do not say so
        copies = not is_joined or self.rule not in WEIGHTINGS.values()
        encode = self._encoder(plans[0], layer, lengths, copies=copies)
        parts = results.weigh(plans, self.rule, encode, plans[0].cutter.tower.name)
        return parts if stage is None else stage.of_each(parts, plans, encode)

    def _encoder(
        self, plan: Plan, layer: HiddenLayer, lengths: results.Lengths, *, copies: bool
    ) -> ChunkEncoder:
        cutter, is_bare = plan.cutter, self._adapter_stage is None
        return ChunkEncoder(
            *(cast(TextTower, cutter.tower), cutter.special, layer, self.cache),
            pooled=is_bare and cutter.pooled,
            lengths=lengths,
            gives_copies=copies or not is_bare,
        )
