"""Prompts written in another syntax say the same words at the same weights, or it is an error."""

from itertools import product

import pytest

from clipcond.errors import PromptError, UnknownNameError
from clipcond.prompt import SYNTAXES, Break, ParsedPrompt, convert, parse, render
from clipcond.prompt.rendering import weighted_words
from clipcond.prompt.writing import WRITERS, lora_weights, mode_and_weights
from tests.failures import failures_of
from tests.parity.golden import cases_of


def golden(*tools: str) -> list[str]:
    """The tools' golden prompts, but for the very long ones."""
    prompts = {case["prompt"] for tool in tools for case in cases_of(tool)["cases"]}
    return sorted(prompt for prompt in prompts if len(prompt) < 500)


GOLDEN = golden("a1111", "comfyui", "sd_embed")
BRACKETED = ("a1111", "comfyui", "lpw", "lpw_xl", "sd_embed")


def said(parsed: ParsedPrompt) -> list[tuple[str, float]]:
    return [(word, weight) for word, weight, _ in weighted_words(parsed)]


def breaks(parsed: ParsedPrompt) -> int:
    """How many start a chunk."""
    n = sum(isinstance(part, Break) for part in parsed.parts)
    is_void = parsed.syntax == "a1111" and n and not parsed.parts[-1].text.strip()
    return n - is_void


def readable(prompt: str, syntax: str) -> ParsedPrompt | None:
    try:
        return parse(prompt, syntax)
    except PromptError:
        return None


def test_every_syntax_can_be_written():
    assert WRITERS.keys() == SYNTAXES.keys()


def test_golden_prompts_say_the_same_in_all_bracket_syntaxes():
    def check(case):
        target, source = case
        n_breaks = 0
        for prompt in GOLDEN:
            parsed = readable(prompt, source)
            if parsed is None:
                continue
            if target != "a1111" and breaks(parsed):
                n_breaks += 1
                with pytest.raises(
                    PromptError, match="only dialects 'a1111' and 'compel' can start"
                ):
                    parsed.render(target)
                continue
            assert said(parse(parsed.render(target), target)) == said(parsed)
        assert (n_breaks > 0) == (source == "a1111" and target != "a1111")

    cases = product(BRACKETED, BRACKETED)
    assert not failures_of(check, cases)


def test_golden_prompts_say_the_same_in_compel_or_are_refused():
    def check(source):
        n_refused = {"has no way to write this": 0, "": 0}
        for prompt in GOLDEN:
            parsed = readable(prompt, source)
            if parsed is None:
                continue
            try:
                text = parsed.render("compel")
            except PromptError as error:
                n_refused["has no way to write this" * ("has no way" in str(error))] += 1
                continue
            assert said(parse(text, "compel")) == said(parsed)
        # `...` in brackets, `,,`, `),`; to NovelAI's dialect round brackets are text
        most = 11 if source == "novelai" else 8
        assert n_refused["has no way to write this"] <= most
        assert n_refused[""] <= 12  # BREAK, weights below 0, .swap()

    cases = SYNTAXES
    assert not failures_of(check, cases)


def test_golden_prompts_of_compel_say_the_same_elsewhere():
    def check(target):
        n_refused = 0
        for prompt in golden("compel"):
            parsed = readable(prompt, "compel")
            if parsed is None:
                continue
            if mode_and_weights(parsed) or parsed.extras or (breaks(parsed) and target != "a1111"):
                n_refused += 1
                with pytest.raises(PromptError):
                    parsed.render(target)
                continue
            assert said(parse(parsed.render(target), target)) == said(parsed)
        assert 0 < n_refused < 30

    cases = BRACKETED
    assert not failures_of(check, cases)


def test_mixtures_and_networks_are_written_in_compel():
    def check(prompt):
        parsed = parse(prompt, "compel")

        again = parse(parsed.render(), "compel")

        assert said(again) == said(parsed)
        assert lora_weights(again) == lora_weights(parsed)
        ours, theirs = parsed.mixture, again.mixture
        assert (ours is None) == (theirs is None)
        if ours and theirs:
            assert (ours.mode, ours.weights) == (theirs.mode, theirs.weights)
            assert [said(p) for p in ours.prompts] == [said(p) for p in theirs.prompts]

    cases = [
        "a cat++ on (the mat)0.9",
        '("a++", "b (c)1.3").blend(1, -0.25)',
        '("a", "say \\"x\\" (now)1.1", "c").blend(1, 0.5, 0, no_normalize)',
        '("a", "b").and(1, 0.5)',
        '("a", "b", "c").and()',
        'withLora(x, -0.5) ("a", "b").blend(1, 1)',
        "a withLora(x, 0.5) b useLora(y)",
    ]
    assert not failures_of(check, cases)


