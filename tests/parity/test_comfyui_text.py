"""Dialect comfyui's text side against ComfyUI 0.3.64: parses, ids, weights and groups, equal.

Left out: nothing. Three prompts have weights that are not finite, which the reference takes and
turns into NaN rows; ours refuses them, with a caret.
"""

from functools import partial

import pytest

from clipcond.chunking import chunk, tokenize, whole_groups
from clipcond.errors import PromptSyntaxError
from clipcond.prompt import parse
from clipcond.prompt.syntaxes.comfyui import parse_groups
from clipcond.tokenizers.base import SpecialTokens
from tests.failures import failures_of
from tests.parity.golden import cases_of

CASES = cases_of("comfyui")["cases"]
INFINITE = [c for c in CASES if {"NaN", "Infinity"} & {str(weight) for _, weight in c["parsed"]}]
READABLE = [case for case in CASES if case not in INFINITE]
SPECIAL = SpecialTokens(bos=49406, eos=49407, pad=49407, context_length=77, commas=frozenset({267}))


def failures(check, cases):
    return failures_of(check, cases, name=lambda case: case["id"])


def test_the_golden_data_is_all_there():
    assert (len(CASES), len(READABLE)) == (161, 158)


def test_parse():
    def check(case):
        parts = parse(case["prompt"], "comfyui").parts
        assert [[part.text, part.weight] for part in parts] == case["parsed"]

    assert not failures(check, READABLE)


def test_a_weight_that_is_not_finite_is_refused():
    def check(case):
        with pytest.raises(PromptSyntaxError) as error:
            parse(case["prompt"], "comfyui")
        assert case["prompt"][error.value.position :].lower().startswith(("nan", "inf"))

    assert not failures(check, INFINITE)


def chunks_of(prompt, tokenizer, syntax):
    """Chunks, and the groups of their tokens, counted from 1 as the reference does."""
    parsed = parse(prompt, syntax).with_names(lambda name: None)
    chunks = chunk(tokenize(parsed, tokenizer), SPECIAL, whole_groups())
    shown = [{"ids": list(c.input_ids), "weights": list(c.weights)} for c in chunks]
    return shown, [[s + 1 for s in c.segments if s >= 0] for c in chunks]


def without_groups(chunks):
    return [{"ids": c["ids"], "weights": c["weights"]} for c in chunks]


def test_chunks(clip_bpe):
    def check(case):
        chunks, ids = chunks_of(case["prompt"], clip_bpe, parse_groups)
        assert chunks == without_groups(case["chunks"])
        assert ids == [chunk["word_ids"] for chunk in case["chunks"]]

    assert not failures(check, READABLE)


def test_chunks_of_releases_that_split_words(clip_bpe):
    def check(case):
        chunks, ids = chunks_of(case["prompt"], clip_bpe, partial(parse_groups, words=True))
        # The data holds these only where they differ.
        expected = case.get("chunks_word_split", case["chunks"])
        assert chunks == without_groups(expected)
        word_ids = case.get("word_split_word_ids") or [chunk["word_ids"] for chunk in expected]
        assert ids == word_ids

    assert not failures(check, READABLE)


def test_chunks_without_a_folder_of_embeddings(clip_bpe):
    def check(case):
        chunks, ids = chunks_of(case["prompt"], clip_bpe, partial(parse_groups, embeddings=False))
        expected = case.get("chunks_no_embedding_dir", case["chunks"])
        assert chunks == without_groups(expected)
        assert ids == [[i for i in chunk["word_ids"] if i] for chunk in expected]

    assert not failures(check, READABLE)
