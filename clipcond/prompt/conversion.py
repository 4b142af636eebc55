"""Convert a prompt from one tool's syntax to another's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from clipcond.arguments import check_arguments
from clipcond.errors import PromptError, PromptWarning, excerpt, warn
from clipcond.prompt.composition import compose_call, find_and, find_parts, is_capitals
from clipcond.prompt.doubtful_signs import doubtful_fullwidth
from clipcond.prompt.editing import find_changes, schedule_call
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.parsing import SAME_SYNTAX, Syntax, parse, reads_fullwidth
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.rendering import render, weighted_words, with_short_weights
from clipcond.prompt.scanner import ascii_signs
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt, in_order
from clipcond.prompt.syntaxes.comfyui import parse_groups
from clipcond.prompt.text_layers import network_issues, take_out
from clipcond.prompt.wide_signs import find_fullwidth, with_ascii_signs

# What the tools of these syntaxes act on before the syntax is read, or beyond it.
_WIDE = re.compile("[（）【】［］＼]")
_REFERENCE = "a textual inversion in dialect 'comfyui'"
_READ_OTHERWISE = {
    "comfyui": ("random-choice", "comment"),
    "novelai": ("prompt-mixing",),
}


def convert(
    text: str,
    source: str | Syntax,
    target: str,
    *,
    exact: bool = False,
    fullwidth: bool | None = None,
) -> str:
    """Write a prompt of one syntax in another: the same words at the same weights.

    Comments and `<lora:...>`, which A1111 takes out of a prompt, are left out for other tools.

    Args:
        text: the prompt.
        source, target: what it is in, and what to write.
        exact: write weights with all their digits; by default the shortest numbers within 0.001.
        fullwidth: whether `（猫：1.3）` is read as `(猫:1.3)`; None = if the prompt has full-width
            brackets or weights, and `source` can read them.
    Raises:
        UnknownNameError: there is no syntax of that name.
        PromptSyntaxError: `source` cannot read the prompt.
        PromptError: `target` cannot express it; shows where.
    Warns:
        PromptWarning: of what is left out, of what was hardly meant, and of what `target`'s tool
            reads otherwise.
    """
    written, issues = convert_with_issues(text, source, target, exact=exact, fullwidth=fullwidth)
    for i, issue in enumerate(issues):
        said = issue.message, text, issue.position, issue.remedy
        warn(PromptWarning(*said, code=issue.code, words=issue.words), shown=i < MOST_ISSUES)
    return written


def convert_with_issues(
    text: str,
    source: str | Syntax,
    target: str,
    *,
    exact: bool = False,
    fullwidth: bool | None = None,
) -> tuple[str, tuple[Issue, ...]]:
    """Do as `convert`, and say what was hardly meant or is left out, positions in the prompt."""
    check_arguments(text=text, exact=exact, fullwidth=fullwidth)
    source = SAME_SYNTAX.get(source, source) if isinstance(source, str) else source
    target = SAME_SYNTAX.get(target, target) if isinstance(target, str) else target
    remainder = Remainder.whole(text)
    issues: list[Issue] = []
    if source == "a1111" and target != "a1111":
        remainder, networks, comments = take_out(text)
        issues += [replace(comment, remedy="") for comment in comments]
        issues += network_issues(text, networks)
    with remainder.restore_errors():
        written, found = _convert(remainder, source, target, exact, fullwidth)
    issues += found
    if source != target:
        issues += _read_otherwise(text, written, target, {issue.words for issue in issues})
    if (source == "comfyui") != (target == "comfyui"):
        issues = _with_references(text, written, target, issues)
    if (source, target) == ("comfyui", "a1111"):
        issues = [_over_time(issue) for issue in issues]
    return written, in_order(issues)


def _with_references(text: str, written: str, target: str, issues: list[Issue]) -> list[Issue]:
    """Say of each `embedding:name` that it is a reference on one side, and words on the other."""
    if target == "comfyui":
        issues = [i for i in issues if not (i.code == "embedding" and _REFERENCE in i.message)]
        both, meaning = written, f"{_REFERENCE}, and only words in what is converted"
    else:
        both, meaning = text, f"{_REFERENCE}, but not here"
    known = {word for issue in issues if issue.code == "embedding" for word in issue.words}
    names = [segment for segment in parse_groups(both).segments if segment.is_name]
    at = 0
    for segment in names[:MOST_ISSUES]:
        words = f"embedding:{segment.text}"
        at = max(at, text.find(words, at))
        remedy = f"Write its bare name, {segment.text}, once its file is loaded."
        if target == "comfyui":
            remedy = "Write the name alone if it is meant as words."
        if words not in known:
            message = f"{excerpt(words, 40)!r} is {meaning}"
            issues.append(Issue(message, at, remedy, "embedding", (words,)))
    return issues


def _read_otherwise(
    text: str, written: str, target: str, known: Collection[tuple[str, ...]]
) -> Iterator[Issue]:
    """Make an issue of what another tool reads as more than text: `# x`, `{a|b}`, `embedding:x`.

    Args:
        known: what issues are about already.
    """
    codes = ("embedding", *_READ_OTHERWISE.get(target, ()))
    for issue in with_lookalikes(parse(written, target)).issues:
        if issue.code in codes and (not issue.words or issue.words not in known):
            words = "".join(issue.words) or written[issue.position]
            yield replace(issue, position=max(0, text.find(words)))
    _, networks, comments = take_out(written) if target == "a1111" else ((), (), ())
    for comment in comments:
        if comment.code == "comment":
            message = comment.message + f" in dialect {target!r}"
            position = max(0, text.find(comment.words[0]))
            yield replace(comment, message=message, position=position, remedy="Leave out the '#'.")
    for network in networks:
        words = written[network.start : network.stop]
        message = f"{excerpt(words, 40)!r} is a network in dialect {target!r}: it is no text there"
        yield Issue(message, max(0, text.find(words)), "", "extra-network", (words,))


def _convert(
    remainder: Remainder, source: str | Syntax, target: str, exact: bool, fullwidth: bool | None
) -> tuple[str, list[Issue]]:
    """Do as `convert_with_issues` with what remains of a prompt; errors are about that text."""
    issues: list[Issue] = []
    kept = text = remainder.text
    parse(kept, source)  # an unknown name, before anything else is said
    wide = bool(fullwidth)
    found = find_fullwidth(kept) if fullwidth is None and reads_fullwidth(source) else None
    is_edited = source == "a1111"  # which `parse` does not read
    if found and (is_edited or _words(kept, source, True) != _words(kept, source, False)):
        text = with_ascii_signs(kept)  # other full-width signs are text
        message = f"{excerpt(kept[slice(*found)], 40)!r} is read as syntax"
        remedy = "Say fullwidth=False if it is meant as text."
        issues.append(Issue(message, remainder.at(found[0]), remedy, "fullwidth"))
    with _in_typed_signs(kept, text):
        parsed = parse(text, source, fullwidth=wide)
        is_asked = fullwidth is not None or not reads_fullwidth(source)
        doubts = (
            () if is_asked or not _WIDE.search(text) else tuple(doubtful_fullwidth(text, source))
        )
        shown = with_lookalikes(parsed, fullwidth=fullwidth).issues
        known = {issue.position for issue in shown}
        new = (issue for issue in doubts if issue.position not in known)
        said = (_as_typed(issue, kept) for issue in (*shown, *new))
        issues += remainder.restore_issues(tuple(said))
        if parsed.syntax == "a1111":
            _refuse_conditions(kept, wide or text != kept, target)
        written = render(parsed, target, exact=exact)
    if fullwidth is not False and reads_fullwidth(target) and _WIDE.search(written):
        meant = parse(kept, source, fullwidth=True) if reads_fullwidth(source) else parsed
        meant = meant if exact else with_short_weights(meant)
        written, is_safe = _escape_wide(written, target, meant)
        if not is_safe and not doubts and (first := _WIDE.search(kept)):
            message = "full-width brackets are text here, and syntax where those count"
            remedy = f"Say fullwidth=False where dialect {target!r} is encoded."
            issues.append(Issue(message, remainder.at(first.start()), remedy, "fullwidth"))
    return written, issues


@contextmanager
def _in_typed_signs(kept: str, text: str) -> Iterator[None]:
    """Give errors about a text with signs in ASCII the text as it was typed."""
    try:
        yield
    except PromptError as error:
        if text == kept or error.source != text:
            raise
        raise type(error)(error.message, kept, error.position, error.remedy) from error


def _as_typed(issue: Issue, kept: str) -> Issue:
    """Give an issue about a text with signs in ASCII the words as they were typed."""
    at = issue.position
    words = tuple(
        kept[at : at + len(word)] if ascii_signs(kept[at : at + len(word)]) == word else word
        for word in issue.words
    )
    return issue if words == issue.words else replace(issue, words=words)


def _words(text: str, syntax: str | Syntax, fullwidth: bool) -> list[tuple[str, float]]:
    return [each[:2] for each in weighted_words(parse(text, syntax, fullwidth=fullwidth))]


def _escape_wide(written: str, target: str, meant: ParsedPrompt) -> tuple[str, bool]:
    """Escape full-width brackets that may be read as syntax; say whether none is any more."""
    if _words(written, target, True) == [each[:2] for each in weighted_words(meant)]:
        return written, True
    escaped = _WIDE.sub(r"\\\g<0>", written)
    narrow, wide = (_words(escaped, target, fullwidth) for fullwidth in (False, True))
    return (escaped, True) if narrow == wide == _words(written, target, False) else (written, False)


def _refuse_conditions(text: str, fullwidth: bool, target: str) -> None:
    """Refuse an A1111 prompt that makes several conditions: no syntax has them in one text."""
    at = find_and(text, fullwidth=fullwidth)
    if at is not None and not is_capitals(text, find_parts(text, fullwidth=fullwidth)):
        remedy = (
            "Write 'and' in small letters for the word. For several conditions, convert the parts "
            f"of {compose_call(text)} one by one."
        )
        raise PromptError("AND cannot be converted", text, at, remedy)
    for change in find_changes(text, fullwidth=fullwidth):
        shown = excerpt(text[change.start : change.stop], 40)
        edit = text[change.start : change.stop]
        remedy = f"Convert the texts of {schedule_call(edit)} one by one."
        if target == "comfyui" and change.when is not None:
            remedy += f"\nComfyUI itself changes nothing over time; {_nodes(edit, change.when)}"
        raise PromptError(f"{shown!r} cannot be converted", text, change.start, remedy)


def _nodes(edit: str, when: str) -> str:
    """Say what the usual custom nodes make of an edit.

    Source: comfyui-prompt-control, doc/schedules.md.
    """
    if "." in when:
        plain = ascii_signs(edit)
        how = "as it is" if plain == edit else "in ASCII"
        return f"the nodes of prompt-control read {excerpt(plain, 40)} {how}."
    return "the nodes of prompt-control read this form with a fraction, 0.25 for step 5 of 20."


def _over_time(issue: Issue) -> Issue:
    """Say of an edit in a prompt for ComfyUI, which is text there, how to keep it."""
    if issue.code != "other-dialect" or "prompt editing" not in issue.message:
        return issue
    how = "as it is" if find_changes("".join(issue.words)) else "in ASCII"
    remedy = (
        "It is written as text, as ComfyUI itself reads it. If it is for the nodes of "
        f"prompt-control, A1111 reads the same form: copy it {how}."
    )
    return replace(issue, remedy=remedy)
