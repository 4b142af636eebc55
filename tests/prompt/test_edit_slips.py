"""Slips in prompt editing and alternation are named, and following a remedy mends them."""

import re

from clipcond.prompt import reduce_to_one_text
from clipcond.prompt.composition_slips import condition_issues
from clipcond.prompt.reduction import misread_forms, reduce, undrawn_edits
from clipcond.prompt.remainder import Remainder
from tests.failures import failures_of
from tests.prompt.test_composition_slips import issues


def test_edits_that_so_many_steps_never_show():
    def check(case):
        prompt, steps, kept = case
        (issue,) = undrawn_edits(Remainder.whole(prompt), steps)
        position = prompt.index("[")
        shown = prompt[position : prompt.index("]") + 1]
        assert issue.message == (
            f"{shown!r} never changes while denoising: {steps} steps draw only {kept!r}"
        )
        assert issue.position == position

    cases = [
        ("a [cat:dog:25]", 20, "cat"),
        ("[cat:dog:20]", 20, "cat"),
        ("[cat:dog:19]", 20, "cat"),  # steps are counted from 0
        ("[cat:dog:0.95]", 20, "cat"),
        ("[cat:dog:0.5]", 2, "cat"),
        ("[cat:dog:0.04]", 20, "dog"),
        ("b AND [cat::30]", 20, "cat"),
        ("[dog:8] x", 8, ""),
    ]
    assert not failures_of(check, cases)
    for prompt in ("[cat:dog:18]", "[cat:dog:0.9]", "[cat|dog]", "[cat:1.3]", "[cat:dog:0]", "a"):
        assert undrawn_edits(Remainder.whole(prompt), 20) == ()
    assert undrawn_edits(Remainder.whole("[cat:dog:25]"), 30) == ()


def test_texts_of_an_alternation_that_so_many_steps_never_show():
    def check(case):
        prompt, steps, lost, remedy = case
        (issue,) = undrawn_edits(Remainder.whole(prompt), steps)
        assert issue.message.endswith(f": {steps} steps never draw {lost}")
        assert issue.remedy.startswith(remedy)
        assert (issue.code, prompt[issue.position]) == ("editing-undrawn", "[")
        needed = next((int(word) for word in issue.remedy.split() if word.isdigit()), None)
        if needed is not None:
            assert undrawn_edits(Remainder.whole(prompt), needed) == ()
            assert undrawn_edits(Remainder.whole(prompt), needed - 1) != ()

    more, one = "Draw at least ", "Write all texts in one pair"
    cases = [
        ("[a|b|c|d]", 4, "'d'", more),  # steps are counted from 0
        ("[a|b|c|d]", 3, "'c', 'd'", more),
        ("a [cat|dog] on a mat", 2, "'dog'", more),
        ("[cat|dog]", 1, "'dog'", more),
        ("a AND [red|(blue:1.2)|green] b", 3, "'green'", more),
        ("[cat|dog|]", 3, "''", more),
        ("[" + "|".join("abcdefghijklmnopqrstuvwx") + "]", 20, "'t', 'u', 'v', 'w', 'x'", more),
        ("[cat|[dog|fox]]", 20, "'dog'", one),
        ("[[a|b|c]:d:2]", 20, "'c'", one),
    ]
    assert not failures_of(check, cases)
    silent = [("[a|b|c|d]", 5), ("[cat|dog|cat]", 3), ("[a|b]", 3), ("[[a|b]:c:2]", 20), ("a|b", 1)]
    assert [case for case in silent if undrawn_edits(Remainder.whole(case[0]), case[1])] == []
    (issue,) = undrawn_edits(Remainder.whole("[x:[a:b:0.5]:15]"), 20)
    assert issue.message == "'[a:b:0.5]' never changes while denoising: 20 steps draw only 'b'"
    assert undrawn_edits(Remainder.whole("[[a|b|c]:d:25]"), 20)[0].message.endswith("'[a|b|c]'")


def test_edits_that_begin_with_a_label():
    def check(case):
        prompt, remedy = case
        (issue,) = misread_forms(Remainder.whole(prompt))
        (encoded,) = reduce_to_one_text(prompt)[1]
        assert issue.remedy == encoded.remedy
        assert issue.remedy.startswith(remedy)
        assert prompt[issue.position] == "["

    load = "Leave it out, and load the network"
    cases = [
        ("[lora:foo:0.8]", load),
        ("a cat, [LoRA:foo_v2:.5] b", load),
        ("[lyco: foo:0.8]", load),
        ("[hypernet:foo:1.0]", load),
        ("[artist:wlop:0.8]", "For a weight write (artist:wlop:0.8)."),
        ("a, [by: ross:0.7]", "For a weight write (by:ross:0.7)."),
        ("[character:miku:0.5]", "For a weight write (character:miku:0.5)."),
    ]
    assert not failures_of(check, cases)
    for prompt in ("[a lora:foo:0.8]", "[cat:dog:0.8]", "[lora|foo]", "[artist:5]", "[style:a:5]"):
        assert misread_forms(Remainder.whole(prompt)) == ()


def test_a_weight_in_square_brackets_behind_its_word():
    cases = [("cat [weight: 1.3]", "cat"), ("a dog, big-cat [weight:0.8], x", "big-cat")]
    cases.append(("猫 [权重：1.3]", "猫"))
    for prompt, words in cases:
        (issue,) = reduce(prompt, fullwidth=True)[1]
        number = re.findall(r"\d\.\d", prompt)[0]
        assert issue.remedy.startswith(f"For a weight write ({words}:{number}).")
        assert prompt[issue.position :].startswith(words)
        assert prompt[issue.position : prompt.index("]") + 1] in issue.message
    (issue,) = reduce("a cat [red:1.3]")[1]
    assert issue.remedy.startswith("For a weight write (red:1.3).")


