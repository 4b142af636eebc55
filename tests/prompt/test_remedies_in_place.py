"""A remedy for a weight works wherever the weight is: next to letters, digits, other brackets."""

import ast

import pytest

from clipcond.prompt import parse
from clipcond.prompt.folding import fold
from clipcond.prompt.notations import EXCEPT_PLAIN
from clipcond.prompt.parsing import reads_fullwidth
from tests.failures import failures_of
from tests.prompt.test_remedies import PROPOSAL, issues

READ_ALIKE = ("a1111", "lpw", "sd_embed", "comfyui")


def followed(prompt: str, syntax: str, fullwidth: bool | None = None) -> tuple[str, str]:
    """Do what issues of weights say until there are none; return the prompt and its syntax."""
    for _ in range(9):
        found = [i for i in issues(prompt, syntax, fullwidth) if i.remedy.startswith("Write")]
        if not found:
            return prompt, syntax
        issue = found[-1]
        (words,) = issue.words
        assert prompt[issue.position :].startswith(words)
        proposal = PROPOSAL.match(issue.remedy.replace(", or choose dialect 'a1111'", ""))
        if proposal is None or proposal["text"].startswith("it in ASCII"):
            text = fold(words)
        else:
            text = proposal["text"]
            text = ast.literal_eval(text) if text[0] in "\"'" else text
            syntax = proposal["syntax"] or syntax
        prompt = prompt[: issue.position] + text + prompt[issue.position + len(words) :]
    raise AssertionError(prompt)


def read(prompt: str, syntax: str, fullwidth: bool = False) -> list[tuple[str, float]]:
    """List the words of a prompt with their weights, without the signs between them."""
    segments = parse(prompt, syntax, fullwidth=fullwidth and reads_fullwidth(syntax)).segments
    found = [(s.text.strip(" ，,：:."), pytest.approx(s.weight, rel=0.02)) for s in segments]
    return [each for each in found if each[0]]


def test_next_to_letters_digits_and_chinese_signs():
    """What A1111 reads at a place, compel and NovelAI read there once the remedy is followed."""

    def check(case):
        before, slip, behind = case
        prompt = f"{before}{slip}{behind}"
        wanted = [each for each in read(prompt, "a1111", True) if each[1] != 1.0]
        assert wanted
        for syntax in ("compel", "novelai"):
            there, target = followed(prompt, syntax)
            assert target == syntax
            weighted = [each for each in read(there, syntax) if each[1] != 1.0]
            assert weighted == wanted, (syntax, there)
            assert not [i for i in issues(there, syntax, None) if i.code != "embedding"], there

    slips = ("(red hat:1.3)", "（红色的：1.3）", "(hat:0.8)", "((big hat:1.2))", "((hat))")
    places = [
        *(("一只", "猫"), ("red", ""), ("3", " dogs"), ("", "5 dogs"), ("眼睛：", "")),
        *(("，", "，狗"), ("（狗：0.7），", "。"), ("a.", ", b"), ("x-", ""), ("a, ", "")),
        *(("a,", ",b"), ("“", "”"), ("cat（dog：1.2）、", ""), ("1", "2 dogs"), ("b/", "/c")),
        *(("! ", "!"), ("a:", " b"), ("a+", ""), ("i ++", " ++")),
    ]
    assert not failures_of(check, [(a, slip, b) for slip in slips for a, b in places])


def test_weights_without_brackets_behind_chinese_signs():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN - {"diffusers"}):
            there, target = followed(prompt, syntax)
            assert [each for each in read(there, target) if each[1] != 1.0] == wanted, there

    cases = [
        ("猫:1.3，狗:0.8", [("猫", 1.3), ("狗", 0.8)]),
        ("猫：1.3、狗：0.8。", [("猫", 1.3), ("狗", 0.8)]),
        ("背景：猫:1.3，5狗", [("猫", 1.3)]),
    ]
    assert not failures_of(check, cases)
    for syntax in ("compel", "novelai"):
        there, _ = followed("一只（红猫：1.2，白狗：0.8）", syntax)
        weights = [each for each in read(there, syntax) if each[1] != 1.0]
        assert weights == [("红猫", 1.2), ("白狗", 0.8)], there


