"""The groups that ComfyUI tokenizes: words, fragments, embeddings."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clipcond.prompt import MOST_ISSUES, Issue, Segment
from clipcond.prompt.syntaxes.comfyui import parse_groups
from tests.failures import failures_of
from tests.prompt.test_comfyui import PIECES, pairs

mentioning = st.lists(
    st.sampled_from([*PIECES, "embedding:", " embedding:foo", "foo", ",", "\t"]), max_size=16
).map("".join)


def texts(prompt, **choices):
    return [part.text for part in parse_groups(prompt, **choices).parts]


def test_a_group_is_a_fragment_or_in_older_releases_a_word():
    prompt = " red  fox, (in\tthe\nsnow:1.2)"

    assert texts(prompt) == [" red  fox, ", "in\tthe\nsnow"]
    assert texts(prompt, words=True) == ["red", "fox,", "in\tthe", "snow"]


@given(mentioning)
def test_groups_are_places_too(prompt):
    for words in (False, True):
        for embeddings in (False, True):
            parts = parse_groups(prompt, words=words, embeddings=embeddings).parts

            assert all(a.stop <= b.start for a, b in pairwise(parts))
            for part in parts:
                place = prompt[part.start : part.stop]
                text = ("embedding:" if part.is_name else "") + part.text
                assert text == place.replace("\\(", "(").replace("\\)", ")") != ""


@given(mentioning)
def test_without_dropping_cuts_lose_nothing_but_spaces(prompt):
    whole = "".join(text for text, _ in pairs(prompt))
    for words in (False, True):
        pieces = "".join(texts(prompt, words=words, embeddings=False))
        assert re.sub(r"[ \n]", "", pieces) == re.sub(r"[ \n]", "", whole)


def test_the_name_of_a_missing_embedding_is_left_out():
    def check(case):
        prompt, dropped, kept = case
        parts = parse_groups(prompt).with_names(lambda name: None).parts

        assert [part.text for part in parts] == dropped
        assert texts(prompt, embeddings=False) == kept
        assert parse_groups(prompt, embeddings=False).issues == ()

    cases = [
        ("embedding:foo a cat", [" a cat"], ["embedding:foo a cat"]),
        ("a embedding:foo cat", ["a", " cat"], ["a", "embedding:foo cat"]),
        ("a,embedding:foo", ["a,embedding:foo"], ["a,embedding:foo"]),
        ("embedding:a embedding:b", [], ["embedding:a", "embedding:b"]),
        ("embedding:foo, cat", [", cat"], ["embedding:foo, cat"]),
        ("a (embedding:foo\\(1\\):1.2)\n", ["a ", "\n"], ["a ", "embedding:foo(1)", "\n"]),
        ("embedding: cat", ["embedding: cat"], ["embedding: cat"]),
        ("embedding:,", ["embedding:,"], ["embedding:,"]),
    ]
    assert not failures_of(check, cases)


def test_a_missing_embedding_is_an_issue():
    (issue,) = parse_groups("a (embedding:foo:1.2), cat").with_names(lambda name: None).issues

    assert issue == Issue(
        "there is no embedding 'foo'; its name is left out",
        3,
        "Load its file: conditioner.load_inversion(file).",
        words=("foo",),
    )


def test_a_name_that_a_comma_is_in():
    (issue,) = parse_groups("cat embedding:foo,dog").with_names(lambda name: None).issues

    assert issue.words == ("foo,dog",)
    assert issue.remedy == "A name ends at a space: write one behind the comma."
    mended = parse_groups("cat embedding:foo, dog").with_names(lambda name: name)
    assert [part.text.strip() for part in mended.parts] == ["cat", "foo", ", dog"]


def test_an_embedding_is_a_segment_of_its_own_at_the_weight_around_it():
    parsed = parse_groups("a (embedding:foo\\(1\\).pt, cat:1.2)")

    assert parsed.parts == (
        Segment("a ", 1.0, 0, 2),
        Segment("foo(1).pt", 1.2, 3, 24, is_name=True),
        Segment(", cat", 1.2, 24, 29),
    )
    assert parsed.issues == ()
    assert not parsed.bare_names
    renamed = parsed.with_names({"foo(1).pt": "<foo>"}.get)
    assert [part.text for part in renamed.parts] == ["a ", "<foo>", ", cat"]
    assert renamed.issues == ()


def test_a_thousand_missing_embeddings_are_a_hundred_issues():
    parsed = parse_groups("embedding:a " * 1000).with_names(lambda name: None)

    assert parsed.parts == ()
    assert len(parsed.issues) == MOST_ISSUES
