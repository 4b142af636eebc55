"""Notations that touch punctuation or a word are warned of as those behind a space are."""

from clipcond.prompt import Issue, parse
from clipcond.prompt.composition_slips import condition_issues
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from clipcond.prompt.parsing import reads_fullwidth
from clipcond.prompt.reduction import misread_forms, reduce_to_one_text
from clipcond.prompt.remainder import Remainder
from tests.failures import failures_of


def issues(prompt: str, syntax: str = "a1111", *, wide: bool = False) -> tuple[Issue, ...]:
    parsed = parse(prompt, syntax, fullwidth=wide)
    return with_lookalikes(parsed, fullwidth=True if wide else None).issues


def test_options():
    def check(case):
        prompt, shown, code = case
        for syntax in sorted(EXCEPT_PLAIN):
            for wide in {False, reads_fullwidth(syntax)}:
                (issue,) = issues(prompt, syntax, wide=wide)
                assert (issue.code, issue.words, issue.position) == (
                    code,
                    (shown,),
                    prompt.index(shown),
                ), syntax

    flag, option = "midjourney-flag", "command-option"
    cases = [
        ("一只猫，--no 帽子", "--no 帽子", flag),
        ("a cat,--no hat", "--no hat", flag),
        ("a hat!--no hat", "--no hat", flag),
        ("一只猫,--ar 16:9", "--ar 16:9", flag),
        ("一只猫、--v 6", "--v 6", flag),
        ("一只猫。--niji 5", "--niji 5", flag),
        ("一只猫！--s 250", "--s 250", flag),
        ("一只猫，——ar 16：9", "——ar 16：9", flag),
        ("猫…--chaos 20", "--chaos 20", flag),
        ("a cat.--ar 16:9", "--ar 16:9", flag),
        ("a cat;--tile", "--tile", flag),
        ('"a cat"--ar 3:2', "--ar 3:2", flag),
        ("a cat--ar 16:9", "--ar 16:9", flag),
        ("cat dog--seed 77", "--seed 77", flag),
        ("a red cat--tile", "--tile", flag),
        ("a red cat--no hat", "--no hat", flag),
        ("一只猫，--steps 20", "--steps 20", option),
        ("a cat,--width 512", "--width 512", option),
        ("a cat--steps 20", "--steps 20", option),
        ("1girl, red dress --neg blurry", "--neg ", "negative-label"),
        ("一只猫，--negative: blurry", "--negative: ", "negative-label"),
    ]
    assert not failures_of(check, cases)
    for text in ("yes--no wait", "Oh,--no one came", "a--b", "i--v", "x--s", "photo--s3", "so--no"):
        assert issues(text) == (), text


def test_what_no_option_keeps_out():
    def check(case):
        prompt, words = case
        (issue,) = issues(prompt)
        assert issue.remedy == f"Leave it out, and give {words} as the negative prompt."

    cases = [
        ("1girl, red dress --no blurry, hat", "blurry, hat"),
        ("a cat --no dogs", "dogs"),
        ("猫 --no 帽子，狗", "帽子,狗"),
        ("a cat,--NO text", "text"),
        ("a cat --no red hat, 4k", "red hat, 4k"),
        ("a cat --no=hat", "hat"),
    ]
    assert not failures_of(check, cases)
    assert [i.words for i in issues("cat --no hat --ar 1:1")] == [("--no hat",), ("--ar 1:1",)]


def test_brackets_that_cross():
    def check(case):
        prompt, wide, meant = case
        (issue,) = issues(prompt, wide=wide)
        assert issue.code == "bracket"
        assert issue.remedy == f"Write {meant}."
        there = prompt.replace(issue.words[0], meant)
        assert issues(there, wide=wide) == ()

    cases = [
        ("a (red [cat):1.3] dog", False, "(red [cat]:1.3)"),
        ("((red [hat)] cat)", False, "(red [hat])"),
        ("([red)] x", False, "([red])"),
        ("[a (b]:1.2), c", False, "[a (b:1.2)]"),
        ("（红【猫）】", True, "（红【猫】）"),
        ("一只（红色的【猫）：1.3】", True, "（红色的【猫】：1.3）"),
        ("猫，（红［帽）］", True, "（红［帽］）"),
        ("[red (hat]) x", False, "[red (hat)]"),
        ("(a, [b, c) : 0.8] d", False, "(a, [b, c]: 0.8)"),
    ]
    assert not failures_of(check, cases)
    for text in ("([red]) cat", "[(red) (cat)]", r"(a \[b) c\]", "((a) [b])", "(a [b) c"):
        assert all("cross" not in issue.message for issue in issues(text)), text


def test_words_in_capitals_within_words():
    def check(case):
        prompt, shown = case
        (issue,) = issues(prompt)
        assert (issue.code, issue.words) == ("other-dialect", (shown,))

    cases = [
        *((f"a {x}", "BREAK") for x in ("dogBREAKa cat", "hatBREAK1 cat", "dressBREAK1girl")),
        *(("a catANDa dog", "AND"), ("x, dressBREAKa hat", "BREAK"), ("a hatBREAK2cats", "BREAK")),
        *(
            ("ＢＲＥＡＫ，猫", "ＢＲＥＡＫ"),
            ("ＢＲＥＡＫ猫", "ＢＲＥＡＫ"),
            ("ＢＲＥＡＫ a cat", "ＢＲＥＡＫ"),
        ),
        *(
            ("猫，ＢＲＥＡＫ", "ＢＲＥＡＫ"),
            ("猫ＡＮＤ狗", "ＡＮＤ"),
            ("ＢＲＥＡＫ\n猫", "ＢＲＥＡＫ"),
        ),
    ]
    assert not failures_of(check, cases)
    for text in ("ＢＲＥＡＫ", "ＡＮＤ回路", "heartBREAKa", "a brANDy", "GRANDa"):
        assert issues(text) == (), text


