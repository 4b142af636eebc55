"""Patterns that are compiled on first use are those of `re`, and every one of ours compiles."""

import re
from importlib import import_module

import pytest

import clipcond
import clipcond.lazy_re
from tests.test_house import FILES


def test_patterns_are_those_of_re():
    text = "a B cab\nAB b"
    for source, flags in ((r"(?P<x>a)b", 0), ("ab", re.IGNORECASE), ("^a|b$", re.MULTILINE)):
        ours, theirs = clipcond.lazy_re.compile(source, flags), re.compile(source, flags)
        for _ in range(2):
            assert [m.span() for m in ours.finditer(text)] == [
                m.span() for m in theirs.finditer(text)
            ]
            assert ours.sub("-", text) == theirs.sub("-", text)
            assert ours.split(text) == theirs.split(text)
        assert (ours.pattern, ours.flags) == (theirs.pattern, theirs.flags)
        assert dict(ours.groupindex) == dict(theirs.groupindex)
        assert hash(ours) == hash(ours)


def test_nothing_is_compiled_before_it_is_used():
    broken = clipcond.lazy_re.compile("(")

    with pytest.raises(re.error, match="missing"):
        broken.search("a")


def test_every_pattern_of_the_package_compiles():
    kind = type(clipcond.lazy_re.compile(""))
    found = {}
    for name in FILES:
        if name.startswith("prompt.") and not name.endswith("__init__"):
            for key, value in vars(import_module(f"clipcond.{name}")).items():
                rows = value if isinstance(value, list | tuple) else [value]
                for i, row in enumerate(rows):
                    pattern = row if type(row) is kind else getattr(row, "pattern", None)
                    if type(pattern) is kind:
                        found[name, key, i] = pattern

    assert len(found) > 100
    assert all(re.compile(p.pattern, p.flags) for p in found.values())
