"""`clipcond serve` before anything is loaded."""

import pytest

from clipcond.cli import main, service
from clipcond.cli.service import worded
from tests.service.clients import need_extra


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        (
            "C.UTF-8",
            "clipcond: the service needs the package fastapi, which is not installed\n"
            'Install it: pip install "clipcond[serve]"\n',
        ),
        (
            "zh_CN.UTF-8",
            'clipcond: 服务需要软件包 fastapi，但没有安装\n请安装：pip install "clipcond[serve]"\n',
        ),
    ],
)
def test_without_the_extra(monkeypatch, capsys, locale, said):
    monkeypatch.setattr(service, "find_spec", lambda name: None)
    monkeypatch.setenv("LC_ALL", locale)

    assert main(["serve"]) == 1
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--adapter", "x"], "--adapter goes with --tower"),
        (["--port", "70000"], "less than or equal to 65535"),
        (["--max-batch", "0"], "greater than or equal to 1"),
        (["--dialect", "foo"], "no dialect 'foo'"),
        (["--weighting", "lrep"], "no weighting rule 'lrep'. Did you mean 'lerp'?"),
    ],
)
def test_wrong_use(capsys, options, message):
    need_extra()

    assert main(["serve", "--port", "0", *options]) == 2
    assert message in capsys.readouterr().err


def test_the_network_needs_a_token(monkeypatch, capsys):
    need_extra()
    monkeypatch.delenv("CLIPCOND_TOKEN", raising=False)

    assert main(["serve", "--host", "0.0.0.0"]) == 1
    assert capsys.readouterr().err == (
        "clipcond: others can reach 0.0.0.0, so requests need a token\n"
        "Set the environment variable CLIPCOND_TOKEN to a long random text, or leave out --host to "
        "serve this computer only.\n"
    )


def test_messages_name_fields():
    assert worded("clip_skip=99 names no layer of 'x'\nUse 1, or give a higher max_chunks=.") == (
        "clip_skip 99 names no layer of 'x'\nUse 1."
    )
