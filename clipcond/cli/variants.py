"""List the pictures of templates and styles: one prompt becomes several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import typer

from clipcond.cli.console import console
from clipcond.cli.picture_jobs import JobsOf, PictureJob, jobs_of_prompt, numbered
from clipcond.errors import BadLine, PromptError, PromptWarning, UnknownNameError, warn
from clipcond.prompt import Style, Template, Variant, Wildcards, read_styles
from clipcond.prompt.region_texts import prompt_start, read_region
from clipcond.prompt.templates import shown_count

MOST_UNASKED = 100  # combinations, where --count does not say how many


@dataclass(frozen=True, slots=True)
class Expansion:
    """How the templates of a command are expanded.

    Args:
        wildcards: the lists; None = templates may name none.
        combinations: all of them, not some at random.
    """

    wildcards: Wildcards | None
    combinations: bool

    def template(self, text: str) -> Template:
        """Read a template, and warn of what looks wrong in it."""
        template = Template(text, self.wildcards)
        for issue in template.issues:
            written = issue.prompt or text  # a line of a list
            warn(
                PromptWarning(issue.message, written, issue.position, issue.remedy, code=issue.code)
            )
        return template

    def region(self, text: str) -> RegionTemplate:
        """Read the template of a region: what is behind its place."""
        start = prompt_start(text)
        start += len(text[start:]) - len(text[start:].lstrip())
        return RegionTemplate(text[:start], self.template(text[start:]))


@dataclass(frozen=True, slots=True)
class RegionTemplate:
    """A region whose prompt, and negative prompt if it has one, are a template."""

    place: str
    template: Template

    def of(self, variant: Variant) -> Variant:
        """Make the text of the region with one of its template's texts.

        Raises:
            PromptError: it is no region then, as its prompt is empty.
        """
        text = variant.behind(self.place)
        try:
            read_region(text)
        except PromptError as error:
            whole, start = self.place + self.template.text, len(self.place)
            raise type(error)(error.message, whole, start, error.remedy) from None
        return text


def open_expansion(folder: Path | None, *, combinations: bool) -> Expansion | None:
    """Prepare the expansion of templates; None = prompts are as they are written."""
    if folder is None and not combinations:
        return None
    return Expansion(open_wildcards(folder), combinations)


def open_wildcards(folder: Path | None) -> Wildcards | None:
    """Open a folder of lists, if there is one."""
    return None if folder is None else Wildcards(folder)


def expanding(expansion: Expansion, count: int | None, stride: int) -> JobsOf:
    """Make the function that lists the pictures of a prompt's variants.

    At random, each picture's seed chooses its text. All combinations have one seed, so that they
    differ by their texts alone.

    Args:
        count: how many; None = one at random, or all combinations.
        stride: how many seeds each takes.
    """

    def at_random(job: PictureJob) -> list[PictureJob]:
        template, negative = map(expansion.template, (job.prompt, job.negative))
        regions = [expansion.region(text) for text in job.regions]
        made = []
        for each in jobs_of_prompt(job, count or 1, stride):
            # not the same draw for all, or the first options would come together
            texts = template.random(each.seed), negative.random(f"{each.seed}/negative")
            own = [
                region.of(region.template.random(f"{each.seed}/region {i}"))
                for i, region in enumerate(regions, 1)
            ]
            made.append(_expanded(each, *texts, own))
        return made

    def all_of_them(job: PictureJob) -> list[PictureJob]:
        regions = [expansion.region(text) for text in job.regions]
        templates = [*map(expansion.template, (job.prompt, job.negative))]
        templates += [region.template for region in regions]
        n = number_of(prod(each.count for each in templates), count, job.place)
        (first,) = jobs_of_prompt(job, 1, stride)
        jobs = []
        for i in range(n):
            prompt, negative, *others = _combination(templates, i)
            own = [region.of(text) for region, text in zip(regions, others, strict=True)]
            output = numbered(job.output, i + 1) if n > 1 else job.output
            jobs.append(replace(_expanded(first, prompt, negative, own), output=output))
        return jobs

    return all_of_them if expansion.combinations else at_random


def open_styles(file: Path | None, names: Sequence[str]) -> Mapping[str, Style]:
    """Read a file of styles, if there is one.

    Args:
        names: those that are wanted.
    Raises:
        BadParameter: names without a file.
        UnknownNameError: the file has no such style.
    """
    if file is None and names:
        raise typer.BadParameter("--style goes with --styles")
    known = {} if file is None else read_styles(file)
    for name in names:
        check_style(name, known)
    return known


def check_style(name: str, known: Mapping[str, Style]) -> None:
    """Refuse a name that no style has."""
    if not known:
        raise typer.BadParameter("a style needs --styles FILE")
    if name not in known:
        raise UnknownNameError("style", name, known)


def styling(styles: Sequence[Style], jobs_of: JobsOf) -> JobsOf:
    """Add styles to prompts before their pictures are listed."""

    def styled(job: PictureJob) -> list[PictureJob]:
        for style in styles:
            prompt, negative = style.apply(job.prompt, job.negative)
            job = replace(job, prompt=prompt, negative=negative)
        return jobs_of(job)

    return styled if styles else jobs_of


def number_of(n_all: int, count: int | None, place: str = "") -> int:
    """Decide how many of all combinations are made, and say so if some are left out.

    Raises:
        BadLine: there are many, and nothing says how many of them.
    """
    shown = shown_count(n_all)
    if count is None and n_all > MOST_UNASKED:
        raise BadLine(f"there are {shown} combinations: say how many with --count")
    n = n_all if count is None else min(n_all, count)
    if n < n_all:
        console.say_of(place, f"{n} of {shown} combinations are made")
    return n


def _combination(templates: Sequence[Template], number: int) -> list[Variant]:
    """Make the texts of one combination of several templates; those of the last differ first."""
    texts = []
    for template in reversed(templates):
        number, own = divmod(number, template.count)
        texts.append(template.combination(own))
    return texts[::-1]


def _expanded(
    job: PictureJob, prompt: Variant, negative: Variant, regions: Sequence[Variant]
) -> PictureJob:
    """Put texts in the places of their templates, which are kept where they differ."""
    return replace(
        job,
        prompt=prompt,
        negative=negative,
        template="" if prompt == job.prompt else job.prompt,
        negative_template="" if negative == job.negative else job.negative,
        regions=tuple(regions),
    )
