"""open_clip's tokenizer without open_clip: its ids, and its messages where ftfy is missing."""

import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import ClipcondWarning, TowerError
from clipcond.tokenizers import open_clip
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer
from clipcond.tokenizers.open_clip import PLAIN, shipped, wrap_tokenizer
from tests.checkpoints.stand_ins import Frames
from tests.parity.models import tokenizer
from tests.towers.golden_layers import facts

needs_ftfy = pytest.mark.skipif(
    open_clip._fix_text() is None, reason="ftfy is not installed (extra: test)"
)


# ASCII that might come out otherwise: what it leaves of entities, letters beyond the plain ones
TOLD = [
    "&amp;amp;amp;lt;",
    "&copy",
    "&copy;",
    "&EACUTE;",
    "&notanentity;",
    "e&#769;<",
]


@pytest.fixture(scope="module")
def ours():
    return shipped(77)


@pytest.fixture
def without_ftfy(monkeypatch):
    monkeypatch.setitem(sys.modules, "ftfy", None)
    open_clip._fix_text.cache_clear()
    yield
    open_clip._fix_text.cache_clear()


@needs_ftfy
def test_ids_are_those_of_open_clip(ours):
    strings = facts()["strings"]
    failures = [text for text, ids in strings.items() if ours.encode(text) != ids]

    assert len(strings) == 77
    assert not failures


@needs_ftfy
def test_it_differs_from_transformers_where_open_clip_does(ours):
    theirs = ClipBpeTokenizer(tokenizer("!"))

    differ = [t for t in facts()["strings"] if ours.encode(t) != theirs.encode(t)]

    assert {"&amp;", "<start_of_text>", "“curly” ‘quotes’", "schÃ¶n"} <= set(differ)
    assert not {"a cat", "don't won't I'LL", "猫", "😀"} & set(differ)


def test_few_and_many_come_out_alike(ours):
    texts = ["a cat", "", "Don't", "猫 in a box", "x" * 300]

    assert ours.encode_batch(texts) == [ours.encode(text) for text in texts]
    assert ours.encode_batch([]) == []
    assert ours.encode_batch(["a cat"] * 2000) == [[320, 2368]] * 2000  # beyond FEW characters
    assert ours.pieces([49406, 320, 2368, 49407]) == [
        "<|startoftext|>",
        "a",
        "cat",
        "<|endoftext|>",
    ]


def test_added_tokens_stay_whole_and_multiply(ours):
    other = shipped(77)
    other.source.add_tokens(["<foo>", "<foo>_1", "<bar>"])

    assert other.encode("a <foo> cat<bar>") == [320, 49408, 49409, 2368, 49410]
    assert ours.encode("<foo>")[0] < 49406  # another tokenizer does not know it


def test_typed_specials_are_open_clips_own(ours):
    assert ours.encode("<start_of_text>a<END_OF_TEXT>") == [49406, 320, 49407]
    assert 49407 not in ours.encode("<|endoftext|>")


@pytest.mark.usefixtures("without_ftfy")
def test_without_ftfy_a_text_that_may_differ_is_told_once():
    ours = shipped(77)
    with pytest.warns(ClipcondWarning) as warned:
        ours.encode_batch(["“curly”", "schÃ¶n"])

    assert [str(w.message) for w in warned] == [
        "open_clip repairs text with ftfy, which is not installed: '“curly”' may get other tokens "
        "than there. `pip install ftfy` makes them the same."
    ]
    with pytest.warns(ClipcondWarning, match="EACUTE"):
        shipped(77).encode("&EACUTE;")


@pytest.mark.usefixtures("without_ftfy")
def test_without_ftfy_what_it_does_not_touch_is_exact_and_untold():
    plain = [text for text in facts()["strings"] if PLAIN.fullmatch(text)]
    messages = []
    ours = shipped(77)
    for text in plain:
        ours._has_warned = False
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ids = ours.encode(text)
        if caught:
            messages.append(text)
        else:
            assert ids == facts()["strings"][text]

    assert messages == TOLD
    assert len(plain) > 30


@needs_ftfy
@given(st.text(st.sampled_from("aB9 &;#<>lt猫あア中😀'\"\n"), max_size=20))
def test_what_needs_no_ftfy(text):
    """Neither warned about nor changed by it: the same ids with and without."""
    from ftfy import fix_text

    assert PLAIN.fullmatch(text)
    if "&" not in text:
        assert fix_text(text) == text


@needs_ftfy
@given(st.text(st.sampled_from("ab B9,.'\n猫あéèüßàâåñÿ"), max_size=12))
def test_accents_that_need_no_ftfy(text):
    from ftfy import fix_text

    if PLAIN.fullmatch(text):
        assert fix_text(text) == text


@pytest.mark.slow
@needs_ftfy
def test_every_plain_character_is_left_alone_by_ftfy():
    from ftfy import fix_text

    plain = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000 and PLAIN.match(chr(i))]
    plain = [c for c in plain if PLAIN.fullmatch(c) and c != "\r"]  # a line end: becomes a space

    assert len(plain) > 28_000
    assert {"é", "ß", "ÿ"} < set(plain)
    assert [c for c in plain if fix_text(c) != c] == []


def other(tokenizer, name="m", n_entries=120):
    return wrap_tokenizer(
        tokenizer, context_length=None, n_entries=n_entries, mask_padding=True, name=name
    )


def test_a_tokenizer_of_another_kind():
    ours, special = other(Frames([0, 2], 1))

    assert (special.bos, special.eos, special.pad, special.context_length) == (0, 2, 1, 77)
    assert special.mask_padding
    assert special.commas == {3 + ord(",") % 50}
    assert ours.encode("ab") == [50, 51]
    assert ours.encode_batch([]) == []
    assert ours.pieces([50]) == ["<50>"]


def test_what_cannot_be_chunked_is_refused():
    with pytest.raises(TowerError) as caught:
        other(Frames([1], 0))
    assert str(caught.value) == (
        "the tokenizer of 'm' makes [1] of an empty text; a chunk has one id before its text, one "
        "after it, and padding"
    )
    with pytest.raises(TowerError) as caught:
        other(None, n_entries=32000)
    assert str(caught.value) == (
        "'m' has a vocabulary of 32000 entries, not CLIP's 49408: its own tokenizer is needed\n"
        "Give open_clip.get_tokenizer(...) of this model as tokenizer=."
    )
