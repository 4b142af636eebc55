"""Run one check on many cases and report every case that fails, not only the first."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from clipcond.errors import excerpt

Case = TypeVar("Case")


def failures_of(
    check: Callable[[Case], object],
    cases: Iterable[Case],
    name: Callable[[Case], object] = lambda case: case,
) -> list[str]:
    """List the name and message of each case for which the check raises; at least one is run.

    Args:
        check: asserts something of one case.
        name: what a case is called in the list.
    """
    failures, n_cases = [], 0
    for case in cases:
        n_cases += 1
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:
            shown = excerpt(repr(name(case)), 200)
            failures.append(f"{shown}: {type(error).__name__}: {error}")
    assert n_cases, "there are no cases"
    return failures
