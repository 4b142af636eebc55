"""`clipcond app` before anything is loaded."""

import pytest

from clipcond.cli import main, serving


def test_without_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(serving, "find_spec", lambda name: None)

    assert main(["app"]) == 1
    assert capsys.readouterr().err == (
        "clipcond: the page needs the package gradio, which is not installed\n"
        'Install it: pip install "clipcond[app]"\n'
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--adapter", "x"], "--adapter goes with --tower"),
        (["--lora-dir", "no such"], "--lora-dir: there is no folder 'no such'"),
        (["--embeddings-dir", "no such"], "--embeddings-dir: there is no folder 'no such'"),
        (["--port", "70000"], "less than or equal to 65535"),
        (["--share"], "No such option: --share"),
    ],
)
def test_wrong_use(capsys, options, message):
    assert main(["app", *options]) == 2
    assert message in capsys.readouterr().err


def test_without_the_extra_in_chinese(monkeypatch, capsys):
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")

    assert main(["app"]) == 1
    assert capsys.readouterr().err == (
        'clipcond: 网页需要软件包 gradio，但没有安装\n请安装：pip install "clipcond[app]"\n'
    )