def test_weights_in_each_other_are_multiplied():
    def check(case):
        prompt, wanted = case
        for syntax in ("compel", "novelai", "a1111", "lpw"):
            there, target = followed(prompt, syntax)
            assert read(there, target) == [wanted], (syntax, there)

    cases = [
        ("((masterpiece:1.2))", ("masterpiece", 1.32)),
        ("(（猫：1.2）)", ("猫", 1.32)),
        ("(((red cat:1.2)))", ("red cat", 1.452)),
        ("(cat:1.3)++", ("cat", 1.573)),
        ("(cat:1.3)--", ("cat", 1.053)),
    ]
    assert not failures_of(check, cases)
    for syntax in (*READ_ALIKE, "compel"):
        assert read(*followed("{{cat:1.2}}", syntax)) == [("cat", 1.32)], syntax


def test_a_number_of_two_points():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN - {"diffusers"}):
            issue = issues(prompt, syntax, None)[0]
            assert issue.words == (prompt.rstrip(",."),), (syntax, issue)
            assert read(*followed(prompt, syntax)) == [("masterpiece", 1.21)], syntax

    cases = ("(masterpiece)1.21.21", "(masterpiece)1.21.2.1,", "(masterpiece)1.21.3.")
    assert not failures_of(check, cases)
    assert not issues("(masterpiece)1.21. A cat", "compel", None)


def test_all_that_a_remedy_replaces_is_quoted():
    def check(case):
        prompt, words = case
        for syntax in ("compel", "novelai"):
            assert words in [i.words[0] for i in issues(prompt, syntax, None)], syntax

    cases = [
        ("cat:1.2), dog", "cat:1.2)"),
        ("a big-cat :1.2), dog", "big-cat :1.2)"),
        ("猫：1.3）", "猫：1.3）"),
        ("a (saber (fate):1.2), b", "(saber (fate):1.2)"),
        ("（猫（红）：1.2）", "（猫（红）：1.2）"),
        ("(((((((cat)))))))", "(((((((cat)))))))"),
        ("[[[cat]]]", "[[[cat]]]"),
        ("(cat:1.2)1.3", "(cat:1.2)1.3"),
        ("(cat:1.3)++, dog", "(cat:1.3)++"),
    ]
    assert not failures_of(check, [case for case in cases if case[0] != "[[[cat]]]"])
    assert issues("[[[cat]]]", "compel", None)[0].words == ("[[[cat]]]",)


def test_signs_with_numbers_behind_a_bracket():
    def check(case):
        prompt, wanted = case
        for syntax in (*READ_ALIKE, "compel", "novelai"):
            assert read(*followed(prompt, syntax)) == [("cat", pytest.approx(wanted))], syntax

    cases = [("(cat)+0.3", 1.3), ("(cat)+.2", 1.2), ("(cat)+2", 1.2), ("(cat)--1", 0.81)]
    assert not failures_of(check, cases)
    for syntax in (*READ_ALIKE, "novelai"):
        assert read(*followed("(cat)-2", syntax)) == [("cat", pytest.approx(0.81))]
    assert "below 0" in issues("(cat)-2", "compel", None)[0].remedy


