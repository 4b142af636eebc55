"""clipcond convert: one line on standard output, or one message and exit code 2."""

import pytest

from clipcond.cli.entry import main
from clipcond.cli.options import SYNTAX_NAMES
from clipcond.conditioning.dialects import DIALECTS
from clipcond.prompt import SYNTAXES


def converted(capsys, *argv: str) -> tuple[int, str, str]:
    code = main(["convert", *argv])
    return (code, *capsys.readouterr())


def test_a1111_to_comfyui(capsys):
    prompt = "a (red:1.3) [cat], (\\(x\\):1.1)"

    assert converted(capsys, prompt, "--to", "comfyui") == (
        0,
        "a (red:1.3) (cat:0.91), (\\(x\\):1.1)\n",
        "",
    )
    assert converted(capsys, prompt, "--to", "comfyui", "--exact") == (
        0,
        "a (red:1.3) (cat:0.9090909090909091), (\\(x\\):1.1)\n",
        "",
    )


def test_comfyui_to_a1111(capsys):
    assert converted(capsys, "((foo:1.1)) [x]", "--from", "comfyui", "--to", "a1111") == (
        0,
        "(foo:1.1) \\[x\\]\n",
        "",
    )


def test_what_cannot_be_said(capsys):
    code, out, err = converted(capsys, "a BREAK cat", "--to", "comfyui")

    assert (code, out) == (2, "")
    assert err == (
        "clipcond: only dialects 'a1111' and 'compel' can start a new chunk at a place\n"
        "  a BREAK cat\n"
        "    ^\n"
        "Leave it out.\n"
    )


@pytest.mark.parametrize(
    ("prompt", "start"),
    [
        ("a [cat:dog:0.5]", "clipcond: '[cat:dog:0.5]' cannot be converted\n"),
        ("a AND b", "clipcond: AND cannot be converted\n"),
        ("(a:1.2.3)", "clipcond: '1.2.3' is not a number\n"),
    ],
)
def test_what_is_no_single_prompt(capsys, prompt, start):
    code, out, err = converted(capsys, prompt, "--to", "comfyui")

    assert (code, out) == (2, "")
    assert err.startswith(start)


def test_advice_for_python_says_so(capsys):
    cases = {
        "a [cat:dog:0.5]": "In Python: convert the texts of schedule(prompt, steps) one by one.",
        "［猫｜狗］": "In Python: convert the texts of schedule(prompt, steps, fullwidth=True) one "
        "by one.",
        "a AND b": "Write 'and' in small letters for the word. In Python: for several conditions, "
        "convert the parts of compose(prompt) one by one.",
        "（猫AND狗：0.5）": "Write 'and' in small letters for the word. In Python: for several "
        "conditions, convert the parts of compose(prompt, fullwidth=True) one by one.",
    }  # fmt: skip
    for prompt, remedy in cases.items():
        code, out, err = converted(capsys, prompt, "--to", "compel")
        assert (code, out) == (2, "")
        assert err.splitlines()[-1] == remedy


