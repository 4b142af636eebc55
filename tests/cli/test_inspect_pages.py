"""clipcond inspect --html writes a page, and replaces no file by chance."""

import json

import pytest

from clipcond.cli.entry import main
from tests.conditioning.read_pages import read_page


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inspected(capfdbinary, *argv: str) -> tuple[int, str, str]:
    code = main(["inspect", *argv])
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def test_a_page_in_a_file(capfdbinary, folder):
    assert inspected(capfdbinary, "a (red:1.3) 猫", "--html", "page.html") == (0, "page.html\n", "")

    page = read_page((folder / "page.html").read_text(encoding="utf-8"))
    assert page.all("h1")[0].text() == "How a prompt is read"
    assert page.all("p", "cc-prompt")[0].text() == "a (red:1.3) 猫"
    assert "For Chinese: --tower embedded-zh" in page.text()


def test_a_file_is_replaced_only_by_force(capfdbinary, folder):
    kept = folder / "page.html"
    kept.write_text("mine")

    assert inspected(capfdbinary, "a", "--html", "page.html") == (
        1,
        "",
        "clipcond: 'page.html' exists already\n"
        "Say --force to replace it, or --html with another name.\n",
    )
    assert kept.read_text() == "mine"
    assert inspected(capfdbinary, "a", "--html", "page.html", "--force")[0] == 0
    assert kept.read_text().startswith("<!doctype html>")


def test_places_that_cannot_be_written(capfdbinary, folder):
    for name, why in ((".", "is a folder"), ("none/page.html", "cannot be written")):
        for more in ((), ("--force",)):
            code, out, err = inspected(capfdbinary, "a", "--html", name, *more)
            assert (code, out) == (1, "")
            assert why in err
    assert inspected(capfdbinary, "a", "--html", "")[0] == 2
    assert not list(folder.iterdir())


def test_a_page_on_standard_output(capfdbinary):
    code, out, err = inspected(capfdbinary, "a \u201ccat\u201d 猫", "--html", "-", "-n", "x\x1b")

    assert (code, err) == (0, "")
    assert [each.text() for each in read_page(out).all("p", "cc-prompt")] == ["a “cat” 猫", "x\x1b"]


def test_a_page_and_json(capfdbinary, folder):
    code, out, _ = inspected(capfdbinary, "a cat", "--html", "page.html", "--json")
    alone = inspected(capfdbinary, "a cat", "--json")[1]

    assert code == 0
    assert out == alone
    assert json.loads(out)["prompt"] == "a cat"
    assert (folder / "page.html").is_file()
    for name in ("--json", "--compact"):
        code, out, err = inspected(capfdbinary, "a cat", "--html", "-", name)
        assert (code, out) == (2, "")
        assert "both write to standard output" in err


def test_a_page_in_chinese(capfdbinary, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    out = inspected(capfdbinary, "[cat:dog:0.5] AND (x", "--html", "-")[1]
    page = read_page(out)

    assert page.all("html")[0].attributes["lang"] == "zh-Hans"
    assert page.all("h1")[0].text() == "提示词是怎样读的"
    issues = [each.text() for each in page.all("ol", "cc-issues")[0].all("li")]
    assert all("只编码" in each or "没有闭合" in each for each in issues)
    inspected(capfdbinary, "a", "--html", "page.html")
    assert inspected(capfdbinary, "a", "--html", "page.html")[2] == (
        "clipcond: 'page.html' 已存在\n用 --force 覆盖，或给 --html 换一个文件名。\n"
    )
