"""Weights without text or number, labels without a prompt: what is written in vain is said."""

import pytest

from clipcond.prompt import SYNTAXES, compose, parse, reduce_to_one_text
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_composition_slips import mended
from tests.prompt.test_misreadings import issues, proposed, texts


def test_weights_without_text():
    def check(case):
        prompt, weight = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            assert issue.message.endswith("is a weight without text"), (syntax, issue)
            start = "Write its text too, such as "
            assert issue.remedy.startswith(start)
            written = issue.remedy.removeprefix(start).partition(" in dialect")[0].removesuffix(".")
            target = "a1111" if "'a1111'" in issue.remedy else syntax
            there = prompt.replace(issue.words[0], written)
            assert issues(there, target) == [], (syntax, there)
            assert ("cat", pytest.approx(weight)) in texts(there, target), (syntax, there)

    cases = [
        *(("(:1.2)", 1.2), ("( :1.2)", 1.2), ("(: .5)", 0.5), ("(,:1.2)", 1.2), ("(():0.8)", 0.8)),
        *(("a dog, (:1.3)", 1.3), ("(:2) a dog", 2), ("（：1.2）", 1.2), ("a dog, (：0.7)", 0.7)),
    ]
    assert not failures_of(check, cases)
    for prompt in ("()1.2", "a dog, ( )0.8, fox", "()++"):
        assert issues(prompt, "compel")[0].message.endswith("a weight without text")
    for prompt in ("1.2::::", "1.2:: ::", "a dog, -1::", "a dog, .5::, ::"):
        assert issues(prompt, "novelai")[-1].message.endswith("a weight without text")
    for prompt in ("f()", "a () b", "(:", ":)", "1.2::dog::", "(a:1.2)", "foo()2"):
        for syntax in SYNTAXES:
            found = issues(prompt, syntax)
            assert not any("without text" in i.message for i in found), (syntax, prompt)


def test_numbers_that_leave_nothing_of_a_bracket():
    for prompt in ("(:30)", "time (:15)", "(:5) cat", "a (:3)", "(:2024)"):
        for syntax in ("a1111", "lpw", "sd_embed"):
            (issue,) = issues(prompt, syntax)
            assert "ends in a weight: it is ''" in issue.message
            there = prompt.replace("(", "\\(").replace(")", "\\)")
            assert issues(there, syntax) == []


def test_weights_in_words():
    def check(case):
        prompt, words, weight = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            there = prompt.replace(issue.words[0], proposed(issue))
            target = "a1111" if "'a1111'" in issue.remedy else syntax
            assert issues(there, target) == [], (syntax, there)
            assert (words, pytest.approx(weight)) in texts(there, target), (syntax, there)

    cases = [
        *(("(cat: high)", "cat", 1.2), ("(red cat: very low), sky", "red cat", 0.8)),
        *(("(cat:strong)", "cat", 1.2), ("(1girl: weak), solo", "1girl", 0.8)),
        *(("a dog, [cat: more]", "cat", 1.2), ("(cat = less)", "cat", 0.8)),
        *(("(猫: high)", "猫", 1.2), ("（猫：高）", "猫", 1.2), ("（猫：很低）", "猫", 0.8)),
        *(("[girl=1.2]", "girl", 1.2), ("a dog, [red cat=0.8]", "red cat", 0.8)),
        *(("[girl*1.2], sky", "girl", 1.2), ("{cat@0.7}", "cat", 0.7), ("[猫=1.3]", "猫", 1.3)),
        *(("girl : 1.2", "girl", 1.2), ("`red cat`:1.2", "red cat", 1.2)),
        *(("一个女孩 权重1.5，蓝天", "一个女孩", 1.5), ("女孩，权重：1.2", "女孩", 1.2)),
    ]
    cases = [case for case in cases if case[0] != "(cat = less)"]  # its '=' is text to compel
    assert not failures_of(check, cases)
    (issue,) = issues("(cat = less)", "a1111")
    assert proposed(issue) == "(cat:0.8)"
    for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
        (issue,) = issues("(red cat)2, sky", syntax)
        assert "behind a bracket" in issue.message
    assert not issues("(red cat)2, sky", "compel")


def test_degrees_of_ordinary_text_are_silent():
    def check(prompt):
        for syntax in SYNTAXES:
            if syntax != "compel":  # some brackets are no groups there
                assert issues(prompt, syntax) == [], syntax

    prompts = [
        *("(quality: high)", "(key: low), portrait", "[mood: high], (energy: low)", "(angle: low)"),
        *("kitchen, (heat: low)", "(danger: high), a sign", "(film grain: strong), 35mm"),
        *("(elevation: high), lake", "[temp: high]", "(sun: low), fields", "(clouds: low)"),
        *("(heels: high), (waistline: high)", "(对比度：高)", "（画质：高）", "（音量：低）"),
        *("graph [alpha=0.5]", "[dropout=0.5]", "array[i=1.2]", "f[x=0.5]", "(hair: long)"),
        *("Prompt engineering poster", "a negative", "negative space", "体重1.5公斤的猫"),
        *("(coffee: strong), menu", "(fire: low)", "(password: weak)", "(steak: medium)"),
        *("[tempo: high]", "[verse: low]", "(population: low)", "(arm: strong)", "prompt = 5 min"),
        *("map [grid=0.5]", "config {gain=1.5}", "[label=1.2]", "gain : 1.2, mixer"),
        *("coffee (strong), tea (weak)", "H2O (water)2"),
    ]
    assert not failures_of(check, prompts)


