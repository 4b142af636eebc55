"""clipcond inspect --html writes a page and replaces no file by chance; --against compares."""

import json

import pytest
import torch
from safetensors.torch import save_file

from clipcond import load_tower
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
    page = inspected(capfdbinary, "(a:1.2)", "--against-dialect", "compel", "--html", "-")[1]
    assert "--movement 显示嵌入相差多少" in page
    inspected(capfdbinary, "a", "--html", "page.html")
    assert inspected(capfdbinary, "a", "--html", "page.html")[2] == (
        "clipcond: 'page.html' 已存在\n用 --force 覆盖，或给 --html 换一个文件名。\n"
    )


def test_two_prompts(capfdbinary):
    prompts = ("a (red:1.3) cat", "--against", "a (red) dog")
    code, out, err = inspected(capfdbinary, *prompts, "--json", "--compact", "-n", "blurry")
    values, (tower,) = json.loads(out), json.loads(out)["differences"]["towers"]
    second = inspected(capfdbinary, "a (red) dog", "--json", "--compact", "-n", "blurry")[1]

    assert (code, err) == (0, "")
    assert [(each["change"], each["token"]) for each in tower["tokens"]] == [
        ("weight", "red"),
        ("removed", "cat"),
        ("added", "dog"),
    ]
    assert values["differences"]["negatives"][0]["tokens"] == []
    assert values["against"] == json.loads(second)
    table = inspected(capfdbinary, *prompts)[1]
    assert "tower embedded: 3 differences; 1 token is the same, in 1 chunk" in table
    page = inspected(capfdbinary, *prompts, "--html", "-")[1]
    assert read_page(page).all("h1")[0].text() == "Two prompts compared"


def test_two_dialects(capfdbinary):
    def changes(*argv):
        values = json.loads(inspected(capfdbinary, *argv, "--json")[1])
        (tower,) = values["differences"]["towers"]
        dialects = values["dialect"], values["against"]["dialect"]
        return dialects, [(each["change"], each["token"]) for each in tower["tokens"]]

    added = [("added", sign) for sign in ":1.3"]
    to_compel = ("--against-dialect", "compel")
    assert changes("a (red:1.3) cat", *to_compel) == (
        ("a1111", "compel"),
        [("weight", "red"), *added],
    )
    assert changes("a (red:1.3) cat", "--against", "a (red)1.3 cat", *to_compel) == (
        ("a1111", "compel"),
        [],
    )
    issue = inspected(capfdbinary, "a (red:1.3) cat", *to_compel)[1]
    assert "issue at 2: '(red:1.3)' is a weight in dialect 'a1111', but not here" in issue
    assert "--movement shows how far embeds differ" in " ".join(issue.split())
    code, out, err = inspected(capfdbinary, "a", "--against-dialect", "compell")
    assert (code, out) == (2, "")
    assert "Did you mean 'compel'?" in err


def test_movement(capfdbinary, folder):
    code, out, err = inspected(capfdbinary, "a (red:1.3) dog", "--movement", "--json", "--compact")
    (chunk,) = json.loads(out)["chunks"]

    assert (code, err) == (0, "")
    assert list(chunk) == ["tokens", "ids", "weights", "norms", "movements"]
    assert chunk["movements"][2] > 0.1
    assert "moved" in inspected(capfdbinary, "a (red:1.3) dog", "--movement")[1]
    argv = ("a (red:1.3) dog", "--against-dialect", "comfyui", "--movement")
    (tower,) = json.loads(inspected(capfdbinary, *argv, "--json")[1])["differences"]["towers"]
    assert tower["tokens"] == []
    assert tower["chunks"][0]["relative"] > 0.001
    assert "Δ" in inspected(capfdbinary, *argv, "--html", "-")[1]


def test_an_inversion_is_loaded_once_for_both(capfdbinary, folder):
    save_file(
        {"emb_params": torch.ones(2, load_tower("embedded").width)}, folder / "zug.safetensors"
    )
    argv = ("a zug", "--against-dialect", "diffusers", "--inversion", "zug.safetensors", "--json")
    code, out, err = inspected(capfdbinary, *argv, "--compact")

    assert (code, err) == (0, "")
    values = json.loads(out)
    for each in (values, values["against"]):
        assert len(each["chunks"][0]["ids"]) == 5