def test_what_cannot_be_converted_is_said_in_chinese(capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    cases = [
        ("猫 AND 狗：0.5，背景", "a1111", "compel", "AND 无法转换"),
        ("（猫AND狗：0.5）", "a1111", "comfyui", "AND 无法转换"),
        ("[猫:狗:0.5]", "a1111", "compel", "'[猫:狗:0.5]' 无法转换"),
        ("[猫:狗:0.5]", "a1111", "comfyui", "'[猫:狗:0.5]' 无法转换"),
        ("[猫:狗:5]", "a1111", "comfyui", "'[猫:狗:5]' 无法转换"),
        ("【猫：狗：0.5】", "a1111", "comfyui", "'【猫：狗：0.5】' 无法转换"),
        ("[猫|狗]", "a1111", "plain", "'[猫|狗]' 无法转换"),
        ("猫 BREAK 狗", "a1111", "comfyui", "只有方言 'a1111' 和 'compel' 能在指定处另起一段"),
        ("(猫:1.2)", "a1111", "plain", "纯文字的提示词没有 1.2 这样的权重"),
        ("(猫:-1)", "a1111", "compel", "compel 没有小于 0 的权重，例如 -1"),
        ('("猫","狗").blend(1,1)', "compel", "a1111", "只有方言 'compel' 能按权重混合提示词"),
        ("猫.swap(狗)", "compel", "a1111", ".swap() 无法转换"),
        ("猫 withLora(x, 0.5)", "compel", "comfyui", "a LoRA 无法转换"),
        ("(wow...:1.2)", "a1111", "compel", "语法 'compel' 写不出这个"),
    ]
    for prompt, source, target, message in cases:
        code, out, err = converted(capsys, prompt, "--from", source, "--to", target)
        first, *_, last = err.splitlines()
        assert (code, out, first) == (2, "", f"clipcond: {message}")
        assert any("一" <= letter <= "鿿" for letter in last) or last.strip() == "^", last
        assert "small letters" not in last
        assert "one by one" not in last


def test_what_may_be_text_is_said_in_chinese(capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    cases = {
        "一只【红色】猫": "'【红色】' 在这里是文字；"
            "在全角标点有效的地方是权重。若是语法，用 --fullwidth",
        "一只（红色的猫": "'（' 没有闭合。请用 '）' 闭合；若是文字，用 --no-fullwidth",
        "一只（红色的：1.3猫": "'（红色的：1.3' 的括号没有闭合，不是权重。请写 (红色的:1.3)",
        "猫BREAK狗": "'BREAK' 在这里是词的一部分。请在两边加空格，或用 --fullwidth",
    }  # fmt: skip
    for prompt, said in cases.items():
        out = converted(capsys, prompt, "--to", "compel")
        assert out == (0, f"{prompt}\n", f"clipcond: 警告：{said}\n")


def test_edits_say_what_becomes_of_them_in_each_direction(capsys):
    fraction = "the nodes of prompt-control read {} as it is."
    step = "the nodes of prompt-control read this form with a fraction, 0.25 for step 5 of 20."
    cases = {"[cat:dog:0.5]": fraction, "[cat::.5]": fraction, "[dog:0.25]": fraction,
             "[(cat:1.2):dog:1.0]": fraction, "[cat:dog:5]": step, "[dog:12]": step}  # fmt: skip
    for edit, nodes in cases.items():
        code, out, err = converted(capsys, f"a {edit}", "--to", "comfyui")
        assert (code, out) == (2, "")
        assert err.splitlines()[0] == f"clipcond: '{edit}' cannot be converted"
        shown = f"ComfyUI itself changes nothing over time; {nodes.format(edit)}"
        assert err.splitlines()[-1] == shown
    for edit in ("[cat:dog:0.5]", "[cat::.5]", "[dog:0.25]"):
        code, out, err = converted(capsys, f"a {edit}", "--from", "comfyui", "--to", "a1111")
        assert (code, out) == (0, f"a \\{edit[:-1]}\\]\n")
        assert "is prompt editing in dialect 'a1111', but not here. It is written as text" in err
        assert "prompt-control, A1111 reads the same form: copy it as it is" in err


def test_an_unknown_syntax(capsys):
    code, out, err = converted(capsys, "a", "--to", "comfy")

    assert (code, out) == (2, "")
    assert err.startswith("clipcond: no syntax 'comfy'. Did you mean 'comfyui'?")


def test_what_was_hardly_meant_is_warned_of(capsys):
    code, out, err = converted(capsys, "(a cat++", "--to", "comfyui")

    assert (code, out) == (0, "(a cat++:1.1)\n")
    assert "'(' is never closed" in err
    assert "'cat++' is a weight in dialect 'compel'" in err


@pytest.mark.parametrize(
    ("prompt", "target", "written"),
    [
        ("（猫：1.3），狗", "compel", "(猫)1.3 ，狗"),
        ("（猫：1.3），狗", "comfyui", "(猫:1.3)，狗"),
        ("a （red cat：０．８）", "comfyui", "a (red cat:0.8)"),
        ("【猫】", "novelai", "0.91::猫::"),
        ("（（猫））", "compel", "(猫)1.21"),
        ("a (cat：1.3)", "compel", "a (cat)1.3"),
    ],
)
def test_full_width_brackets_are_syntax_with_a_note(capsys, prompt, target, written):
    code, out, err = converted(capsys, prompt, "--to", target)

    assert (code, out) == (0, written + "\n")
    assert "is read as syntax" in err


def test_full_width_brackets_can_be_text(capsys):
    assert converted(capsys, "（猫）", "--to", "comfyui", "--no-fullwidth") == (0, "（猫）\n", "")
    code, out, err = converted(capsys, "（猫）1.3", "--from", "compel", "--to", "a1111")
    assert (code, out) == (0, "\\（猫\\）1.3\n")
    assert "'（猫）' is a bracket in ASCII, but not here" in err


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("[dog]", "(dog:0.91)"),
        ("((dog))", "(dog:1.21)"),
        ("(((dog)))", "(dog:1.331)"),
        ("[[[dog]]]", "(dog:0.751)"),
        ("(dog:1.23456)", "(dog:1.235)"),
        ("(dog:0.0004)", "(dog:0.0004)"),
        ("(dog:-0.3333)", "(dog:-0.333)"),
        ("(dog:0)", "(dog:0)"),
    ],
)
def test_weights_are_short(capsys, prompt, written):
    code, out, _ = converted(capsys, prompt, "--to", "comfyui")

    assert (code, out) == (0, written + "\n")


def test_what_a1111_takes_out_is_left_out_for_others(capsys):
    prompt = "a cat <lora:x:1># y"

    code, out, err = converted(capsys, prompt, "--to", "comfyui")
    assert (code, out) == (0, "a cat\n")
    assert "'<lora:x:1>' is left out" in err
    assert "'# y' is a comment" in err
    assert converted(capsys, prompt, "--to", "a1111")[1] == prompt + "\n"


def test_a_caption_in_capitals_can_be_converted(capsys):
    assert converted(capsys, "BLACK AND WHITE", "--to", "compel")[:2] == (0, "BLACK AND WHITE\n")


def test_every_dialect_is_named_and_read(capsys):
    names = SYNTAX_NAMES.split(", ")
    assert {*names} == {*SYNTAXES}
    for name in (*names, *DIALECTS):
        assert converted(capsys, "a cat", "--from", name, "--to", name) == (0, "a cat\n", "")


def test_what_is_lost_is_said(capsys):
    out = converted(capsys, "<red:blue> dog", "--from", "comfyui", "--to", "a1111")
    assert out == (0, "<red\\:blue> dog\n", "")
    for prompt in ("<lora:x:1> a", "a # b"):
        code, out, err = converted(capsys, prompt, "--from", "plain", "--to", "a1111")
        assert (code, out) == (0, prompt + "\n")
        assert "in dialect 'a1111'" in err