def test_chinese_words_in_other_dialects():
    def check(case):
        prompt, shown = case
        for syntax in ("comfyui", "compel", "diffusers"):
            (issue,) = issues(prompt, syntax)
            assert (issue.code, issue.words) == ("other-dialect", (shown,)), syntax
            assert "dialect 'a1111'" in issue.remedy

    cases = [
        *(("[狗]，猫", "[狗]"), ("【狗】，猫", "【狗】"), ("猫，[红色帽子]", "[红色帽子]")),
        *(("猫、【狗】、鸟", "【狗】"), ("［猫］，狗", "［猫］"), ("[猫], dog", "[猫]")),
        *(("猫AND狗", "AND"), ("红色的猫AND黑色的狗", "AND"), ("猫AND 狗", "AND")),
    ]
    assert not failures_of(check, cases)
    for prompt in ("【猫】，狗", "鸟，［红猫］", "［狗］、猫"):
        assert [i.code for i in issues(prompt, "novelai")] == ["novelai-weight"], prompt
    for prompt in ("猫AND狗", "鸟，猫AND狗"):
        assert [i.words for i in issues(prompt, "novelai")] == [("AND",)]
    for text in ("【重要】，お知らせ", "【新品】", "［注］，猫", "【猫】の写真", "R&D部AND"):
        assert issues(text, "comfyui") == (), text


def test_what_to_write():
    def check(case):
        syntax, prompt, remedy = case
        assert [i.remedy for i in issues(prompt, syntax)] == [remedy]

    weights = "Useful weights are between 0 and 2"
    cases = [
        *(
            ("a1111", f"(cat:{sign}0.5), dog", "Write (cat:-0.5).")
            for sign in ("–", "—", " - ", "−")
        ),
        *(("comfyui", f"（猫：{sign}0.5）", "Write (猫:-0.5).") for sign in ("—", "–", "−")),
        ("a1111", "(a cat:— .8)", "Write (a cat:-0.8)."),
        ("a1111", "[cat︱dog]", "Write it in ASCII, without invisible characters."),
        ("a1111", "［猫︱狗］", "Write it in ASCII, without invisible characters."),
        ("novelai", "a clock 10::30", f"{weights}."),
        ("compel", "cat+++++++++++++++", f"{weights}."),
        ("a1111", "(cat:13)", f"{weights}; brackets that are text are written \\( and \\)."),
    ]
    assert not failures_of(check, cases)
    found = issues("a cat in the snow::2 blue sky::1", "a1111")
    assert [i.remedy[len("Leave it out; a weight is ") :] for i in found] == [
        "(a cat in the snow:2).",
        "(blue sky:1).",
    ]
    assert [i.remedy for i in condition_issues("a AND b:0,5")] == ["Write 'b :0.5'."]


def test_calls_that_read_full_width():
    def check(case):
        prompt, call = case
        (issue,) = reduce_to_one_text(prompt, fullwidth=True)[1]
        assert call in issue.remedy

    cases = [
        ("【猫：狗：0.5】在蓝色背景上", "schedule(prompt, steps, fullwidth=True)"),
        ("［猫｜狗］", "schedule(prompt, steps, fullwidth=True)"),
        ("[猫:狗：0.5]", "schedule(prompt, steps, fullwidth=True)"),
        ("[猫:狗:0.5]", "schedule(prompt, steps)"),
        ("猫AND狗", "compose(prompt, fullwidth=True)"),
        ("猫 AND 狗", "compose(prompt)"),
    ]
    assert not failures_of(check, cases)


def test_networks_in_square_brackets():
    for prompt in (
        "[lora:dog:1]",
        "[LoRA:dog:0.8]",
        "a [lyco:dog:2], x",
        "[locon:a:.5]",
        "[lora:b:5]",
    ):
        (issue,) = misread_forms(Remainder.whole(prompt))
        assert "load_lora_weights" in issue.remedy, prompt
        assert "load_lora_weights" in reduce_to_one_text(prompt)[1][0].remedy
    for prompt in ("[lora|dog]", "[dog:lora:1]", "[style:x:3]", "[a lora:dog:1]"):
        assert misread_forms(Remainder.whole(prompt)) == (), prompt


def test_quotes_around_break():
    quoted = (
        '"{}" BREAK "{}"',
        "“{}” BREAK “{}”",
        '"{}"BREAK"{}"',
        "„{}“ BREAK „{}“",
        '"{}", BREAK, "{}"',
    )
    for form in quoted:
        for words in (("a girl", "a boy"), ("猫", "狗")):
            assert issues(form.format(*words)) == (), form
    for text in ('a sign "TAKE A BREAK" on it', "“COFFEE BREAK”", '"a" and "BREAK TIME"'):
        assert [i.code for i in issues(text)] == ["break-in-capitals"], text