def test_a_weight_with_others_in_it_is_one_remedy():
    """Followed, the words have the weights that the other dialect gives them, and no issue."""

    def check(case):
        prompt, source = case
        for syntax in ("compel", "novelai", *READ_ALIKE):
            if syntax == source or (source == "a1111" and syntax in READ_ALIKE):
                continue
            found = [i for i in issues(prompt, syntax, None) if i.code == "other-dialect"]
            assert len(found) == 1, (syntax, found)
            there, target = followed(prompt, syntax)
            assert target == syntax
            assert issues(there, syntax, None) == []
            wanted = [each for each in read(prompt, source, True) if each[1] != 1.0]
            assert [each for each in read(there, syntax) if each[1] != 1.0] == wanted, there

    cases = [
        ("(a (red:1.2) hat:0.8)", "a1111"),
        ("x, (saber (fate):1.2)", "a1111"),
        ("(red (big (x:1.3)):0.9), y", "a1111"),
        ("（猫（红：1.2）：0.8）", "a1111"),
        ("(a (b) c:1.1) d (e:0.9)"[:14], "a1111"),
        ("((hat)1.2)1.3", "compel"),
        ("((a)++ b)1.2, c", "compel"),
        ("x (y (z)0.8)1.3", "compel"),
    ]
    assert not failures_of(check, cases)


def test_no_remedy_sends_to_a_dialect_that_reads_text():
    """Another dialect is named only where it reads the signs as they are."""

    def check(case):
        prompt, syntax, fullwidth = case
        for issue in issues(prompt, syntax, fullwidth):
            assert "choose dialect" not in issue.remedy, issue

    cases = [
        *(("（猫：1.3），狗", "compel", None), ("猫AND狗", "comfyui", None)),
        *(("猫BREAK狗", "comfyui", None), ("猫 ＡＮＤ 狗", "comfyui", True)),
        *(("【猫：1.3】", "comfyui", None), ("｛猫｝", "a1111", True), ("｛猫｝", "a1111", None)),
        *(("一只猫＋＋", "a1111", True), ("（猫）1.3", "a1111", True), ("｛｛猫｝｝", "lpw", None)),
    ]
    assert not failures_of(check, cases)
    reads = [
        ("(猫:1.3)，狗", "compel"),
        ("猫 AND 狗", "comfyui"),
        ("{猫}", "a1111"),
        ("猫++", "lpw"),
    ]
    for prompt, syntax in reads:
        assert "choose dialect" in issues(prompt, syntax, None)[0].remedy
    assert "choose dialect" in issues("猫AND狗", "comfyui", True)[0].remedy
    (issue,) = issues("猫AND狗", "comfyui", None)
    assert issue.remedy == "Write 'and' for the word, or write ' AND ' in dialect 'a1111'."
    assert issues("｛猫｝", "a1111", None)[0].remedy.endswith("or write {猫} in dialect 'novelai'.")


def test_a_number_behind_the_words_of_novelai():
    found = issues("cat::2 dog::1.1, fox", "novelai", None)
    assert [i.remedy for i in found] == ["Write 2::cat::.", "Write 1.1::dog::."]
    there, _ = followed("cat::2 dog::1.1, fox", "novelai")
    assert read(there, "novelai") == [("cat", 2.0), ("dog", 1.1), ("fox", 1.0)]
    for prompt in ("1.3::cat::2 dogs", "1.3::a cat::, dog", "2::cat:: 1 dog"):
        assert issues(prompt, "novelai", None) == []


def test_no_dialect_has_a_chunk_within_brackets():
    for syntax in ("comfyui", "lpw"):
        (issue,) = issues("(a cat BREAK dog:1.2)", syntax, None)
        assert issue.remedy == "Leave it out."
        assert "choose dialect" in issues("(a cat:1.2) BREAK dog", syntax, None)[0].remedy


def test_a_weight_in_full_width_square_brackets():
    for prompt in ("【猫：1.3】", "［红色的猫：0.8］", "a【cat：1．3】"):
        (issue,) = issues(prompt, "a1111", None)
        assert "[" not in issue.remedy
        there, _ = followed(prompt, "a1111")
        assert len(read(there, "a1111")) == 1 + prompt.startswith("a")
        assert issues(there, "a1111", None) == []
    for prompt in ("（16：9）", "照片（4：3）", "【16：9】的照片", "时间（10：30）"):
        assert issues(prompt, "a1111", None) == [], prompt
