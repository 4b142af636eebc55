"""What a Conditioner takes out of prompts, what it says about that, and what it shows."""

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning.dialects import DIALECTS
from clipcond.prompt import ExtraNetwork
from tests.conditioning.conditioners import pair, single, warnings_of
from tests.conditioning.read_pages import read_page
from tests.failures import failures_of
from tests.parity.models import tower_l


def same(conditioner: Conditioner, prompt: str, other: str) -> bool:
    made = []
    warnings_of(lambda: made.append(conditioner(prompt).embeds))
    warnings_of(lambda: made.append(conditioner(other).embeds))
    return torch.equal(*made)


def test_what_a1111_takes_out_is_not_encoded_and_warned_of():
    conditioner = single()

    def check(case):
        prompt, used, shown = case
        assert same(conditioner, prompt, used)
        (message,) = warnings_of(lambda: conditioner(prompt))
        assert message.startswith(shown)

    cases = [
        ("a cat<lora:add_detail:0.8>, dog", "a cat, dog", "'<lora:add_detail:0.8>' is left out"),
        ("cat<lyco:y:1>s", "cats", "'<lyco:y:1>' is left out"),
        ("<hypernet:z:1> a", "a", "'<hypernet:z:1>' is left out"),
        ("a <wildcard:animal> b", "a b", "'<wildcard:animal>' is left out"),
        ("a <b:c d> e", "a e", "'<b:c d>' is left out"),
        ("a cat, # not a dog\nred hat", "a cat, \nred hat", "'# not a dog' is a comment"),
        ("a #ff0000 cat", "a", "'#ff0000 cat' is a comment"),
    ]
    assert not failures_of(check, cases)


def test_other_dialects_encode_it_and_warn():
    def check(dialect):
        conditioner = single(dialect=dialect)
        prompt = "a cat <lora:x:0.8>"
        assert not same(conditioner, prompt, "a cat ")
        (message,) = warnings_of(lambda: conditioner(prompt))
        assert "a network that A1111's user interface loads, but not here" in message

    assert not failures_of(check, {*DIALECTS} - {"a1111", "plain"})


def test_a_caret_is_under_the_users_words():
    prompt = "a <lora:x:0.8> # cats\n(dog, {a|b}"
    lora, comment, bracket, choice = warnings_of(lambda: single()(prompt))

    assert lora.splitlines()[1:3] == ["  line 1: a <lora:x:0.8> # cats", "            ^"]
    assert comment.splitlines()[2] == " " * 25 + "^"
    assert bracket.splitlines()[1:3] == ["  line 2: (dog, {a|b}", "          ^"]
    assert choice.splitlines()[2] == " " * 16 + "^"
    edited = warnings_of(lambda: single()("a [cat:dog:0.5] (x"))
    assert edited[1].splitlines()[1:3] == ["  a [cat:dog:0.5] (x", "                  ^"]


def test_a_function_gets_the_networks_of_each_prompt():
    given = []
    conditioner = single(extra_networks=given.append)

    prompts = ["a <lora:x:0.8> <lora:y:1>", "b", "c <lora:x:1>"]
    assert warnings_of(lambda: conditioner.guided(prompts, "d")) == []
    assert [[network.name for network in each] for each in given] == [["x", "y"], ["x"]]
    assert isinstance(given[0][0], ExtraNetwork)
    conditioner.explain("a <lora:z:1>")
    conditioner.chunks("a <lora:z:1>")
    assert len(given) == 2
    (message,) = warnings_of(lambda: conditioner.guided("a", "b <lora:x:1>"))
    assert message.splitlines()[0].endswith("it is in a negative prompt")
    assert len(given) == 2


def test_the_switch_works_in_every_dialect():
    def check(dialect):
        prompt, used = "a cat <lora:x:0.8># b", "a cat "
        assert same(single(dialect=dialect, extra_networks=True), prompt, used)
        assert same(single(dialect=dialect, extra_networks=lambda _: None), prompt, used)
        assert not same(single(dialect=dialect, extra_networks=False), prompt, used)

    assert not failures_of(check, DIALECTS)


def test_an_empty_rest_is_an_empty_negative():
    guided = []
    warnings_of(lambda: guided.append(pair().guided("a", "# nothing")))

    assert not guided[0].negative.embeds.any()


def test_capitals_are_encoded_whole():
    assert same(single(), "BLACK AND WHITE CAT", "black and white cat")
    assert same(single(), "BLACK AND WHITE cat", "black")
    (message,) = warnings_of(lambda: single()("BLACK AND WHITE cat"))
    assert "not encoded: 'AND WHITE cat'" in message
    assert "Write 'and' in small letters" in message


