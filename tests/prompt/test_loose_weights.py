"""Slips that no table knew: their remedies read as meant, and ordinary text is silent."""

import pytest

from clipcond.prompt import schedule
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from clipcond.prompt.parsing import SYNTAXES
from tests.failures import failures_of
from tests.prompt.test_misreadings import issues, proposed, texts


def test_weights_with_a_space_or_another_bracket():
    def check(case):
        prompt, words, weight = case
        for syntax in sorted(EXCEPT_PLAIN):
            issue = next(i for i in issues(prompt, syntax) if i.code != "bracket")
            there = prompt.replace(issue.words[0], proposed(issue))
            target = "a1111" if "'a1111'" in issue.remedy else syntax
            assert issues(there, target) == [], (syntax, there)
            assert (words, pytest.approx(weight)) in texts(there, target), (syntax, there)

    cases = [
        ("(cat x1.2)", "cat", 1.2),
        ("(cat 1.3)", "cat", 1.3),
        ("a (red cat 0.8), sky", "red cat", 0.8),
        ("(cat, 1.3)", "cat", 1.3),
        ("(猫 1.3)", "猫", 1.3),
        ("(cat) 1.3", "cat", 1.3),
        ("(cat) ++, dog", "cat", 1.2),
        ('"red cat" 1.2, dog', "red cat", 1.2),
        ("cat ++, dog", "cat", 1.2),
        ("(happy dog:)", "happy dog", 1.2),
    ]
    assert not failures_of(check, cases)
    for prompt in ("(version 1.5)", "(cat) - dog", "(usb 1.1)", "C ++", "(a) 1.5 m", "(50mm, 1.4)"):
        assert issues(prompt, "a1111") == []


def test_brackets_of_two_kinds():
    for prompt in ("（花园：1.3】", "【花园：1.3）", "（花园:1.3]", "［花园：1.3）", "{花园:1.3）"):
        for syntax in EXCEPT_PLAIN:
            found = [i for i in issues(prompt, syntax) if "花园" in i.remedy]
            assert found or issues(prompt, syntax, "bracket"), (prompt, syntax)


def test_numbers_and_signs_of_compel():
    def check(case):
        prompt, wanted = case
        (issue,) = issues(prompt, "compel")
        assert "in its first part only" in issue.message
        assert texts(prompt.replace(issue.words[0], proposed(issue)), "compel") == wanted

    cases = [
        ("(castle)-1.3", [("castle", pytest.approx(1.3))]),
        ("(castle)+1.3", [("castle", pytest.approx(1.3))]),
        ("(red cat)++1.2", [("red cat", pytest.approx(1.2))]),
        ("(castle)1.3+", [("castle", pytest.approx(1.3))]),
        ("(castle)0.8-", [("castle", pytest.approx(0.8))]),
        ("(castle)--.5", [("castle", pytest.approx(0.5))]),
    ]
    assert not failures_of(check, cases)
    assert issues('sci-fi++ (a b)1.3 "x"1.3', "compel") == []
    for prompt in ("sci-fi++", "neo-noir++", "high-rise--", '"x"1.3', '"red cat"++'):
        for syntax in BRACKETS | {"novelai", "diffusers"}:
            assert "in dialect 'compel'" in issues(prompt, syntax)[0].message


def test_curly_quotes_of_compel():
    def check(case):
        prompt, words, weight = case
        (issue,) = issues(prompt, "compel")
        assert "curly" in issue.message
        there = prompt.replace(issue.words[0], proposed(issue))
        assert issues(there, "compel") == []
        assert (words, pytest.approx(weight)) in texts(there, "compel")

    cases = [
        ("“a cat”++", "a cat", 1.2),
        ("“red hat”1.3", "red hat", 1.3),
        ("a dog, “red hat”0.8, sky", "red hat", 0.8),
        ("„red hat“1.3, x", "red hat", 1.3),
        ("«red hat»1.3", "red hat", 1.3),
        ("“red hat”--, x", "red hat", 0.81),
        ("”a cat”+", "a cat", 1.1),
    ]
    assert not failures_of(check, cases)
    for prompt in ("he said “no”-- then", "“a cat” 1", "a “red” hat", "“Stop”-- she said"):
        assert issues(prompt, "compel") == []


def test_a_whole_tag_is_weighted():
    def check(case):
        prompt, words, weight = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            there = prompt.replace(issue.words[0], proposed(issue))
            target = "a1111" if "'a1111'" in issue.remedy else syntax
            assert issues(there, target) == [], (syntax, there)
            assert (words, pytest.approx(weight)) in texts(there, target), (syntax, there)

    cases = [
        ("best quality:1.3", "best quality", 1.3),
        ("sky, best quality:1.3, dog", "best quality", 1.3),
        ("long red hair:0.8, cat", "long red hair", 0.8),
        ("a cat\nsemi-long hair:1.2", "semi-long hair", 1.2),
        ("1girl, blue eyes:1.25\nsmile", "blue eyes", 1.25),
        ("very detailed blue sky:.9; sea", "very detailed blue sky", 0.9),
        ("a fox, soft light:1.1", "soft light", 1.1),
    ]
    assert not failures_of(check, cases)
    for prompt in ("aspect ratio:1.85, cat", "a photo, focal length:1.4", "shot at f:1.8, sky"):
        assert issues(prompt, "a1111") == []


