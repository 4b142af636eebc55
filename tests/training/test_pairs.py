"""Files of pairs: what is read, and the message for each kind of bad line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PairsError
from clipcond.tables import MAX_LINE
from clipcond.training import Columns, read_pairs
from tests.training.made import write

GOOD = ["a cat\t猫", "a dog\t狗"]


def texts(pairs):
    return [(pair.teacher, pair.tower) for pair in pairs.pairs]


def reasons(pairs):
    return {bad.line: bad.reason for bad in pairs.bad}


def test_two_columns_need_no_header(tmp_path):
    pairs = read_pairs(write(tmp_path, GOOD))

    assert texts(pairs) == [("a cat", "猫"), ("a dog", "狗")]
    assert [pair.line for pair in pairs.pairs] == [1, 2]
    assert not pairs.bad


def test_a_header_names_columns_in_any_order(tmp_path):
    path = write(tmp_path, ["n\ttower\tteacher", "1\t猫\ta cat", "2\t狗\ta dog"])

    assert texts(read_pairs(path)) == [("a cat", "猫"), ("a dog", "狗")]


def test_named_columns(tmp_path):
    path = write(tmp_path, ["zh\ten", "猫\ta cat"])

    assert texts(read_pairs(path, Columns("en", "zh"))) == [("a cat", "猫")]


def test_a_column_that_is_not_there(tmp_path):
    path = write(tmp_path, ["zh\ten", "猫\ta cat"])

    with pytest.raises(PairsError) as caught:
        read_pairs(path, Columns("english", "zh"))
    assert str(caught.value) == (
        f"{str(path)!r} has no column 'english'; it has zh, en\n"
        "Say which ones to read: columns=Columns(teacher=..., tower=..., image=...)."
    )


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(b"\xef\xbb\xbfa cat\t\xe7\x8c\xab\r\na dog\t\xe7\x8b\x97\r\n")

    assert texts(read_pairs(path)) == [("a cat", "猫"), ("a dog", "狗")]


def test_every_kind_of_bad_line_is_named(tmp_path):
    path = tmp_path / "pairs.tsv"
    bad = [
        b"",
        b"a cat",
        b"a\tb\tc\td",
        b"a cat\t",
        b"  \t\xe7\x8c\xab",
        "a cat\t红色".encode("gbk"),
        b"a cat\tno\0thing",
        b"a cat\t" + b"x" * MAX_LINE,
        "a cat\t\ufffd".encode(),
        "a cat\t猫\tnowhere.png".encode(),
    ]
    path.write_bytes(b"\n".join([b"a dog\tdog", *bad, b"a fox\tfox"]))
    pairs = read_pairs(path)

    assert texts(pairs) == [("a dog", "dog"), ("a fox", "fox")]
    assert reasons(pairs) == {
        2: "it is empty",
        3: "it has 1 column, expected 2, or 3 with a picture",
        4: "it has 4 columns, expected 2, or 3 with a picture",
        5: "the tower's side is empty",
        6: "the teacher's side is empty",
        7: "it is not UTF-8: byte 0xba",
        8: "it holds a zero byte",
        9: f"it is longer than {MAX_LINE} bytes",
        10: "the tower's side was decoded wrongly: it holds U+FFFD",
        11: "there is no picture 'nowhere.png'",
    }


def test_lines_of_json(tmp_path):
    rows = [
        json.dumps({"teacher": "a cat", "tower": "猫", "n": 1}),
        '{"teacher": "a cat", ',
        '["a cat", "猫"]',
        json.dumps({"teacher": "a cat"}),
        json.dumps({"teacher": "a cat", "tower": 3}),
        json.dumps({"teacher": "a dog", "tower": "狗", "image": 3}),
    ]
    pairs = read_pairs(write(tmp_path, rows, "pairs.jsonl"))

    assert texts(pairs) == [("a cat", "猫")]
    assert reasons(pairs) == {
        2: "it is no JSON",
        3: 'it is no JSON object but ["a cat", "猫"]',
        4: "the tower's side is missing: no 'tower' (found: teacher)",
        5: "the tower's side is no text: 3",
        6: "its picture is no path: 3",
    }


def test_what_no_tokenizer_takes_and_no_terminal_shows(tmp_path):
    rows = [
        '{"teacher": "a cat", "tower": "猫"}',
        '{"teacher": "a \\ud83d cat", "tower": "猫"}',
        '{"teacher": "a cat", "tower": "no\\u0000thing"}',
        '{"\\u001b[31m": 1, "\\ud800": 2}',
        '["\u009b31m"]',
    ]
    pairs = read_pairs(write(tmp_path, rows, "pairs.jsonl"))

    assert reasons(pairs) == {
        2: "the teacher's side holds half of a character, a lone surrogate",
        3: "the tower's side holds a zero byte",
        4: "the teacher's side is missing: no 'teacher' (found: \ufffd[31m, \ufffd)",
        5: 'it is no JSON object but ["\ufffd31m"]',
    }


@given(
    st.lists(
        st.binary(max_size=40) | st.text(max_size=20).map(lambda text: f"a\t{text}".encode()),
        max_size=12,
    ),
    st.sampled_from([".tsv", ".jsonl"]),
)
def test_any_bytes_are_pairs_or_told(tmp_path_factory, content, suffix):
    good = b'{"teacher": "a", "tower": "b"}' if suffix == ".jsonl" else b"a\tb"
    path = tmp_path_factory.mktemp("any") / f"pairs{suffix}"
    path.write_bytes(b"\n".join([good, *content]) + b"\n")
    pairs = read_pairs(path, max_bad=10**6)

    assert pairs.pairs[0].line == 1
    numbers = sorted(each.line for each in (*pairs.pairs, *pairs.bad))
    assert numbers == list(range(1, path.read_bytes().count(b"\n") + 1))
    assert all(pair.teacher.strip() and pair.tower.strip() for pair in pairs.pairs)
    pairs.describe_bad(100).replace("\n", "").encode()
    assert pairs.describe_bad(100).replace("\n", "").isprintable()


def test_a_header_below_an_empty_line(tmp_path):
    pairs = read_pairs(write(tmp_path, ["", "tower\tteacher", "猫\ta cat"]))

    assert texts(pairs) == [("a cat", "猫")]
    assert reasons(pairs) == {1: "it is empty"}


def test_two_columns_of_one_name(tmp_path):
    path = write(tmp_path, ["teacher\ttower\ttower", "a cat\t猫\t狗"])

    with pytest.raises(PairsError) as caught:
        read_pairs(path)
    assert str(caught.value) == f"{str(path)!r} has 2 columns 'tower'"


def test_a_file_in_another_encoding_hears_of_utf_8(tmp_path):
    path = tmp_path / "gbk.tsv"
    path.write_bytes("a cat\t红色的\n".encode("gbk") * 20)

    with pytest.raises(PairsError) as caught:
        read_pairs(path)
    lines = str(caught.value).splitlines()
    assert lines[:2] == [
        f"{str(path)!r}: 20 of 20 lines cannot be used",
        "  line 1: it is not UTF-8: byte 0xba",
    ]
    assert lines[-2:] == ["  and 15 more", "Save the file as UTF-8."]


def test_pictures_start_from_the_files_folder(tmp_path):
    (tmp_path / "cat.png").write_bytes(b"")
    pairs = read_pairs(write(tmp_path, ["a cat\t猫\tcat.png", "a dog\t狗"]))

    assert [pair.image for pair in pairs.pairs] == [tmp_path / "cat.png", None]


def test_too_many_bad_lines_are_an_error_that_shows_the_first(tmp_path):
    path = write(tmp_path, [*GOOD, "one", "two", "three\t"])

    assert len(read_pairs(path, max_bad=3).bad) == 3
    with pytest.raises(PairsError) as caught:
        read_pairs(path, max_bad=2)
    assert str(caught.value) == (
        f"{str(path)!r}: 3 of 5 lines cannot be used; 2 may be\n"
        "  line 3: it has 1 column, expected 2, or 3 with a picture\n"
        "  line 4: it has 1 column, expected 2, or 3 with a picture\n"
        "  line 5: the tower's side is empty\n"
        "Mend the file, or allow more with max_bad=."
    )


def test_by_default_one_percent_or_ten(tmp_path):
    good, bad = ["a\tb"], ["x"]

    assert len(read_pairs(write(tmp_path, good + bad * 10)).bad) == 10
    with pytest.raises(PairsError, match="11 of 12 lines cannot be used; 10 may be"):
        read_pairs(write(tmp_path, good + bad * 11))
    assert len(read_pairs(write(tmp_path, good * 1980 + bad * 20)).bad) == 20


def test_a_file_without_a_pair(tmp_path):
    path = write(tmp_path, ["x"])

    with pytest.raises(PairsError) as caught:
        read_pairs(path)
    assert str(caught.value) == (
        f"{str(path)!r}: 1 of 1 lines cannot be used\n"
        "  line 1: it has 1 column, expected 2, or 3 with a picture\n"
        "A line of a .tsv has two columns with a tab between."
    )


def test_an_empty_file(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b"")
    with pytest.raises(PairsError) as caught:
        read_pairs(path)
    assert str(caught.value) == f"{str(path)!r} holds no pairs"


def test_other_files_are_refused(tmp_path):
    with pytest.raises(PairsError, match=r"there is no file '.*none.tsv'"):
        read_pairs(tmp_path / "none.tsv")
    with pytest.raises(PairsError, match=r"pairs are read from .tsv, .jsonl, .parquet files"):
        read_pairs(write(tmp_path, GOOD, "pairs.csv"))
    path = tmp_path / "wide.tsv"
    path.write_text("a\tb\n", encoding="utf-16")
    with pytest.raises(PairsError, match="is UTF-16"):
        read_pairs(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    path = write(tmp_path, GOOD, "pairs.parquet")

    with pytest.raises(PairsError) as caught:
        read_pairs(path)
    assert str(caught.value) == (
        f"{str(path)!r}: reading Parquet needs pyarrow, which is not installed\n"
        "Install it with: pip install pyarrow, or give a .tsv or .jsonl file."
    )


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "pairs.parquet"
    rows = {"en": ["a cat", None, "a dog"] * 2000, "zh": ["猫", "x", "狗"] * 2000}
    parquet.write_table(pyarrow.table(rows), path, row_group_size=1000)
    pairs = read_pairs(path, Columns("en", "zh"), max_bad=2000)

    assert texts(pairs) == [("a cat", "猫"), ("a dog", "狗")] * 2000
    assert pairs.bad[0].line == 2
    assert pairs.bad[0].reason == "the teacher's side is missing: no 'en' (found: en, zh)"
    assert pairs.pairs[-1].line == 6000
    path.write_bytes(b"PAR1 and nothing")
    with pytest.raises(PairsError, match="cannot be read"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x1f\x8b\x08\x00" + b"\x80\n" * 30, "it is compressed by gzip\nUnpack it first."),
        (b"PK\x03\x04" + b"\x00\n" * 30, "it is a .zip or a table of a spreadsheet\nUnpack it, or"),
        (b"PAR1" + b"a\tb\n" * 30, "it is Parquet\nName it .parquet."),
    ],
)
@pytest.mark.parametrize("ending", [".tsv", ".jsonl"])
def test_a_file_that_is_no_text(tmp_path, content, what, ending):
    path = tmp_path / f"pairs{ending}"
    path.write_bytes(content)
    with pytest.raises(PairsError) as caught:
        read_pairs(path)

    assert str(caught.value).startswith(f"{str(path)!r} is no text: {what}")


def test_a_file_without_a_good_line_says_how_a_line_is_written(tmp_path):
    with pytest.raises(PairsError) as caught:
        read_pairs(write(tmp_path, ['{"teacher": "a"}', "{"], "pairs.jsonl"))

    assert "line 1: the tower's side is missing" in str(caught.value)
    assert caught.value.remedy == "A line of a .jsonl is a JSON object."
