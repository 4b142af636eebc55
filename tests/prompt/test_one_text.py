"""A prompt that makes several texts is reduced to one."""

from hypothesis import given
from hypothesis import strategies as st

from clipcond.prompt import Issue, parse, reduce_to_one_text, schedule
from clipcond.prompt.editing import find_changes
from tests.failures import failures_of

EDIT = "Encode the texts of schedule(prompt, steps) one by one."
PIECES = ["[", "]", ":", "|", "a", "猫 ", ":3]", "[b:", " AND ", ":1.5", "[x|y]"]
prompts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(prompts, st.integers(1, 30))
def test_nothing_is_left_to_reduce(prompt, steps):
    text, issues = reduce_to_one_text(prompt, steps)

    assert "AND" not in text
    kept = [issue for issue in issues if issue.code != "editing-off"]
    assert bool(kept) == (text != prompt or "AND" in prompt or bool(find_changes(prompt)))
    assert [issue.position for issue in issues] == sorted(issue.position for issue in issues)


@given(prompts, st.integers(1, 30))
def test_a_negative_is_its_last_text(prompt, steps):
    assert reduce_to_one_text(prompt, steps, negative=True)[0] == schedule(prompt, steps)[-1][1]


def test_a_closing_number_is_text_unless_there_is_an_and():
    assert reduce_to_one_text("photo 16:9") == ("photo 16:9", ())
    assert reduce_to_one_text("photo 16:9 AND b")[0] == "photo 16"


def test_what_is_reduced_and_where():
    text, issues = reduce_to_one_text("a [cat:dog:0.5] in [x|[y:z:3]] AND 猫 [b:3] :2")

    assert text == "a dog in z"
    assert issues == (
        Issue("'[cat:dog:0.5]' changes while denoising; only its last text is encoded", 2, EDIT),
        Issue("'[x|[y:z:3]]' changes while denoising; only its last text is encoded", 19, EDIT),
        Issue(
            "AND makes 2 conditions; only the first is encoded: 'a [cat:dog:0.5] in [x|[y:z:3]]'; "
            "not encoded: 'AND 猫 [b:3] :2'",
            31,
            "Write 'and' in small letters for the word. For several conditions, encode the parts "
            "of compose(prompt) one by one.",
            words=("AND 猫 [b:3] :2",),
        ),
    )


def test_steps_decide_what_is_reached():
    assert reduce_to_one_text("[a:b:25]", 20)[0] == "a"
    assert reduce_to_one_text("[a:b:25]", 30)[0] == "b"
    assert reduce_to_one_text("[a|b]", 21)[0] == "a"


def test_an_edit_of_40_characters_is_shown_whole_and_a_longer_one_cut():
    whole, longer = (f"[{'a' * n}:{'b' * 16}:0.5]" for n in (17, 18))
    ends = " changes while denoising; only its last text is encoded"

    for prompt, shown in ((whole, whole), (longer, longer[:37] + "...")):
        (issue,) = reduce_to_one_text(prompt)[1]
        assert issue.message == f"{shown!r}{ends}"


def test_many_changes_are_few_issues():
    text, issues = reduce_to_one_text("[a|b]" * 1_000)

    assert text == "b" * 1_000
    assert len(issues) == 100


def test_parsing_does_not_reduce():
    assert parse("[a:b:3]").segments[0].text == "a:b:3"


def test_an_edit_that_never_happens_says_what_is_left():
    def check(case):
        prompt, kept, example, weight = case
        text, (issue,) = reduce_to_one_text(prompt)
        assert issue.message == f"{prompt!r} never changes while denoising; {kept} is encoded"
        assert (f"write {weight}." in issue.remedy) == bool(weight)
        assert example in issue.remedy
        assert issue.code == "editing-never"
        assert text == ("" if "nothing" in kept else kept.split("'")[1])

    cases = [
        ("[cat:1.3]", "nothing of it", "[cat:0.5]", "(cat:1.3)"),
        ("[red hat:1.05]", "nothing of it", "[red hat:0.5]", "(red hat:1.05)"),
        ("[cat:1.0]", "nothing of it", "[cat:0.5]", "(cat:1)"),
        ("[cat:dog:1.5]", "only 'cat'", "[cat:dog:0.5]", ""),
        ("[cat::1.2]", "only 'cat'", "[cat::0.5]", ""),
        ("[cat:dog:0]", "only 'dog'", "[cat:dog:0.5]", ""),
        ("[cat:dog:-3]", "only 'dog'", "[cat:dog:0.5]", ""),
        ("[:cat:1.3]", "nothing of it", "[:cat:0.5]", ""),
    ]
    assert not failures_of(check, cases)


def test_an_edit_beyond_the_last_step_says_so():
    for prompt, step in (("[cat:dog:25]", "25"), ("[cat:dog:20]", "20"), ("[10:30]", "30")):
        text, (issue,) = reduce_to_one_text(prompt)
        assert text == prompt[1:].split(":")[0].replace("10", "")
        assert issue.message == (
            f"{prompt!r} changes after step {step}, which 20 steps do not reach; only its first "
            "text is encoded"
        )
        assert "only its last text" in reduce_to_one_text(prompt, steps=31)[1][0].message
    (issue,) = reduce_to_one_text("[cat:dog:1e-1]")[1]
    assert issue.message == "'[cat:dog:1e-1]' never changes while denoising; only 'dog' is encoded"


def test_an_edit_that_may_be_a_weight_says_how_to_write_one():
    (issue,) = reduce_to_one_text("[cat:0.8]")[1]
    assert issue.remedy == f"For a weight write (cat:0.8). {EDIT}"


def test_what_turns_editing_off():
    def check(case):
        prompt, position, lost = case
        for negative in (False, True):
            text, (issue,) = reduce_to_one_text(prompt, negative=negative)
            sign = prompt[position]
            assert text == prompt  # as A1111 has it, whose grammar fails on the sign
            assert schedule(prompt, 10) == ((10, prompt),)
            assert (issue.position, issue.code, issue.words) == (position, "editing-off", (sign,))
            message = f"{sign!r} turns all prompt editing off; {lost!r} is plain text"
            assert issue.message == message
            mended = prompt[:position] + "\\" + prompt[position:]
            assert issue.remedy == f"Remove it or write '\\{sign}' for a literal sign."
            for without in (mended, prompt[:position] + prompt[position + 1 :]):
                assert "editing-off" not in [i.code for i in reduce_to_one_text(without)[1]]
                assert len(schedule(without, 10)) > 1

    cases = [
        ("cat | [a:b:0.5]", 4, "[a:b:0.5]"),
        ("[a|b], c | d", 9, "[a|b]"),
        ("(red|blue) [c:d:3]", 4, "[c:d:3]"),
        ("[a:(b|c):0.5]", 5, "[a:(b|c):0.5]"),
        ("[猫:狗:0.5] \\", 10, "[猫:狗:0.5]"),
        ("a cat, best | worst, [x::0.2]", 12, "[x::0.2]"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("cat | dog", "a \\| [b:c:3]", "[a|b]", "(a|b) [c]", "| [a|b"):
        assert "editing-off" not in [i.code for i in reduce_to_one_text(prompt)[1]]


def test_an_edit_that_never_happens_is_mended_in_its_own_brackets():
    (issue,) = reduce_to_one_text("【猫：狗：1.5】", fullwidth=True)[1]
    assert issue.remedy.endswith(": 【猫：狗：0.5】.")
