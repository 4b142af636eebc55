"""What editors offer is what the tables have, and every choice of a Conditioner has its type."""

import warnings
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch

import clipcond
from clipcond.conditioning.dialects import DIALECTS, Dialect, DialectName
from clipcond.errors import ArgumentError, PromptWarning
from clipcond.weighting import NORMALIZATIONS, WEIGHTINGS, NormalizationName, WeightingName
from tests.conditioning.conditioners import single

NAMES = {"dialect": DialectName, "weighting": WeightingName, "normalize": NormalizationName}


def test_the_names_are_those_of_the_tables():
    tables = (DialectName, DIALECTS), (WeightingName, WEIGHTINGS)
    for names, table in (*tables, (NormalizationName, NORMALIZATIONS)):
        assert set(get_args(names)) == set(table)
        assert len(get_args(names)) == len(table)


def test_every_function_that_takes_a_name_lists_them():
    for function in (clipcond.Conditioner.__init__, clipcond.attach, clipcond.build_pipeline):
        hints = get_type_hints(function)
        for argument, names in NAMES.items():
            if argument in hints:
                kinds = [a for a in get_args(hints[argument]) if get_origin(a) is Literal]
                literals = {name for kind in kinds for name in get_args(kind)}
                assert set(get_args(names)) <= literals, (function, argument)
        assert Dialect in get_args(hints["dialect"])


def test_a_pipeline_is_typed():
    for function in (clipcond.attach, clipcond.build_pipeline):
        kind = get_type_hints(function)["return"]
        assert get_type_hints(kind)["conditioner"] is clipcond.Conditioner
        assert callable(kind.__call__)


def test_a_name_that_is_syntax_is_warned_of():
    odd = {
        "a1111": ["(x:1.2)", "[x]", "a AND b", "BREAK", "x#y", "<lora:x:1>", "[a:b:0.5]"],
        "comfyui": ["(x:1.2)", "my style", "x  y", "x y z", "((x))"],
        "compel": ["(x:1.2)", "x++", "a  b", '"x"++', "y--"],
        "plain": [],
    }
    plain = ["my-emb", "<cat-toy>", "EasyNegative", "bad_prompt.v2", "猫"]
    for dialect, names in odd.items():
        ours = single(dialect=dialect)
        for name in (*names, *plain):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                ours.load_inversion(torch.ones(1, 32), name)
            ours.remove_inversion(name)
            said = [w.message for w in warned if isinstance(w.message, PromptWarning)]
            assert [w.words for w in said] == [(name,)] * (name in names), (dialect, name)


def test_names_are_no_attributes_to_set():
    """They would do nothing, or fail at the next prompt; numbers may be set."""
    conditioner = single()
    for name, value in {"weighting": "scale", "dialect": "compel", "normalize": "mean"}.items():
        with pytest.raises(ArgumentError, match=f"Make another with {name}='{value}'"):
            setattr(conditioner, name, value)
    conditioner.clip_skip = 2
    assert torch.equal(conditioner("a cat").embeds, single(clip_skip=2)("a cat").embeds)