@pytest.mark.filterwarnings("ignore::clipcond.errors.PromptWarning")
def test_how_it_is_written():
    def check(case):
        prompt, source, target, expected = case
        assert convert(prompt, source, target) == expected
        exact = convert(prompt, source, target, exact=True)
        assert parse(prompt, source).render(target) == exact

    cases = [
        ("a (red:1.3) cat", "a1111", "comfyui", "a (red:1.3) cat"),
        ("a (b (c:1.5) d:0.7)", "a1111", "comfyui", "a (b :0.7)(c:1.05)( d:0.7)"),
        ("((a:1.1))", "comfyui", "a1111", "(a:1.1)"),
        ("(a)(b)", "comfyui", "a1111", "(a:1.1) (b:1.1)"),
        ("a (b:1e1)", "comfyui", "a1111", "a (b:10)"),
        ("a (b:1e-7)", "comfyui", "a1111", "a (b:0.0000001)"),
        ("a [b] \\ c", "comfyui", "a1111", "a \\[b\\] \\\\ c"),
        ("a BREAK b AND c", "comfyui", "a1111", "a BREA\\K b AN\\D c"),
        ("(BREAK:-1)", "comfyui", "a1111", "(BREA\\K :-1)"),
        ("x BREAK y", "a1111", "a1111", "x BREAK y"),
        ("BREAK x BREAK", "a1111", "a1111", "BREAK x BREAK"),
        ("BREAK BREAK x", "a1111", "a1111", "BREAK  BREAK x"),
        ("a\\\\(b)", "a1111", "comfyui", "a\\ (b:1.1)"),
        ("\\(a\\)", "a1111", "comfyui", "\\(a\\)"),
        ("(a", "a1111", "a1111", "(a:1.1)"),
        ("(a: 1.3)", "a1111", "sd_embed", "(a:1.3)"),
        ("", "sd_embed", "a1111", "empty"),
        ("", "a1111", "sd_embed", " "),
        ("", "a1111", "comfyui", ""),
        ("(a:1.0) [b", "a1111", "a1111", "a (b:0.91)"),
        ("a (b", "comfyui", "plain", "a (b"),
        ("a (red:1.3) [cat]", "a1111", "compel", "a (red)1.3 (cat)0.91"),
        ("(a)(b), c.", "comfyui", "compel", "(a)1.1 (b)1.1 , c."),
        ('C++, "x" \\(y\\)', "a1111", "compel", 'C ++, \\"x\\" \\(y\\)'),
        ("a cat++ (b c)0.5", "compel", "a1111", "a (cat:1.21) (b c:0.5)"),
        ('("a", "b++").and()', "compel", "a1111", "a BREAK (b:1.21)"),
        (
            "a (b:1.2) BREAK [x], y",
            "a1111",
            "compel",
            '("a (b)1.2", "(x)0.91 , y").and()',
        ),
        ("BREAK BREAK x", "a1111", "compel", '("", "", "x").and()'),
        # behind all text BREAK starts no chunk; an empty last prompt of compel's is one
        ("x BREAK", "a1111", "compel", "x"),
        ("x BREAK", "a1111", "comfyui", "x"),
        ("x BREAK BREAK", "a1111", "compel", '("x", "").and()'),
        ('("x", "").and()', "compel", "a1111", "x BREAK BREAK"),
        ("BREAK", "a1111", "plain", ""),
    ]
    assert not failures_of(check, cases)


def test_how_mixtures_are_written():
    def check(prompt):
        assert parse(prompt, "compel").render() == prompt

    cases = [
        '("a", "b").blend(0.7, 0.3)',
        '("a", "b").blend(1, 1)',
        '("a", "b").blend(0.7, 0.3, no_normalize)',
        '("a", "b").and(1, 0.5)',
        '("a", "b").and(1, 1)',
        '("a").and(0.5)',
        'withLora(x, 0.5) ("a", "b").blend(1, -0.25)',
    ]
    assert not failures_of(check, cases)


def test_in_its_own_syntax_it_is_written_as_it_stood_if_need_be():
    def check(prompt):
        parsed = parse(prompt, "compel")

        assert parsed.render() == prompt
        changed = ParsedPrompt("other", parsed.parts, syntax="compel", extras=parsed.extras)
        with pytest.raises(PromptError):
            changed.render()

    cases = ["a cat.swap(dog, s_end=0.5)", "))-( wow)-", "(cat)1.2 x)++"]
    assert not failures_of(check, cases)


def test_its_own_syntax_is_the_default():
    assert parse("(a:1.3) [b]", "comfyui").render() == "(a:1.3) [b]"
    assert render(parse("(a: 1.3) [b]")) == "(a:1.3) (b:0.9090909090909091)"


def test_an_unknown_syntax():
    with pytest.raises(UnknownNameError, match=r"no syntax 'comfy'\. Did you mean 'comfyui'\?"):
        parse("a").render("comfy")
    with pytest.raises(UnknownNameError, match="no syntax 'a111'"):
        convert("a", "a111", "a1111")


def test_words_are_those_of_the_tokenizer(clip_bpe):
    """White space that this comparison overlooks is white space that the tokenizer overlooks."""
    for prompt in GOLDEN:
        cut = [word for word, _, _ in weighted_words(parse(prompt, "plain"))]

        assert clip_bpe.encode(" ".join(cut)) == clip_bpe.encode(prompt)