def test_words_that_touch_break_and_and():
    def check(case):
        prompt, word = case
        (issue,) = issues(prompt, "a1111")
        assert issue.message == f"{word!r} is a part of a word here"
        assert prompt[issue.position :].startswith(word)

    cases = [
        ("BREAKforest", "BREAK"),
        ("cat BREAKdog", "BREAK"),
        ("catBREAKdog", "BREAK"),
        ("cat ANDdog", "AND"),
        ("catAND dog", "AND"),
        ("catANDdog", "AND"),
        ("1只猫AND2只狗", "AND"),
        ("1只猫BREAK2只狗", "BREAK"),
        ("a cat BREAK1girl", "BREAK"),
    ]
    assert not failures_of(check, cases)
    for prompt in (
        "BREAKfast",
        "ANDroid",
        "bANDana",
        "heartBREAK",
        "OUTBREAK",
        "AND1 shoes",
        "LAND",
    ):
        assert issues(prompt, "a1111") == []


def test_editing_without_a_plain_number():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN):
            issue = issues(prompt, syntax, "no-editing")[0]
            assert proposed(issue) == wanted
            assert issues(wanted, "a1111") == []
            assert len(schedule(wanted, 20)) > 1

    cases = [
        ("[cat:dog|fox]", "[cat:[dog|fox]:0.5]"),
        ("[cat|dog:fox]", "[[cat|dog]:fox:0.5]"),
        ("[red cat:dog|fox|owl]", "[red cat:[dog|fox|owl]:0.5]"),
        ("[cat:50%]", "[cat:0.5]"),
        ("[red cat: 30 %]", "[red cat:0.3]"),
        ("[cat:1/2]", "[cat:0.5]"),
        ("[cat:half]", "[cat:0.5]"),
        ("[cat:5 steps]", "[cat:5]"),
        ("[cat:after 5]", "[cat:5]"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("[mood:happy|sad]", "[opacity:50%]", "[battery:80%]", "[ratio:1/2]"):
        assert issues(prompt, "a1111") == []


def test_networks_without_colons():
    for text in ("<lora foo 0.7>", "<lora=foo:0.7>", "<lyco foo_v2 1>", "<LoRA/foo/0.8>"):
        for syntax in EXCEPT_PLAIN:
            (issue,) = issues(f"cat, {text}, dog", syntax, "extra-network")
            assert issue.words == (text,)
    for syntax in EXCEPT_PLAIN:
        assert issues("<lora>, <lora the explorer>", syntax) == []


def test_pasted_blocks_in_other_words():
    def check(case):
        prompt, shown = case
        for syntax in sorted(SYNTAXES):
            (issue, *_) = issues(prompt, syntax, "pasted-parameters")
            assert issue.words[0].strip().startswith(shown)

    cases = [
        ("cat\nNegative: blurry", "Negative: blurry"),
        ("cat, Negativ: unscharf", "Negativ: unscharf"),
        ("cat\nNegative Prompt : blurry", "Negative Prompt :"),
        ("猫\n负面提示词：模糊", "负面提示词：模糊"),
        ("猫，反向提示词:模糊", "反向提示词"),
        ("猫\nネガティブプロンプト：犬", "ネガティブ"),
        ("고양이\n부정 프롬프트: 개", "부정 프롬프트"),
        ("고양이\n부정 프롬프트\n개", "부정 프롬프트"),
        ("cat\nNegative prompt\nblurry", "Negative prompt"),
        ("chat\nPrompt négatif : flou", "Prompt négatif"),
        ("gato\nPrompt negativo: borroso", "Prompt negativo"),
        ("кот\nНегативный промпт: собака", "Негативный промпт"),
        ("Katze, Schritte: 20", "Schritte: 20"),
        ("chat, étapes : 20, taille", "étapes : 20"),
        ("gato, Pasos: 30", "Pasos: 30"),
        ("猫，步数: 20", "步数: 20"),
        ("猫，总步数: 20", "步数: 20"),
        ("猫，总步数：30；画师: 甲", "步数：30；画师: 甲"),
        ("cat, Steps: 20", "Steps: 20"),
        ("cat, CFG: 7, hat", "CFG: 7"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("negative: a film", "steps: a staircase", "a cat, a negative space", "CFG"):
        assert issues(prompt, "a1111") == []
