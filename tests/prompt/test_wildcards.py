"""Lists of options in a folder: which lines count, what is missing, what would never end."""

import codecs
import os
from itertools import islice

import pytest

from clipcond.errors import ArgumentError, CheckpointError, PromptError, PromptSyntaxError
from clipcond.prompt import Template, Wildcards
from tests.failures import failures_of


@pytest.fixture
def folder(tmp_path):
    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = content.encode() if isinstance(content, str) else content
            path.write_bytes(content)
        return tmp_path

    return write


def texts(template, wildcards):
    return [str(text) for text in Template(template, wildcards).combinations()]


def test_lines_that_are_options(folder):
    lists = folder(
        {
            "a.txt": "\ufeff# cats\r\n  lynx \r\n\r\n#no\ntabby # common\n C# cat#1\n\t\n5 #\nlynx",
            "utf16.txt": codecs.BOM_UTF16_LE + "猫\n狗".encode("utf-16-le"),
        }
    )
    assert texts("__a__", lists) == ["lynx", "tabby", "C# cat#1", "5"]
    assert texts("__utf16__", lists) == ["猫", "狗"]
    line = Template("x __a__", lists).combination(1)
    assert line.origin(3) == ("tabby", 1, "a.txt", 5)
    assert line.origin(0) == ("x __a__", 0, "", 0)


def test_names(folder):
    lists = folder(
        {
            "animals/cats.txt": "lynx\ntabby",
            "animals/dogs/small.txt": "pug",
            "animals/b_1-x.txt": "owl\nlynx",
            "top.TXT": "top",
            ".hidden/x.txt": "no",
            "animals/.y.txt": "no",
            "animals/readme.md": "no",
            "a[1].txt": "one",
            "e\u0301.txt": "composed",
        }
    )
    found = ("a[1]", "animals/b_1-x", "animals/cats", "animals/dogs/small", "top", "é")
    assert Wildcards(lists).names == found
    assert texts("__animals/*__", lists) == ["owl", "lynx", "tabby", "pug"]
    assert texts("__*small__", lists) == ["pug"]
    assert texts("__animals/**__", str(lists)) == ["owl", "lynx", "tabby", "pug"]
    assert texts("__animals\\cats__ __a[1]____top__ __\u00e9__", lists) == [
        "lynx onetop composed",
        "tabby onetop composed",
    ]


def test_lists_in_lists(folder):
    lists = folder({"a.txt": "3::x __b__\n{y|__c__}", "b.txt": "1\n2", "c.txt": "__b__ 3"})
    assert texts("__a__", lists) == ["x 1", "x 2", "y", "1 3", "2 3"]
    assert texts("{2$$__b__}", lists) == ["1,2", "2,1"]
    shared = Wildcards(lists)
    assert texts("__a__", shared) == texts("__a__", lists)
    os.remove(lists / "b.txt")
    assert texts("__b__", shared) == ["1", "2"]  # read already


def test_a_list_that_is_missing_is_shown_with_those_that_there_are(folder):
    lists = folder(
        {"colours.txt": "red", "animals/cats.txt": "__colour__", "x.yaml": "a: b", "only.txt": "a"}
    )

    def check(case):
        text, position, message = case
        with pytest.raises(PromptError) as caught:
            Template(text, lists)
        error = caught.value
        assert (error.source, error.position) == (text, position)
        assert error.message == message.replace("DIR", repr(str(lists)))
        assert error.remedy == r"Write \__ for underscores that are text."

    cases = [
        ("a __colors__", 2, "there is no list 'colors' in DIR. Did you mean 'colours'?"),
        ("a {b|__cats__}", 5, "there is no list 'cats' in DIR. Did you mean 'animals/cats'?"),
        (
            "__xyz__ ",
            0,
            "there is no list 'xyz' in DIR. Known: animals/cats, colours, only.",
        ),
        (
            "__x__",
            0,
            "there is no list 'x' in DIR. 'x.yaml' is not read: a list is a .txt file, an option a "
            "line.",
        ),
        ("__only(a=1)__", 0, "'only(a=1)' is no list: values in brackets are not supported"),
    ]
    assert not failures_of(check, cases)
    with pytest.raises(PromptError) as caught:
        Template("a __animals/cats__", lists)
    assert str(caught.value) == (
        f"animals/cats.txt, line 1: there is no list 'colour' in {str(lists)!r}. "
        "Did you mean 'colours'?\n  __colour__\n  ^\nWrite \\__ for underscores that are text."
    )
    with pytest.raises(PromptError) as caught:
        Template("a __x__")
    assert str(caught.value) == (
        "'x' is a list, and no folder of lists is given\n  a __x__\n    ^\n"
        "Say wildcards='DIR', or write \\__ for underscores that are text."
    )