PROMPTS = [
    "[cat:dog:0.5]",
    "[cat|dog] x",
    "BLACK AND WHITE cat",
    "a [b:(c:1.2):5] AND d :2",
    "a <lora:x:1> cat # y",
    "a cat, " * 60 + "BREAK b",
    "",
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_shown_is_what_is_encoded(dialect):
    """Every chunk of the report goes through the tower, and with plain weights is the embeds."""
    conditioner = single(dialect=dialect, weighting="none", normalize="none")
    tower = tower_l()

    def check(prompt):
        made = []
        warnings_of(lambda: made.append(conditioner.guided(prompt, "a (dog")))
        warnings_of(lambda: made.append(conditioner.explain(prompt, "a (dog")))
        guided, report = made
        for side, each in ((guided.positive, report), (guided.negative, report.negative)):
            ids = torch.tensor([row.chunk.input_ids for row in each.chunks])
            hidden = tower.encode(ids, None, conditioner.layers()[0]).hidden.flatten(0, 1)
            kept = [on for row in each.json()["chunks"] for on in row.get("handed_on", ())]
            assert bool(kept) == (conditioner.dialect.rows is not None)
            hidden = hidden[torch.tensor(kept)] if kept else hidden
            torch.testing.assert_close(side.embeds[0], hidden, rtol=1e-4, atol=1e-5)

    prompts = [p for p in PROMPTS if dialect != "sd_embed" or p]
    assert not failures_of(check, prompts)


def test_editing_and_and_come_as_steps():
    reports = []
    warnings_of(lambda: reports.append(single().explain("a [cat:dog:0.5] AND b :2").json()))
    report = reports[0]

    assert [part["text"] for part in report["segments"]] == ["a dog"]
    steps = [
        (step["until"], [(part["text"], part["weight"], part["encoded"]) for part in step["parts"]])
        for step in report["steps"]
    ]
    assert steps == [
        (10, [("a cat", 1.0, False), (" b", 2.0, False)]),
        (20, [("a dog", 1.0, True), (" b", 2.0, False)]),
    ]
    assert report["steps"][1]["parts"][0]["chunks"] == report["chunks"]
    assert report["chunks"][0]["tokens"][1:3] == ["a", "dog"]
    assert "steps" not in single().explain("a cat").json()
    assert "steps" not in single(dialect="comfyui").explain("[cat:dog:0.5]").json()


def test_texts_of_steps_are_as_long_as_those_of_the_call():
    """A pipeline encodes all of them together, the negative's, too."""
    long = "red, " * 60

    def check(pair):
        conditioner, reports = single(), []
        warnings_of(lambda: reports.append(conditioner.explain(*pair)))
        every = [*filter(None, (reports[0], reports[0].negative))]
        parts = [part for each in every for _, own in each.steps for part in own]
        still = [each.parsed.source for each in every if not each.steps]
        rows = conditioner([*(part.text for part in parts), *still]).embeds
        assert {len(part.chunks) * 77 for part in parts} == {rows.shape[1]}
        for part, own in zip(parts, rows, strict=False):
            ids = torch.tensor([each.chunk.input_ids for each in part.chunks])
            hidden = tower_l().encode(ids, None, conditioner.layers()[0]).hidden.flatten(0, 1)
            torch.testing.assert_close(own, hidden, rtol=1e-4, atol=1e-5)

    pairs = [
        (f"a cat AND {long}AND [dog:fox:0.5]", None),
        (f"a [cat:{long}:0.5] AND b", "bad"),
        ("a cat AND b", long),
        ("a [cat:dog:0.5]", f"bad [hat:{long}:0.5]"),
        (long, "[cat:dog:0.5]"),
    ]
    assert not failures_of(check, pairs)


def test_rows_that_are_left_out_are_shown_in_tables_and_pages():
    report = single(dialect="sd_embed").explain("a (red:1.3) cat")
    chunk, compact = (report.json(compact=each)["chunks"][0] for each in (False, True))
    assert chunk["handed_on"] == [True] * 5 + [False] * 72
    assert compact["handed_on"] == [True] * 5
    assert "; 5 of 77 rows are handed on" in report.table(200)
    assert "5 of 77" in report.html()
    whole = single(dialect="lpw").explain("a cat")
    assert "handed_on" not in whole.json()["chunks"][0]
    assert "handed on" not in whole.table(200) + whole.html()


def test_both_towers_and_the_negative():
    report = pair().explain("a cat", "a red dog").json()

    assert (report["tower"], report["tower_2"]["tower"]) == ("L", "G")
    assert report["negative"]["prompt"] == "a red dog"
    assert report["negative"]["tower_2"]["chunks"][0]["tokens"][1:4] == ["a", "red", "dog"]
    lengths = [len(single().explain("a", "b " * 100).json()["chunks"])]
    assert lengths == [2]  # as long as the negative


def test_compact_leaves_out_padding():
    for conditioner in (single(), pair(), single(dialect="lpw"), single(dialect="comfyui")):
        (full,) = conditioner.explain("a cat").json()["chunks"]
        (chunk,) = conditioner.explain("a cat").json(compact=True)["chunks"]
        assert chunk["ids"] == [*full["ids"][:3], 49407]
        assert chunk["tokens"][1:3] == ["a", "cat"]
        assert len(chunk["weights"]) == 4


def test_words_that_a_tower_cannot_read_are_shown():
    issues = single().explain("a 猫").json()["issues"]

    assert any("'猫'" in issue["message"] for issue in issues)


def test_other_side_of_a_report_is_drawn():
    report = pair().explain("a cat", "a dog")

    table = report.table()
    assert "second tower:" in table
    assert "negative:" in table
    page = read_page(report.html())
    towers = [f"What tower {name} encodes" for name in "LGLG"]
    assert [each.text() for each in page.all("h3") if "tower" in each.text()] == towers
    assert len(page.all("h4")) == 4  # chunks


def test_a_second_prompt_for_one_tower_is_warned_of():
    ours = single()
    said = "is not read: there is no second tower"

    assert warnings_of(lambda: ours("a cat", prompts_2="a dog")) == [f"prompts_2 {said}"]
    assert warnings_of(lambda: ours.guided("a", "b", negatives_2="c")) == [f"negatives_2 {said}"]
    assert not warnings_of(lambda: ours("a cat", prompts_2="a cat"))
