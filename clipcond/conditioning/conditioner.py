"""Turn prompts into conditionings: parse, tokenize, chunk, plan, apply the rule, join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import torch

from clipcond.adapters.base import Adapter
from clipcond.arguments import check_arguments
from clipcond.checkpoints import load_towers
from clipcond.conditioning import checks, prompt_text, results
from clipcond.conditioning.adapter_stage import AdapterStage
from clipcond.conditioning.cache import CACHE_BYTES, ChunkCache, ChunkEncoder
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName, choose_fullwidth, find_dialect
from clipcond.conditioning.inversions import TakesInversions
from clipcond.conditioning.plan import Chunks, Cutter, Plan, plan_call
from clipcond.conditioning.prompt_text import ExtraNetworks, PromptReader, PromptText, Texts
from clipcond.conditioning.report import Report
from clipcond.conditioning.report_building import build_reports, with_negative
from clipcond.conditioning.results import Conditioning, Guided, ModelReads
from clipcond.conditioning.settled import SettlesTexts
from clipcond.prompt import Issue, ParsedPrompt, find_syntax
from clipcond.tokenizers.base import Tokenizer
from clipcond.towers.base import HiddenLayer, TextTower
from clipcond.weighting import NormalizeChoice, WeightingChoice, find_normalize, find_rule

Prompts = str | Sequence[str]


class Conditioner(SettlesTexts, TakesInversions):
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
        max_chunks: how many chunks of a prompt are encoded; the rest is dropped, with an issue.
        cache_bytes: for encoded chunks, on the tower's device; 0 for those who train the tower.
    Raises:
        UnknownNameError: there is no such dialect, rule or normalization; or `fullwidth` is wanted
            of a dialect that cannot read it.
        TowerError: clip_skip or layer is beyond the tower's blocks; the adapter reads another
            tower, or has no pooled vector although one is wanted.
    """

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
        self.towers = (tower,) if tower_2 is None else (tower, tower_2)
        checks.check_towers(self.towers)
        self.dialect = find_dialect(dialect).for_towers(len(self.towers))
        self.fullwidth = choose_fullwidth(fullwidth, self.dialect, self.towers)
        self._syntax = find_syntax(self.dialect.syntax, fullwidth=bool(self.fullwidth))
        self.extra_networks = extra_networks
        self.rule = find_rule(self.dialect.weighting if weighting is None else weighting)
        self.normalize = find_normalize(self.dialect.normalize if normalize is None else normalize)
        own = getattr(tower, "own_clip_skip", None)
        self.clip_skip = (1 if own is None else own) if clip_skip is None else clip_skip
        self.layer = layer
        self.reads = ModelReads.of_towers(len(self.towers)) if reads is None else reads
        self._adapter_stage = None if adapter is None else AdapterStage(adapter, self.towers)
        if self._adapter_stage is not None:
            pooled = self._adapter_stage.wants_pooled(pooled)
        self.pooled = any(self.reads.pooled) if pooled is None else pooled
        self.max_chunks = max_chunks
        self.cache = ChunkCache(cache_bytes)
        # for each tower, its tokenizer at the last call, and the one that the dialect chose then
        self._tokenizers = [(tower.tokenizer, self._tokenizer(tower)) for tower in self.towers]
        self.layers()  # refuses a layer that is not there now, not at the first prompt

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
        with prompt_text.collect_warnings() as warned:
            positive = self._texts(prompt_text.list_prompts(prompts), prompts_2)
            made = self._condition([(prompt,) for prompt in positive], clip_skip)[0]
        return replace(made, issues=prompt_text.collected_issues(warned))

    def check(self, prompts: Prompts, *, negative: bool = False) -> tuple[Issue, ...]:
        """List a call's issues without a warning or an encoding; those that need one are missing.

        Of prompts over time also those of what a pipeline draws of them at some step.

        Args:
            negative: whether they are negative prompts, where AND is a word.
        Raises:
            PromptError: a prompt that a call would refuse as well.
        """
        check_arguments(negative=negative)
        given = prompt_text.list_prompts(prompts)
        with prompt_text.collect_warnings(shown=False) as warned:
            for texts in filter(None, (given, self._drawn(given, negative=negative))):
                rows = [(each,) for each in self._texts(texts, None, negative=negative)]
                parsed = self.reader.parse_and_warn(rows)
                self._plan(rows, parsed)
        return tuple(dict.fromkeys(prompt_text.collected_issues(warned)))

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
        with prompt_text.collect_warnings() as warned:
            positive = self._texts(both[0], prompts_2)
            negative = self._texts(both[1], negatives_2, negative=True)
            pair = self._condition(list(zip(positive, negative, strict=True)), clip_skip)
        is_given = negatives is not None or negatives_2 is not None
        zeros = [self._gives_zeros(each if is_given else None) for each in negative]
        pair[1] = results.with_zeros(pair[1], zeros)
        issues = prompt_text.issues_of_each(warned, both, (positive, negative))
        return Guided(*(replace(each, issues=own) for each, own in zip(pair, issues, strict=True)))

    def chunks(self, prompt: str) -> Chunks:
        """Cut what is encoded of the prompt for the first tower."""
        (prompt,) = prompt_text.list_prompts([checks.one_prompt(prompt)])
        return self._cutter(0).chunks(self.reader.parse(self.reader.read(prompt)))

    @property
    def adapter(self) -> Adapter | None:
        """The adapter in use."""
        return None if self._adapter_stage is None else self._adapter_stage.adapter

    def explain(self, prompt: str, negative: str | None = None) -> Report:
        """Report what is encoded of a prompt: segments, chunks, tokens, weights, issues.

        Args:
            prompt: one string.
            negative: what the report shows as well; both are as long as in `guided`.
        """
        given = [prompt_text.list_prompts([checks.one_prompt(prompt)])]
        if negative is not None:
            one = checks.one_prompt(negative, "negative prompt")
            given.append(prompt_text.list_prompts([one], "negative prompt"))
        with prompt_text.collect_warnings(shown=False) as warned:
            rows = [self._texts(each, None, negative=i > 0) for i, each in enumerate(given)]
            (texts,) = zip(*rows, strict=True)
            parsed = self.reader.parse_and_warn([texts])
            (plans,) = self._plan([texts], parsed)
        issues = prompt_text.issues_of_each(warned, given, rows)
        reports = build_reports(plans, self.layers(), texts, self.reader, issues)
        if negative is None:
            return reports[0]
        return with_negative(*reports, is_zero=self._gives_zeros(texts[1]))

    def layers(self, clip_skip: int | None = None) -> tuple[HiddenLayer, ...]:
        """Choose each tower's layer, by this clip_skip or else by the conditioner's own choice.

        Raises:
            TowerError: there is no such layer.
        """
        if clip_skip is None and self.layer is not None:
            return checks.check_layers(self.layer, self.towers)
        return self.reads.layers(self.clip_skip if clip_skip is None else clip_skip, self.towers)

    @property
    def reader(self) -> PromptReader:
        """What reads the prompts of this dialect."""
        choices = self.extra_networks, self.fullwidth, self.max_chunks
        return PromptReader(self._syntax, self.towers, self.dialect, *choices)

    def _texts(
        self, texts: list[str], texts_2: Prompts | None, *, negative: bool = False
    ) -> list[Texts]:
        """Find for each prompt the text that each tower reads: its last step and first part."""
        given = texts_2 is not None
        second = prompt_text.list_each(texts_2, len(texts), "second prompt") if given else None
        second = second if len(self.towers) > 1 else None
        return self.reader.read_each(texts, second, negative=negative)

    def _gives_zeros(self, negative: Texts | None) -> bool:
        whole = None if negative is None else [self.reader.whole(each) for each in negative]
        return self.reads.gives_zeros(whole, self.dialect)

    def _cutter(self, t: int) -> Cutter:
        tower, dialect = self.towers[t], self.dialect
        if self._tokenizers[t][0] is not tower.tokenizer:  # it was given another
            self._tokenizers[t] = (tower.tokenizer, self._tokenizer(tower))
        tokenizer, pooled = self._tokenizers[t][1], self.pooled and self.reads.pools(t, self.towers)
        special = tower.special if dialect.frame is None else dialect.frame(tower.special)
        return Cutter(tower, tokenizer, special, dialect, self.normalize, pooled, self.max_chunks)

    def _tokenizer(self, tower: TextTower) -> Tokenizer:
        return tower.tokenizer if self.dialect.tokenizer is None else self.dialect.tokenizer(tower)

    def _plan(
        self, rows: Sequence[Sequence[Texts]], parsed: Mapping[PromptText, ParsedPrompt]
    ) -> list[list[tuple[Plan, ...]]]:
        cutters = [self._cutter(t) for t in range(len(self.towers))]
        return plan_call(*prompt_text.plain_texts(rows, parsed), cutters)

    def _condition(
        self, rows: Sequence[Sequence[Texts]], clip_skip: int | None
    ) -> list[Conditioning]:
        """Condition on rows of a prompt and its negative, if any: one conditioning a column."""
        layers = self.layers(clip_skip)
        parsed = self.reader.parse_and_warn(rows)
        self.reader.hand_over([texts for texts, *_ in rows])
        plans = self._plan(rows, parsed)
        parts: dict[Plan, Conditioning] = {}
        # tensors made under a caller's inference_mode could not serve a later call under autograd
        with torch.inference_mode(False), torch.no_grad():
            for t, layer in enumerate(layers):
                own = list(dict.fromkeys(prompt[t] for row in plans for prompt in row))
                parts.update(zip(own, self._encode_and_weigh(own, layer), strict=True))
            kept, choose = None, self.dialect.rows
            if choose is not None and self._adapter_stage is None:  # its rows are no tokens' places
                kept = choose([plan.chunks for plan in parts])
            return [results.join(column, parts, kept) for column in zip(*plans, strict=True)]

    def _encode_and_weigh(self, plans: Sequence[Plan], layer: HiddenLayer) -> list[Conditioning]:
        """Encode one tower's plans, apply the rule, and the adapter if there is one."""
        cutter, stage = plans[0].cutter, self._adapter_stage
        if stage is not None:
            stage.check_layer(layer)
        pooled = stage is None and cutter.pooled
        encode = ChunkEncoder(cutter.tower, cutter.special, layer, self.cache, pooled=pooled)
        parts = results.weigh(plans, self.rule, encode, cutter.tower.name)
        return parts if stage is None else stage(results.batched(parts), plans, encode).split()
