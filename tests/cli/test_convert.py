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
