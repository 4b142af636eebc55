"""Which row is which token: in every dialect, a row changes first where its token does.

The towers are causal and chunks are apart, so another word changes the rows of its own chunk from
its place on, and none before.
"""

import pytest

from clipcond import DIALECTS, Conditioner
from clipcond.conditioning.token_rows import note_tokens
from clipcond.pipelines.heat_maps.words import runs_of_words
from tests.parity.models import tower_g, tower_l

FILLER = "one two three four five six seven eight nine ten, " * 7  # 77 tokens
PROMPT = f"a red cat, {FILLER} the fox in the sea"  # the fox is in the second chunk
OTHERS = {"cat": "dog", "fox": "owl"}
ONE_CHUNK = "diffusers"  # keeps no more of a prompt


def conditioner(dialect, n_towers):
    towers = (tower_l(), tower_g())[:n_towers]
    return Conditioner(*towers, dialect=dialect, pooled=False)


def rows_of(conditioner, prompt, negative):
    """The words of a prompt and their rows, as noted, in a call with a negative."""
    with note_tokens() as noted:
        made = conditioner.guided(prompt, negative).positive.embeds
    ((encoded,),) = noted
    assert encoded.n_rows == made.shape[1]
    return [word for run in runs_of_words(encoded) for word in run], made[0]


def first_changes(one, other):
    """The rows that differ where the row before does not."""
    differs = (one != other).any(-1).tolist()
    return [r for r, d in enumerate(differs) if d and not (r and differs[r - 1])]


@pytest.mark.filterwarnings("ignore:the prompt needs", "ignore:dialect")
@pytest.mark.parametrize(("n_towers", "negative"), [(1, ""), (2, f"{FILLER * 2} blurry")])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_row_changes_first_where_its_token_does(dialect, n_towers, negative):
    own = conditioner(dialect, n_towers)
    words, embeds = rows_of(own, PROMPT, negative)
    found = {}
    for word, other in OTHERS.items():
        (rows,) = {each.rows for each in words if each.text == word} or {()}  # of both towers
        changed, theirs = rows_of(own, PROMPT.replace(word, other), negative)
        found[word] = first_changes(embeds, theirs)

        assert [*rows] == found[word], word
        assert other in {each.text for each in changed} or not rows
    assert found["cat"]
    assert bool(found["fox"]) == (dialect != ONE_CHUNK)