def test_lists_that_never_end_or_cannot_be_read(folder):
    lists = folder(
        {
            "a.txt": "x\ny __b__ z",
            "b.txt": "{c|__a__}",
            "self.txt": "__self__",
            "all/x.txt": "__all/*__",
            "empty.txt": "# nothing",
            "zero.txt": "0::a",
            "open.txt": "a\n{b|c",
            "closed.txt": "a}",
            "latin.txt": b"caf\xe9",
        }
    )

    def check(case):
        name, kind, message = case
        with pytest.raises(kind) as caught:
            Template(f"__{name}__", lists)
        assert caught.value.message == message.replace("DIR", str(lists))

    cases = [
        ("a", PromptSyntaxError, "b.txt, line 1: the list names itself: 'a' in 'b' in 'a'"),
        ("self", PromptSyntaxError, "self.txt, line 1: the list names itself: 'self' in 'self'"),
        (
            "all/*",
            PromptSyntaxError,
            "all/x.txt, line 1: the list names itself: 'all/*' in 'all/*'",
        ),
        ("empty", CheckpointError, "the list 'empty' has no options\n  __empty__\n  ^"),
        ("zero", CheckpointError, "the list 'zero' has only options of weight 0\n  __zero__\n  ^"),
        ("open", PromptSyntaxError, "open.txt, line 2: '{' is never closed"),
        ("closed", PromptSyntaxError, "closed.txt, line 1: '}' closes nothing, and stays as text"),
        ("latin", CheckpointError, "'DIR/latin.txt', line 1 is no UTF-8"),
    ]
    assert not failures_of(check, cases)
    for bad, message in ((lists / "none", "is no folder"), (lists / "a.txt", "is a file, not a")):
        with pytest.raises(CheckpointError, match=message):
            Wildcards(bad)
    for bad in ({"a": "red"}, {"a": [1]}):
        with pytest.raises(ArgumentError, match="the list 'a' is a list of texts, not"):
            Wildcards(bad)


def test_what_would_grow_beyond_memory_is_refused():
    lists = {"0": ["a", "b"], **{str(i): [f"__{i - 1}____{i - 1}__"] for i in range(1, 60)}}
    assert Template("__15__", lists).count == 2**2**15
    with pytest.raises(PromptError, match=r"list '21', line 1: a text of it may have over 4,000,0"):
        Template("__59__", lists)
    blank = {"0": ["{{|}|}"], **{str(i): [f"__{i - 1}____{i - 1}__"] for i in range(1, 60)}}
    with pytest.raises(PromptError, match="may have over 4,000,000 characters"):
        Template("__59__", blank)
    long = {"a": ["x" * 1000]}
    with pytest.raises(PromptError, match="may have over 4,000,000 characters"):
        Template("{b|" + "__a__" * 5000 + "}", long)
    many = {"0": [str(i) for i in range(3000)]}
    assert Template("{3$$__0__}", many).count == 3000 * 2999 * 2998
    with pytest.raises(PromptError, match="up to 3000 options are taken at once; at most 100"):
        Template("{2-$$__0__}", many)


def test_a_long_chain_of_lists_is_no_recursion():
    chain = {str(i): [f"__{i + 1}__ {i}"] for i in range(3000)} | {"3000": ["a", "b"]}
    template = Template("__0__", chain)
    assert template.count == 2
    assert [text[:7] for text in islice(template.combinations(), 2)] == ["a 2999 ", "b 2999 "]
