"""A1111's styles.csv: what counts as a row, and what a style does to a prompt."""

import codecs

import pytest

from clipcond.errors import CheckpointError, ClipcondWarning
from clipcond.prompt import Style, read_styles
from tests.failures import failures_of


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "styles.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_what_a_style_does():
    def check(case):
        style, prompt, wanted = case
        assert Style("x", style, style).apply(prompt, prompt) == (wanted, wanted)

    cases = [
        ("35mm", "a cat", "a cat, 35mm"),
        ("35mm", "", "35mm"),
        ("", " a cat ", " a cat "),
        ("photo of {prompt}, 35mm", "a cat", "photo of a cat, 35mm"),
        ("{prompt} {prompt}", "", " "),
        ("{prompt}, blue background", "", ", blue background"),
        ("{prompt}, blue", " ", " , blue"),
        ("35mm, {prompt}", "", "35mm, "),
        ("35mm, {prompt}, blue", "", "35mm, , blue"),
        ("{prompt}, blue", "a", "a, blue"),
        (" , 35mm", "a cat,", "a cat,, , 35mm"),
    ]
    assert not failures_of(check, cases)
    assert Style("x", "p").apply("a") == ("a, p", "")


def test_files(written):
    def check(case):
        content, wanted = case
        styles = read_styles(written(content))
        found = [(s.name, s.prompt, s.negative) for s in styles.values()]
        assert found == wanted
        assert [*styles] == [name for name, *_ in found]

    head = "name,prompt,negative_prompt\n"
    cases = [
        (head + "a,b,c\n", [("a", "b", "c")]),
        (codecs.BOM_UTF8 + (head + "照片,猫,狗\r\n").encode(), [("照片", "猫", "狗")]),
        (codecs.BOM_UTF16_LE + (head + "a,猫,").encode("utf-16-le"), [("a", "猫", "")]),
        (head + 'a,"b, ""c""\nd",e', [("a", 'b, "c"\nd', "e")]),
        ("name,prompt\na,b\n", [("a", "b", "")]),
        ("name,text\na,b\n", [("a", "b", "")]),
        ("Name;Prompt;negative_prompt\na;b, c;d", [("a", "b, c", "d")]),
        ("negative_prompt,name,prompt\nc,a,b", [("a", "b", "c")]),
        (head + "only\n\n,,\n# note\n##### Photo,,\n#1,b,", [("only", "", ""), ("#1", "b", "")]),
        (head, []),
    ]
    assert not failures_of(check, cases)


def test_of_two_with_one_name_the_last_counts(written):
    path = written('name,prompt\na,"b\nc"\n\na,d\n')
    with pytest.warns(ClipcondWarning, match=r"has the style 'a' twice; that of line 5 counts"):
        assert read_styles(path)["a"].prompt == "d"


def test_what_is_no_file_of_styles(written, tmp_path):
    def check(case):
        content, message = case
        with pytest.raises(CheckpointError) as caught:
            read_styles(written(content))
        assert caught.value.message.replace(str(tmp_path), "DIR") == message
        assert caught.value.remedy

    head = "name,prompt,negative_prompt\n"
    cases = [
        ("", "'DIR/styles.csv' has no columns 'name' and 'prompt' in its first line"),
        ("a,b,c\n", "'DIR/styles.csv' has no columns 'name' and 'prompt' in its first line"),
        (
            head + 'x,"y\nz",\na,b,c,d\n',
            "'DIR/styles.csv', line 4 has 4 values for 3 columns",
        ),
        (head + 'a,"b\n', "'DIR/styles.csv', line 2 is no row: unexpected end of data"),
        (head + 'a,"b"c,d\n', "'DIR/styles.csv', line 2 is no row: ',' expected after '\"'"),
        (head.encode() + b"a,caf\xe9,\n", "'DIR/styles.csv', line 2 is no UTF-8"),
    ]
    assert not failures_of(check, cases)
    with pytest.raises(CheckpointError):
        read_styles(tmp_path / "none.csv")
    with pytest.raises(CheckpointError, match="is a folder"):
        read_styles(tmp_path)
