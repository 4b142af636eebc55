"""Read, cut and explain prompts as they would be encoded. Imported without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from clipcond.arguments import check_arguments
from clipcond.conditioning import checks, prompt_text
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName, choose_fullwidth, find_dialect
from clipcond.conditioning.plan import Chunks, Cutter, Plan, plan_call
from clipcond.conditioning.prompt_text import (
    ExtraNetworks,
    PromptReader,
    PromptText,
    Texts,
    collect_warnings,
    collected_issues,
)
from clipcond.conditioning.report import Report
from clipcond.conditioning.report_building import build_reports, with_negative
from clipcond.conditioning.settled import SettlesTexts
from clipcond.conditioning.token_rows import ChooseRows, kept_rows
from clipcond.errors import ArgumentError, PromptWarning, warn
from clipcond.prompt import Issue, ParsedPrompt, find_syntax
from clipcond.tokenizers.base import Tokenizer
from clipcond.towers.protocol import HiddenLayer, ReadsTexts
from clipcond.weighting.normalize import NormalizeChoice, find_normalize

if TYPE_CHECKING:
    from clipcond.conditioning.movement import MeasuredRows

Prompts = str | Sequence[str]
# Of the plans of a prompt and of its negative, one a tower, what was measured of each.
Measure: TypeAlias = "Callable[[Sequence[Sequence[Plan]]], list[list[MeasuredRows]]]"
_hidden_layer = lru_cache(256)(HiddenLayer)  # each is checked once
_LAST = HiddenLayer(1, final_norm=True)


@dataclass(frozen=True, slots=True)
class ModelReads:
    """What a diffusion model was trained to read of its towers.

    Args:
        layer: the layer that clip skip 1 means; a deeper clip skip keeps its choice of the norm.
        pooled: for each tower, whether its pooled vector is read; those that are get joined.
        zero_negative: whether a negative may be zeros, where the dialect has it so.
    """

    layer: HiddenLayer = _LAST
    pooled: tuple[bool, ...] = (False,)
    zero_negative: bool = False

    @classmethod
    def of_towers(cls, n: int) -> ModelReads:
        """Say what Stable Diffusion reads of one tower, or SDXL of two."""
        return cls() if n == 1 else SDXL

    def layers(self, clip_skip: object, towers: Sequence[ReadsTexts]) -> tuple[HiddenLayer, ...]:
        """Make the layers that a clip skip means, as A1111 counts.

        Raises:
            TowerError: it is not a whole number from 1 to the depth of the shallowest tower.
        """
        depths = [tower.depth for tower in towers]
        shallowest, n = min(depths), clip_skip
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= shallowest:
            raise checks.no_such_layer(n, shallowest, towers[depths.index(shallowest)].name)
        depth = max(self.layer.depth, n)
        return (_hidden_layer(depth, self.layer.final_norm),) * len(towers)

    def gives_zeros(self, negatives: Sequence[str] | None, dialect: Dialect) -> bool:
        """Whether a negative becomes zeros: what each tower reads; None = none is given."""
        is_zero = dialect.zero_negative
        return self.zero_negative and is_zero is not None and is_zero(negatives)

    def pools(self, t: int, towers: Sequence[ReadsTexts]) -> bool:
        """Whether tower t gives the pooled vector, or a part of it; the last if none is read."""
        return self.pooled[t] if any(self.pooled) else t + 1 == len(towers)


# the penultimate layers, not normed
SDXL = ModelReads(HiddenLayer(2, final_norm=False), (False, True), zero_negative=True)

_FIXED = frozenset({"dialect", "weighting", "normalize"})


class Explainer(SettlesTexts):
    """A dialect, and what is known of one tower or of SDXL's pair: plans and reports, no encoding.

    Args:
        towers: one or two; a `TextTower` or what `describe_towers` gives.
        dialect, clip_skip, normalize, layer, pooled: as for a `Conditioner`.
        reads, fullwidth, extra_networks, max_chunks: as there, too.
    Raises:
        UnknownNameError: there is no such dialect or normalization; or `fullwidth` is wanted of a
            dialect that cannot read it.
        TowerError: clip_skip or layer is beyond the tower's blocks.
        ArgumentError: both are given.
    """

    towers: tuple[ReadsTexts, ...]

    def __init__(
        self,
        towers: tuple[ReadsTexts, ...],
        dialect: DialectName | Dialect = "a1111",
        *,
        clip_skip: int | None = None,
        normalize: NormalizeChoice | None = None,
        layer: HiddenLayer | tuple[HiddenLayer, ...] | None = None,
        pooled: bool | None = None,
        reads: ModelReads | None = None,
        fullwidth: bool | None = None,
        extra_networks: ExtraNetworks = None,
        max_chunks: int | None = None,
    ) -> None:
        self.towers, self.dialect = towers, find_dialect(dialect).for_towers(len(towers))
        self.fullwidth = choose_fullwidth(fullwidth, self.dialect, towers)
        self._syntax = find_syntax(self.dialect.syntax, fullwidth=bool(self.fullwidth))
        self.extra_networks = extra_networks
        self.normalize = find_normalize(self.dialect.normalize if normalize is None else normalize)
        if clip_skip is not None and layer is not None:
            raise ArgumentError("clip_skip and layer both choose a layer: give one of them")
        own = getattr(towers[0], "own_clip_skip", None)
        self.clip_skip = (1 if own is None else own) if clip_skip is None else clip_skip
        self.layer = layer
        self.reads = ModelReads.of_towers(len(towers)) if reads is None else reads
        self.pooled = any(self.reads.pooled) if pooled is None else pooled
        self.max_chunks = max_chunks
        # for each tower, its tokenizer at the last call, and the one that the dialect chose then
        self._tokenizers = [(tower.tokenizer, self._tokenizer(tower)) for tower in towers]
        self.layers()  # refuses a layer that is not there now, not at the first prompt

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse choices that count only when it is made: by name they would do nothing later."""
        if name in _FIXED and isinstance(value, str):
            raise ArgumentError(
                f"{name} is chosen when a {type(self).__name__} is made",
                f"Make another with {name}={value!r}, or for a pipeline say "
                f"attach(pipe, {name}={value!r}).",
            )
        object.__setattr__(self, name, value)

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
        with collect_warnings(shown=False) as warned:
            for texts in filter(None, (given, self._drawn(given, negative=negative))):
                rows = [(each,) for each in self._texts(texts, None, negative=negative)]
                parsed = self.reader.parse_and_warn(rows)
                self._plan(rows, parsed)
        return tuple(dict.fromkeys(collected_issues(warned)))

    def chunks(self, prompt: str) -> Chunks:
        """Cut what is encoded of the prompt for the first tower."""
        (prompt,) = prompt_text.list_prompts([checks.one_prompt(prompt)])
        return self._cutter(0).chunks(self.reader.parse(self.reader.read(prompt)))

    def explain(self, prompt: str, negative: str | None = None) -> Report:
        """Report what is encoded of a prompt: segments, chunks, tokens, weights, issues.

        Args:
            prompt: one string.
            negative: what the report shows as well; both are as long as in `guided`.
        """
        return self._explain(prompt, negative)

    def _explain(self, prompt: str, negative: str | None, measure: Measure | None = None) -> Report:
        """Report what is encoded, with what is measured of the plans, if anything."""
        given = [prompt_text.list_prompts([checks.one_prompt(prompt)])]
        if negative is not None:
            one = checks.one_prompt(negative, "negative prompt")
            given.append(prompt_text.list_prompts([one], "negative prompt"))
        with collect_warnings(shown=False) as warned:
            rows = [self._texts(each, None, negative=i > 0) for i, each in enumerate(given)]
            (texts,) = zip(*rows, strict=True)
            parsed = self.reader.parse_and_warn([texts])
            (plans,) = self._plan([texts], parsed)
            measured = None if measure is None else measure(plans)
        issues = prompt_text.issues_of_each(warned, given, rows)
        skip = self.clip_skip if self.layer is None else None
        layers = self.layers()
        choose = self._choose_rows
        kept = None if choose is None else kept_rows([plans], choose)
        reports = build_reports(plans, layers, texts, self.reader, issues, skip, kept, measured)
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
    def _choose_rows(self) -> ChooseRows | None:
        """What chooses the rows that are handed on; None = all.

        All, too, of what an adapter makes, which is no tokens' places.
        """
        return self.dialect.rows if getattr(self, "adapter", None) is None else None

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
        if len(self.towers) == 1:
            if second is not None and second != texts:
                kind = "negatives_2" if negative else "prompts_2"
                warn(PromptWarning(f"{kind} is not read: there is no second tower"))
            second = None
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

    def _tokenizer(self, tower: ReadsTexts) -> Tokenizer:
        return tower.tokenizer if self.dialect.tokenizer is None else self.dialect.tokenizer(tower)

    def _plan(
        self,
        rows: Sequence[Sequence[Texts]],
        parsed: Mapping[PromptText, ParsedPrompt],
        *,
        sizes: Sequence[int] = (),
    ) -> list[list[tuple[Plan, ...]]]:
        cutters = [self._cutter(t) for t in range(len(self.towers))]
        return plan_call(*prompt_text.plain_texts(rows, parsed), cutters, sizes=sizes)
