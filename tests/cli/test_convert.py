"""clipcond convert: one line on standard output, or one message and exit code 2."""

import pytest

from clipcond.cli.entry import main


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


def test_an_unknown_syntax(capsys):
    code, out, err = converted(capsys, "a", "--to", "comfy")

    assert (code, out) == (2, "")
    assert err.startswith("clipcond: no syntax 'comfy'. Did you mean 'comfyui'?")


def test_what_was_hardly_meant_is_warned_of(capsys):
    code, out, err = converted(capsys, "(a cat++", "--to", "comfyui")

    assert (code, out) == (0, "(a cat++:1.1)\n")
    assert "'(' is never closed" in err
    assert "'cat++' is a weight in dialect 'compel'" in err
