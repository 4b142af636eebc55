"""What editors offer is what the tables have, and every choice of a Conditioner has its type."""

from typing import Literal, get_args, get_origin, get_type_hints

import clipcond
from clipcond.conditioning.dialects import DIALECTS, Dialect, DialectName
from clipcond.weighting import NORMALIZATIONS, WEIGHTINGS, NormalizationName, WeightingName

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
