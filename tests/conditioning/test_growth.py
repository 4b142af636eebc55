"""What a call does grows no faster than the prompt: calls of functions, counted at n and 4n."""

from math import log

import pytest

from clipcond import Conditioner, parse
from clipcond.chunking import chunk, tokenize
from clipcond.conditioning.dialects import DIALECTS
from clipcond.prompt.parsing import SYNTAXES
from clipcond.tokenizers.inversions import Inversions
from clipcond.towers import TowerOutput
from clipcond.weighting import WEIGHTINGS
from tests.calls import n_calls
from tests.parity.models import tower_l
from tests.tokenizers.test_inversions import vectors

N = 25
MOST = 1.1  # the exponent of the number of calls
quiet = pytest.mark.filterwarnings("ignore::clipcond.errors.PromptWarning")


def exponent(make, n):
    """Of the calls that `make(n)()` takes; the same once before, for what is imported or kept."""
    make(2)()
    few, many = n_calls(make(n)), n_calls(make(4 * n))
    return log(many / few, 4)


def too_fast(cases, n=N):
    found = {name: exponent(make, n) for name, make in cases.items()}
    return {name: round(value, 2) for name, value in found.items() if value > MOST}


def weighted(n, close="({}:1.2)"):
    return ", ".join(close.format(f"word {i % 10}") if i % 3 else f"a cat {i}" for i in range(n))


TEXTS = {
    "weighted": weighted,
    "low": lambda n: weighted(n, "({}:0.8)"),
    "plain": lambda n: " ".join(f"word{i}" for i in range(n)),
    "nested": lambda n: "(" * n + "a" + ")" * n,
    "unclosed": lambda n: "(a " * n,
    "escaped": lambda n: "\\( " * n,
    "closing": lambda n: "a) " * n,
    "breaks": lambda n: "a BREAK " * n,
    "edits": lambda n: "[a:b:0.5] " * n,
    "signs": lambda n: "(a)++ b-- " * n,
}


@quiet
def test_parsing_in_every_syntax():
    cases = {
        (syntax, name): lambda n, s=syntax, text=text: lambda: parse(text(n), s)
        for syntax in SYNTAXES
        for name, text in TEXTS.items()
        if (syntax, name) != ("compel", "nested")  # see test_compel_work
    }
    assert not too_fast(cases)


def test_tokens_and_chunks():
    tower = tower_l()
    parsed = {n: parse(weighted(n)) for n in (2, N, 4 * N)}
    tokens = {n: tokenize(each, tower.tokenizer) for n, each in parsed.items()}
    cases = {
        "tokenize": lambda n: lambda: tokenize(parsed[n], tower.tokenizer),
        "inversions": lambda n: lambda: inversions(n).split(weighted(20)),
        "names": lambda n: lambda: inversions(8).split(f"a <t3>, {weighted(n)}"),
        **{
            name: lambda n, d=dialect: lambda: chunk(tokens[n], tower.special, d.splitter)
            for name, dialect in DIALECTS.items()
        },
    }
    assert not too_fast(cases)


def inversions(n):
    made = Inversions(4, "T")
    for i in range(n):
        made.add(f"<t{i}>", vectors(1, 4))
    return made


class Stub:
    """A tower that computes nothing."""

    def __init__(self):
        own = tower_l()
        self.name, self.tokenizer, self.special = "stub", own.tokenizer, own.special
        self.width, self.depth, self.dtype = own.width, own.depth, own.dtype
        self.row = own.model.get_input_embeddings().weight.new_ones(77, own.width)

    def fingerprint(self):
        return 0

    def encode(self, input_ids, attention_mask, layer, *, pooled=False):
        return TowerOutput(self.row.expand(len(input_ids), *self.row.shape))


@quiet
def test_calls_of_a_conditioner():
    def called(prompt, **choices):
        return lambda n: lambda: Conditioner(Stub(), **choices)(prompt(n))

    def explained(n):
        return lambda: Conditioner(Stub()).explain(weighted(n)).json()

    cases = {
        **{f"dialect {d}": called(weighted, dialect=d) for d in DIALECTS},
        **{f"weighting {w}": called(weighted, weighting=w) for w in WEIGHTINGS if w != "comfy++"},
        "explain": explained,  # comfy++ encodes the prompt again for each word above 1
        "many prompts": called(lambda n: [f"a cat {i}" for i in range(n)]),
        "mixed lengths": called(lambda n: ["a cat " * 150, *(f"a cat {i}" for i in range(n))]),
    }
    assert not too_fast(cases, n=12)
