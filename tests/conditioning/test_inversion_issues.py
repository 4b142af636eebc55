"""A loaded textual inversion that a prompt names, but does not refer to, is warned of."""

import re
import warnings

import pytest

from clipcond.cli.messages import in_locale
from clipcond.prompt import parse
from clipcond.prompt.extra_networks import ENDING
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from clipcond.prompt.text_layers import network_issues, take_out
from tests.conditioning.conditioners import single
from tests.conditioning.test_inversions import BARE, content, vectors
from tests.failures import failures_of


def loaded(name, dialect):
    conditioner = single(dialect=dialect)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        conditioner.load_inversion(vectors(2), name)
    return conditioner


def refers(conditioner, prompt):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return any(i >= 2**24 for chunk in content(conditioner, prompt) for i in chunk)


def found(conditioner, prompt):
    return [issue for issue in conditioner.check(prompt) if issue.code == "inversion"]


@pytest.mark.parametrize("dialect", BARE)
def test_the_ending_of_a_file_is_text(dialect):
    conditioner = loaded("EasyNegative", dialect)

    def check(case):
        prompt, shown, name = case
        (issue,) = found(conditioner, prompt)
        assert issue.message.endswith("but its ending is text here")
        assert (issue.words, issue.remedy) == ((shown,), f"Write {name}.")
        mended = prompt.replace(shown, name)
        assert found(conditioner, mended) == []
        assert refers(conditioner, mended)

    endings = ("pt", "bin", "safetensors", "ckpt", "pth")
    cases = [(f"a EasyNegative.{e}, b", f"EasyNegative.{e}", "EasyNegative") for e in endings]
    cases.append(("easynegative.PT", "easynegative.PT", "easynegative"))
    assert not failures_of(check, cases)
    for prompt in (
        "EasyNegative",
        "EasyNegative. A cat",
        "EasyNegative.ptolemy",
        "xEasyNegative.pt",
    ):
        assert found(conditioner, prompt) == []


@pytest.mark.parametrize("dialect", ["a1111", "lpw", "sd_embed", "comfyui", "compel"])
def test_names_with_brackets(dialect):
    def check(name):
        conditioner = loaded(name, dialect)
        prompt = f"a {name} cat"
        (issue,) = found(conditioner, prompt)
        assert issue.words == (name,)
        proposal = re.match(r"Write (.*?)(?: in this dialect)?\.\Z", issue.remedy)[1]
        mended = prompt.replace(name, proposal)
        assert found(conditioner, mended) == [], mended
        assert refers(conditioner, mended), mended

    names = ["style(x)", "saber (fate)", "my(a)(b)", "art(v2)", "x(y)z"]
    names = [name for name in names if dialect != "comfyui" or " " not in name]
    if dialect == "compel":  # which reads brackets within a word as text
        names = ["saber (fate)", "art (v2)"]
    assert not failures_of(check, names)


def test_signs_behind_a_name_of_comfyui():
    conditioner = loaded("foo", "comfyui")

    def check(sign):
        (issue,) = found(conditioner, f"embedding:foo{sign} cat")
        assert issue.remedy == "A name ends at a space: write embedding:foo and a space."
        assert refers(conditioner, f"embedding:foo {sign} cat")
        assert found(conditioner, f"embedding:foo {sign} cat") == []

    assert not failures_of(check, [".", ";", "，", "!", "。", ":", ";x", "，猫", "/b", ".,"])
    (issue,) = found(conditioner, "embedding:food")
    assert "Load its file" in issue.remedy
    for prompt, space in (("a foo. b", " and a space"), ("a foo, b", ""), ("(foo:1.2)", "")):
        (issue,) = found(conditioner, prompt)
        assert issue.remedy == f"Write embedding:foo{space} in this dialect."
        mended = prompt.replace("foo", "embedding:foo" + " " * bool(space))
        assert found(conditioner, mended) == []
        assert refers(conditioner, mended)


def test_names_with_spaces_in_comfyui():
    conditioner = loaded("by bad artist", "comfyui")
    rename = "Load it with a token= of letters, digits and '_'."
    for prompt in ("by bad artist", "a (By Bad Artist:1.2)", "x, by  bad artist, y"):
        (issue,) = found(conditioner, prompt)
        assert issue.remedy == rename
    for prompt in ("embedding:by bad artist", "a embedding:By Bad Artist"):
        issue = found(conditioner, prompt)[0]
        assert issue.remedy == f"A name ends at a space. {rename}"
    assert refers(loaded("by_bad_artist", "comfyui"), "embedding:by_bad_artist")


def test_tags_of_other_interfaces_name_the_inversion():
    tags = [f"<{tag}:foo{end}>" for tag in ("embedding", "emb", "ti") for end in ("", ".pt")]
    for tag in tags:
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = with_lookalikes(parse(tag, syntax), fullwidth=None).issues
            named = "Write embedding:foo behind" if syntax == "comfyui" else "bare name, foo, once"
            assert named in issue.remedy, (tag, syntax)
        (issue,) = network_issues(tag, take_out(tag)[1])
        assert issue.remedy == "Write its bare name, foo, once its file is loaded."
    for tag in ("<embedding:foo:0.8>", "<ti:foo:0.8>", "<emb:foo.pt:0.8>"):
        for syntax in ("a1111", "comfyui", "compel", "novelai"):
            (issue,) = with_lookalikes(parse(tag, syntax), fullwidth=None).issues
            mended = issue.remedy.removeprefix("Write ").removesuffix(".")
            (segment,) = parse(mended, syntax).segments
            assert segment.weight == 0.8
            assert segment.text == "embedding:" * (syntax == "comfyui") + "foo"
        (issue,) = network_issues(tag, take_out(tag)[1])
        assert issue.remedy == "Write (foo:0.8)."
    assert refers(loaded("foo", "comfyui"), "(embedding:foo:0.8)")


def test_a_file_after_the_prefix_of_comfyui():
    for end in (".pt", ".safetensors", ".bin", ".ckpt", "."):
        for syntax in sorted(EXCEPT_PLAIN - {"comfyui"}):
            issue = with_lookalikes(parse(f"embedding:Foo{end}", syntax), fullwidth=None).issues[0]
            assert issue.remedy == "Write its bare name, Foo, once its file is loaded."
    assert ENDING.search("Foo.pt")


def test_they_are_said_in_chinese(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    cases = [("foo", "a1111", "foo.pt"), ("a(b)", "a1111", "a(b)"), ("a(b)", "comfyui", "a(b)")]
    cases += [("a b", "comfyui", "a b"), ("a b", "comfyui", "embedding:a b")]
    cases += [("foo", "comfyui", "embedding:foo."), ("foo", "comfyui", "foo. b")]
    for name, dialect, prompt in cases:
        for issue in found(loaded(name, dialect), prompt):
            text = f"{issue.message}\n{issue.remedy}"
            assert not re.search(r"[a-z]{3} [a-z]{2} [a-z]{3}", in_locale(text)), in_locale(text)