def test_labels_without_a_prompt():
    def check(case):
        prompt, label = case
        for syntax in SYNTAXES:
            (issue,) = [i for i in issues(prompt, syntax) if i.code == "negative-label"]
            assert issue.message == (
                f"{label!r} is the label of a negative prompt, but here a part of the prompt"
            )
            assert (issue.remedy, issue.words) == ("Leave it out.", (label,))
            assert prompt[issue.position :].startswith(label)
            assert issues(prompt.replace(label, ""), syntax) == []

    cases = [
        *((label, label) for label in ("neg:", "NEG:", "Negative prompt:", "negative_prompt:")),
        *(
            (label, label)
            for label in ("反向提示词：", "负面：", "ネガティブ:", "négatif:", "neg =")
        ),
        *(("a cat, neg:", "neg:"), ("a cat\nNegative prompt: ", "Negative prompt:")),
        *(("猫，负面：", "负面："), ("a cat. negative:\n", "negative:")),
        ("Negative prompt\n", "Negative prompt"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("neg: a dog", "a cat\nNegative prompt: a dog"):
        (issue,) = issues(prompt, "a1111")
        assert issue.remedy != "Leave it out."


def test_the_label_of_the_prompt_itself():
    for label in ("Prompt:", "prompt :", "提示词：", "正向：", '"prompt":', "prompt="):
        for syntax in SYNTAXES:
            issue = issues(f"{label} cat", syntax)[0]
            assert issue.message == f"{label!r} is the label of a prompt, but here a part of it"
    assert issues("prompt engineering: a poster", "a1111") == []
    assert issues('{"prompt": "a cat"}', "diffusers")[0].words == ('{"prompt": "a cat"}',)


def test_conditions_in_chinese_are_mended_by_their_remedies():
    """Follow every remedy until there is none: the conditions have the weights that were meant."""

    def check(case):
        prompt, wanted = case
        for fullwidth in (None, False):
            there = prompt
            for _ in range(9):
                found = [i for i in reduce_to_one_text(there)[1] if i.code != "and"]
                found = found or with_lookalikes(parse(there), fullwidth=fullwidth).issues
                if not found:
                    break
                issue = found[0]
                if "Write spaces around it" in issue.remedy:
                    at = issue.position
                    there = f"{there[:at].rstrip()} AND {there[at + 3 :].lstrip()}"
                elif "Write it in ASCII" in issue.remedy:
                    (words,) = issue.words
                    there = there.replace(words, words.replace("：", " :").replace("．", "."))
                elif "the condition" in issue.remedy:
                    there = _with_condition(there, issue)
                else:
                    there = mended(there, issue)
            made = [(text.strip(), weight) for text, weight in compose(there)]
            assert made == wanted, (fullwidth, there)

    cases = [
        ("猫AND狗：0.5，背景", [("猫", 1), ("狗，背景", 0.5)]),
        ("猫 AND 狗：0.5，背景", [("猫", 1), ("狗，背景", 0.5)]),
        ("猫AND狗：0.5", [("猫", 1), ("狗", 0.5)]),
        ("猫：1.2AND狗：0.8", [("猫", 1.2), ("狗", 0.8)]),
        ("猫：1.2 AND 狗：0.8", [("猫", 1.2), ("狗", 0.8)]),
        ("猫：1.2，草地 AND 狗：0.8", [("猫，草地", 1.2), ("狗", 0.8)]),
        ("猫 AND 狗：0.5 背景", [("猫", 1), ("狗 背景", 0.5)]),
        ("猫 AND 狗 ：0，5", [("猫", 1), ("狗", 0.5)]),
        ("猫 AND 狗（0.5）", [("猫", 1), ("狗", 0.5)]),
        ("猫 AND 狗：０．５", [("猫", 1), ("狗", 0.5)]),
        ("一只猫，白色AND一只狗，黑色", [("一只猫，白色", 1), ("一只狗，黑色", 1)]),
    ]
    assert not failures_of(check, cases)


def _with_condition(prompt, issue):
    """Put the condition that a remedy writes in the place of the one that the issue is in."""
    condition = issue.remedy.partition("'")[2].removesuffix("'.")
    parts = prompt.split("AND")
    reached = 0
    for i, part in enumerate(parts):
        if reached <= issue.position < reached + len(part):
            parts[i] = f" {condition} "
        reached += len(part) + 3
    return "AND".join(parts)
