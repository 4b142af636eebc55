"""What errors look like, that they pickle, and what they are caught as."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond import errors
from clipcond.errors import PromptError, PromptSyntaxError, UnknownNameError, caret
from tests.failures import failures_of

ALL = [
    errors.ClipcondError("what", "how"),
    PromptError("what", "猫 (a", 2, "how"),
    PromptSyntaxError("what", "猫 (a", 2),
    errors.PromptTypeError("what"),
    UnknownNameError("rule", "lrep", ["lerp", "masked"]),
    errors.WeightingError("what", "猫 (a", 2, "how"),
    errors.TowerError("what", "how"),
    errors.CheckpointError("what", "a/file", "how"),
    errors.PipelineError("what", "how"),
    errors.PromptWarning("what", "猫 (a", 2, "how"),
]


def test_errors_pickle_whole():
    def check(error):
        copy = pickle.loads(pickle.dumps(error))

        assert type(copy) is type(error)
        assert vars(copy) == vars(error)
        assert str(copy) == str(error)

    cases = ALL
    assert not failures_of(check, cases)


def test_errors_are_what_a_caller_would_guess():
    def check(case):
        error, builtin = case
        assert issubclass(error, builtin)
        assert issubclass(error, (errors.ClipcondError, errors.ClipcondWarning))

    cases = [
        (PromptSyntaxError, ValueError),
        (UnknownNameError, ValueError),
        (errors.WeightingError, ValueError),
        (errors.TowerError, ValueError),
        (errors.CheckpointError, OSError),
        (errors.PipelineError, TypeError),
        (errors.PromptTypeError, TypeError),
        (errors.PromptWarning, UserWarning),
    ]
    assert not failures_of(check, cases)


def test_a_message_of_three_parts():
    error = PromptSyntaxError("'(' is never closed", "a photo of a (red cat", 13, "Close it.")

    assert str(error) == (
        "'(' is never closed\n  a photo of a (red cat\n               ^\nClose it."
    )


def test_a_message_without_a_source_has_no_caret():
    assert str(PromptError("there is no prompt", remedy="Pass one.")) == (
        "there is no prompt\nPass one."
    )


def test_did_you_mean():
    assert str(UnknownNameError("weighting rule", "lrep", {"scale", "masked", "lerp"})) == (
        "no weighting rule 'lrep'. Did you mean 'lerp'? Known: lerp, masked, scale."
    )
    assert str(UnknownNameError("dialect", "A1111", ["a1111"])) == (
        "no dialect 'A1111'. Did you mean 'a1111'? Known: a1111."
    )
    assert str(UnknownNameError("dialect", None, ["a1111"])) == ("no dialect None. Known: a1111.")
    assert len(str(UnknownNameError("dialect", "x" * 100_000, ["a1111"]))) < 100


def test_caret():
    def check(case):
        source, position, expected = case
        assert caret(source, position) == expected

    cases = [
        ("abc", 0, "  abc\n  ^"),
        ("abc", 3, "  abc\n     ^"),
        ("一只猫(a", 3, "  一只猫(a\n        ^"),
        ("Ａ（(", 2, "  Ａ（(\n      ^"),
        ("😀(", 1, "  😀(\n    ^"),
        ("e\u0301(", 2, "  e\u0301(\n   ^"),  # a combining accent takes no column
        ("\u202ea\tb(", 4, "  a b(\n     ^"),
        ("one\ntwo (\nthree", 8, "  line 2: two (\n              ^"),
        ("one\n", 4, "  line 2: \n          ^"),
        ("x" * 100 + "(" + "y" * 100, 100, f"  ...{'x' * 40}({'y' * 29}...\n{' ' * 45}^"),
        ("猫" * 100, 50, f"  ...{'猫' * 20}{'猫' * 15}...\n{' ' * 45}^"),
    ]
    assert not failures_of(check, cases)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(-5, 200))
def test_a_caret_is_always_two_short_lines(source, position):
    shown, under = caret(source, position).split("\n")

    assert under.strip(" ") == "^"
    assert len(shown) <= 200
    assert len(under) <= 2 + len("line 200: ") + 3 + 40 + 1


def test_excerpts_keep_their_length():
    assert errors.excerpt("x" * 60) == "x" * 60
    assert errors.excerpt("x" * 61) == "x" * 57 + "..."
    assert errors.excerpt("abcdef", 5) == "ab..."


def test_what_would_steer_a_terminal_is_replaced():
    assert errors.printable("猫\x1b[31m\n\u202ea") == "猫\ufffd[31m\ufffd\ufffda"


def test_a_warning_without_a_prompt_points_at_the_one_at_work():
    def warned(warning):
        at_work = errors.SUBJECT.set(("a (cat", 2))
        try:
            with pytest.warns(errors.ClipcondWarning) as caught:
                errors.warn(warning)
        finally:
            errors.SUBJECT.reset(at_work)
        return str(caught[0].message), caught[0].filename

    shown = "  a (cat\n    ^"
    assert warned(errors.PromptWarning("what", remedy="how")) == (f"what\n{shown}\nhow", __file__)
    assert warned(errors.PromptWarning("what", "b", 0)) == ("what\n  b\n  ^", __file__)
    assert warned(errors.ClipcondWarning("what")) == ("what", __file__)
