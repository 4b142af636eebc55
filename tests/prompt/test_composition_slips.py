"""In a prompt that AND splits, numbers that are read otherwise than meant are warned of."""

import re

from clipcond.prompt import Issue, compose, reduce_to_one_text
from clipcond.prompt.composition_slips import condition_issues
from clipcond.prompt.reduction import misread_forms, reduce, undrawn_edits
from clipcond.prompt.remainder import Remainder
from tests.failures import failures_of


def issues(prompt: str) -> list[Issue]:
    return [issue for issue in reduce_to_one_text(prompt)[1] if issue.code != "and"]


def mended(prompt: str, issue: Issue) -> str:
    """Do what an issue says, in the place that it says."""
    (proposal,) = re.findall(r"rite '(.+)'\.", issue.remedy)
    (words,) = issue.words
    assert prompt[issue.position :].startswith(words)
    return prompt[: issue.position] + proposal + prompt[issue.position + len(words) :]


def test_a_number_that_is_no_weight():
    def check(case):
        prompt, conditions = case
        while found := issues(prompt):
            assert "ends in no weight of a condition" in found[0].message
            prompt = mended(prompt, found[0])
        assert [(text.strip(), weight) for text, weight in compose(prompt)] == conditions

    cases = [
        ("a AND b:0,5", [("a", 1), ("b", 0.5)]),
        ("a AND b : 50%", [("a", 1), ("b", 0.5)]),
        ("a AND b 0.5", [("a", 1), ("b", 0.5)]),
        ("a cat:0.7, AND a dog:0.3.", [("a cat", 0.7), ("a dog", 0.3)]),
        ("a cat =0.7 AND a dog", [("a cat", 0.7), ("a dog", 1)]),
        ("a cat AND a dog::0.5", [("a cat", 1), ("a dog", 0.5)]),
        ("a cat AND a dog *0.5", [("a cat", 1), ("a dog", 0.5)]),
        ("a cat (0.5) AND a dog x1.2", [("a cat", 0.5), ("a dog", 1.2)]),
        ("a cat:1/2 AND a dog", [("a cat", 0.5), ("a dog", 1)]),
        ("a cat AND a dog :O.5", [("a cat", 1), ("a dog", 0.5)]),
        ("a cat:l.2 AND a dog", [("a cat", 1.2), ("a dog", 1)]),
        ("猫：1.2 AND 狗：0.4", [("猫", 1.2), ("狗", 0.4)]),
    ]
    assert not failures_of(check, cases)


def test_a_number_that_is_no_weight_but_is_read_as_one():
    def check(case):
        prompt, conditions = case
        (issue,) = issues(prompt)
        assert "ends in the weight" in issue.message
        prompt = mended(prompt, issue)
        assert issues(prompt) == []
        assert [(text.strip(), weight) for text, weight in compose(prompt)] == conditions

    cases = [
        ("10:30 AND night", [("10:30", 1), ("night", 1)]),
        ("night AND at 7:05", [("night", 1), ("at 7:05", 1)]),
        ("16:9 AND b :.5", [("16:9", 1), ("b", 0.5)]),
        ("a girl, smile :3 AND dog", [("a girl, smile :3", 1), ("dog", 1)]),
        ("word " * 90 + "10:30 AND dog", [("word " * 90 + "10:30", 1), ("dog", 1)]),
        ("John 3:16 AND light", [("John 3:16", 1), ("light", 1)]),
        ("a AND b:100", [("a", 1), ("b:100", 1)]),
    ]
    assert not failures_of(check, cases)


def test_what_is_meant_is_silent():
    prompts = ["a cat :1.2 AND a dog :-0.4", "a AND b", "a AND (b:1.2)", "a AND b:0", "a AND b :2"]
    prompts += ["version 1.5 AND b", "price: 50% AND x", "a AND (b):0.5", "aspect ratio:1.5, AND b"]
    assert [issue for prompt in prompts for issue in issues(prompt)] == []


def test_and_in_a_title():
    def check(prompt):
        (issue,) = misread_forms(Remainder.whole(prompt))
        assert misread_forms(Remainder.whole(prompt), negative=True) == ()
        assert (issue.code, prompt[issue.position :][:3]) == ("and-in-title", "AND")
        assert compose(prompt.replace("AND", "And")) == ((prompt.replace("AND", "And"), 1.0),)

    cases = [
        "BLACK AND WHITE cat",
        'a poster "ROCK AND ROLL"',
        "TAKE AND GO, a shop",
        "a banner “SALT AND PEPPER”",
        "the film LAW AND ORDER, detective",
        "a logo of BANG AND OLUFSEN on a speaker",
        "a cat, PORTRAIT OF A CAT AND A DOG",
        "a cat, A CAT, AND A DOG, 4k",
        "PLAN A AND B, a whiteboard",
        "masterpiece. I AND THE CAT. a cat",
        "кот, ЧЁРНЫЙ AND БЕЛЫЙ",
        '"Guns AND Roses" poster',
        'a "Rock AND Roll" t-shirt',
        "cat, “you AND me”",
        "a sign 「猫 AND 狗」",
        'a 12" disc, "you AND me" on it',
    ]
    assert not failures_of(check, cases)
    (issue,) = misread_forms(Remainder.whole("a cat, A CAT AND A DOG"))
    assert issue.message.endswith("in a title: 'a cat, A CAT' and 'A DOG'")
    (issue,) = misread_forms(Remainder.whole('cat AND dog, "you AND me"'))
    assert issue.position == 18
    silent = ['"cat" AND "dog"', 'a "cat" AND a "dog"', 'a 12" disc AND 14" pizza', '"a" AND b']
    silent += ["a CAT AND a dog", "(4K) AND a dog", "BLACK AND WHITE", "cat AND dog AND fox"]
    silent += ["a cat, 4K AND a dog, 8K", "a AND b", "A AND b", "猫 AND 狗", "🐱 AND 🐶"]
    assert [p for p in silent if misread_forms(Remainder.whole(p))] == []


def test_and_not_is_no_negation():
    for prompt, words in (("a cat AND NOT a dog", "a dog"), ("猫 AND NOT 狗 AND 鸟", "狗")):
        (issue,) = [i for i in reduce(prompt)[1] if i.code == "and-not"]
        assert issue.message == f"AND NOT draws {words!r} as well: it is no negation"
        assert f"'AND {words} :-1'" in issue.remedy
        assert prompt[issue.position :].startswith(f"AND NOT {words}")
        there = prompt.replace(issue.words[0], f"AND {words} :-1")
        assert (f" {words}", -1.0) in compose(there)
        assert misread_forms(Remainder.whole(prompt)) == ()
    assert [i.code for i in reduce("a cat AND a dog, NOT a fox")[1]] == ["and"]


def test_and_with_nothing_on_one_side():
    def check(case):
        prompt, side, position = case
        (issue,) = misread_forms(Remainder.whole(prompt))
        assert misread_forms(Remainder.whole(prompt), negative=True) == ()
        assert issue.message == f"nothing is {side} AND: an empty condition is drawn as well"
        assert (issue.code, issue.position) == ("and-empty", position)

    cases = [
        *(("a AND", "behind", 2), ("a cat AND ", "behind", 6), ("AND a", "before", 0)),
        *((", AND a cat", "before", 2), ("a cat AND, ", "behind", 6), ("a AND AND b", "behind", 2)),
        *(("AND", "behind", 0), ("a AND :0.5", "behind", 2), ("a AND b AND", "behind", 8)),
    ]
    assert not failures_of(check, cases)


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