def test_times_and_ratios_in_square_brackets():
    def check(case):
        prompt, shown = case
        (issue,) = misread_forms(Remainder.whole(prompt))
        assert issue.message.startswith(f"{shown!r} is prompt editing")
        assert issue.position == prompt.index("[")
        text = issue.remedy.removeprefix("For text write ").rstrip(".")
        there = prompt.replace(shown, text)
        assert misread_forms(Remainder.whole(there)) == ()
        assert reduce_to_one_text(there) == (there, ())
        assert undrawn_edits(Remainder.whole(prompt), 20) == ()

    cases = [
        ("[10:30] text", "[10:30]"),
        ("[3:2]", "[3:2]"),
        ("a photo [16:9]", "[16:9]"),
        ("[12:00] noon", "[12:00]"),
        ("[10:9:8] countdown", "[10:9:8]"),
        ("[2024:5]", "[2024:5]"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("[cat:5]", "[1girl:5]", "[3|2]", "[10:0.5]", "(10:30)"):
        assert misread_forms(Remainder.whole(prompt)) == ()


def test_weights_that_do_nothing_and_brackets_that_split():
    def check(case):
        prompt, code, *said = case
        found = [i for i in issues(prompt) if i.code == code]
        assert len(found) == len(said), found
        assert all(text in f"{i.message} {i.remedy}" for i, text in zip(found, said, strict=True))

    zero, brackets = "all conditions have the weight 0", "AND splits the brackets"
    cases = [
        *((p, "and-weight", zero) for p in ("a cat :0 AND a dog :0", "a:0 AND b:0 AND c:0.0")),
        *((p, "and-weight", zero) for p in ("猫 :0 AND 狗 :0", "a :-0 AND b :0", "a : 0 AND b :0")),
        *((p, "and-weight") for p in ("a cat :1 AND a dog :0", "a AND b", "10:30 clock AND b")),
        ("a cat :0.5 and more AND dog", "and-weight", "Write the condition 'a cat and more :0.5'"),
        ("a cat:0.7 in a hat AND dog", "and-weight", "Write the condition 'a cat in a hat :0.7'"),
        (
            "dog AND a red cat :1.2, night",
            "and-weight",
            "Write the condition 'a red cat, night :1.2'",
        ),
        ("猫 :0.5 在床上 AND 狗", "and-weight", "':0.5' is text"),
        ("a :2 b AND c :0.5 d", "and-weight", "':2' is text", "':0.5' is text"),
        *((p, "and-in-brackets", brackets) for p in ("(cat AND dog)", "[cat AND dog]")),
        *((p, "and-in-brackets", brackets) for p in ("a (red AND blue) hat", "((a AND b):1.2)")),
        ("(a AND b AND c)", "and-in-brackets", "'(a' and 'b'", "'b' and 'c)'"),
        *((p, "and-in-brackets") for p in ("(a) AND (b)", "\\(a AND b\\)", "[a] AND (b:1.2)")),
    ]
    assert not failures_of(check, cases)


def test_a_weight_behind_an_edit_is_text():
    def check(case):
        prompt, proposal = case
        found = [i for i in issues(prompt) if i.code == "weight"]
        assert [i.remedy for i in found] == ([f"Write {proposal}."] if proposal else [])

    cases = [
        ("[cat:dog:0.5]:1.2", "([cat:dog:0.5]:1.2)"),
        ("a [cat|dog]:1.3, x", "([cat|dog]:1.3)"),
        ("[cat:5] * 1.2", "([cat:5]:1.2)"),
        ("[红:蓝:0.5]：1.2", "([红:蓝:0.5]:1.2)"),
        ("a [cat::0.5]1.2", "([cat::0.5]:1.2)"),
        ("[a|b] :0.8 hat", "([a|b]:0.8)"),
        ("([cat:dog:0.5]:1.2)", ""),
        ("[cat:dog:0.5] 3 hats", ""),
    ]
    assert not failures_of(check, cases)
    assert "from 1 to 18" in issues("[cat:dog:100]")[0].remedy
    for prompt in ("[::0.5]", "[:10]", "a [ : :0.3] b"):  # what `[<lora:a:1>::0.5]` leaves
        assert reduce(prompt, is_rest=True)[1] == ()
        assert [issue.code for issue in issues(prompt)] == ["editing"]


def test_of_two_weights_the_first_is_text():
    def check(case):
        prompt, shown, meant = case
        (issue,) = [i for i in condition_issues(prompt) if "is at its end" in i.message]
        assert issue.message == f"{shown!r} is text: the weight of a condition is at its end"
        assert issue.position == prompt.find(shown)
        assert issue.remedy == f"Write the condition {meant!r}."

    cases = [
        ("fox :0.3 AND dog :0.5 :0.6", ":0.5", "dog :0.5"),
        ("fox :0.3 :0.2 AND dog", ":0.3", "fox :0.3"),
        ("a red fox:1.2:0.4 AND dog", ":1.2", "a red fox :1.2"),
        ("a AND 猫：0.5 :0.6", "：0.5", "猫 :0.5"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("fox :0.3 AND dog", "a AND b :0.5", "猫：1.2 AND 狗：0.8", "10:30 AND b :0.5"):
        assert not [i for i in condition_issues(prompt) if "is at its end" in i.message]
