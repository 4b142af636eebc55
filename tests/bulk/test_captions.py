"""Captions of every kind of file, from any place on; what is wrong with a line is said."""

import json

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.bulk.captions import find_sources, read_captions
from clipcond.bulk.sources import Place, places_of
from clipcond.errors import BulkError

TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=9),
    max_size=40,
)


def read(path, column=None, place=None, n=None):
    sources, _ = find_sources(path, column)
    total = sum(source.n_lines for source in sources)
    return list(read_captions(sources, place or Place(), total if n is None else n))


def write(folder, texts):
    """The same captions in every kind of file."""
    files = {kind: folder / f"captions.{kind}" for kind in ("txt", "tsv", "jsonl", "parquet")}
    lines = [text.replace("\t", " ") for text in texts]
    files["txt"].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    rows = "".join(f"{i}\t{line}\n" for i, line in enumerate(lines))
    files["tsv"].write_text(f"id\tcaption\n{rows}", encoding="utf-8", newline="\n")
    jsonl = "".join(json.dumps({"caption": line}) + "\n" for line in lines)
    files["jsonl"].write_text(jsonl, encoding="utf-8", newline="\n")
    table = pa.table({"id": range(len(lines)), "caption": pa.array(lines, pa.string())})
    parquet.write_table(table, files["parquet"], row_group_size=7)
    return files


@settings(max_examples=25, deadline=None)
@given(TEXTS, st.integers(1, 9))
def test_reading_from_any_place_goes_on_where_it_should(tmp_path_factory, texts, every):
    folder = tmp_path_factory.mktemp("captions")
    for path in [folder, *write(folder, texts).values()]:
        sources, _ = find_sources(path)
        whole = read(path)
        assert len(whole) == sum(source.n_lines for source in sources)
        places = places_of(sources, every)
        assert len(places) == -(-len(whole) // every)
        for i, place in enumerate(places):
            n = min(every, len(whole) - i * every)
            assert list(read_captions(sources, place, n)) == whole[i * every :][:n]


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_every_kind_of_file_holds_the_same(tmp_path_factory, texts):
    files = write(tmp_path_factory.mktemp("captions"), texts)
    found = {kind: [c.text.strip() for c in read(path)] for kind, path in files.items()}

    expected = [text.replace("\t", " ").strip() for text in texts]
    assert found == dict.fromkeys(found, expected)
    for path in files.values():
        assert [bool(c.error) for c in read(path)] == [not text for text in expected]


@pytest.mark.parametrize(
    ("name", "content", "errors"),
    [
        ("a.txt", b"a cat\n\xff\xfe\n\n\x00\n", ["", "not UTF-8", "empty", "zero byte"]),
        ("a.txt", b"a cat\n" + b"x" * 60_000 + b"\na dog", ["", "longer than", ""]),
        ("a.tsv", b"caption\tn\na cat\t1\nx\n\t2\n", ["", "1 columns, expected 2", "empty"]),
        ("a.jsonl", b'"a cat"\n{"caption": 5}\n[1]\n{\n{"x": "y"}\n{"text": "a dog"}\n',
         ["", "int, not a string", "neither", "no JSON", "no 'caption'", ""]),
        ("a.jsonl", b"[" * 40_000 + b'\n{"caption": null}\n', ["no JSON", "null, not a string"]),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path, name, content, errors):
    (tmp_path / name).write_bytes(content)
    found = read(tmp_path / name)

    assert len(found) == len(errors)
    for caption, error in zip(found, errors, strict=True):
        assert error in caption.error
        assert bool(caption.error) == bool(error)
        assert bool(caption.text) != bool(error)
    first = 2 if name == "a.tsv" else 1
    assert [caption.line for caption in found] == [*range(first, first + len(found))]


def test_columns_are_found_or_asked_for(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("url\tTEXT\nx\ta cat\n")
    assert [caption.text for caption in read(path)] == ["a cat"]
    assert [caption.text for caption in read(path, "url")] == ["x"]
    with pytest.raises(BulkError, match="no column 'title'; it has url, TEXT"):
        find_sources(path, "title")
    path.write_text("a\tb\nc\td\n")
    with pytest.raises(BulkError, match="no column 'caption' or 'text' or 'prompt'") as raised:
        find_sources(path)
    assert "column=" in str(raised.value)
    path.write_text("caption\tcaption\nc\td\n")
    with pytest.raises(BulkError, match="2 columns 'caption'"):
        find_sources(path)
    path.write_text("a cat\na dog\n")
    assert [caption.text for caption in read(path)] == ["a cat", "a dog"]
    (tmp_path / "a.txt").write_text("a cat\n")
    with pytest.raises(BulkError, match="no columns"):
        find_sources(tmp_path / "a.txt", "caption")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "a cat".encode("utf-16")),
        ("a.txt", b"\x1f\x8bxx"),
        ("a.parquet", b"PAR1xxxx"),
        ("a.tsv", b"\xff\xff\n"),
        ("a.csv", b"a"),
    ],
)
def test_files_that_are_no_captions_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BulkError) as raised:
        read(tmp_path / name)
    assert name in str(raised.value)


def test_folders_without_captions_and_files_of_other_kinds(tmp_path):
    with pytest.raises(BulkError, match="no file of captions"):
        find_sources(tmp_path)
    with pytest.raises(BulkError, match="no file or folder"):
        find_sources(tmp_path / "none")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.txt").write_text("b\n")
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "a.png").write_text("")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    sources, others = find_sources(tmp_path)
    assert [source.name for source in sources] == ["a.txt", "b/x.txt"]
    assert others == [tmp_path / "a.png", tmp_path / "gone.txt"]
    assert [caption.text for caption in read(tmp_path)] == ["a", "b"]


def test_captions_that_changed_while_they_are_read_are_noticed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a\nb\nc\n")
    sources, _ = find_sources(path)
    path.write_text("a\n")
    with pytest.raises(BulkError, match="has changed"):
        list(read_captions(sources, Place(), 3))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["a", '"a', 'a"', '"', '"a"', "", 'a "b', '"a ""b']), max_size=60),
    st.integers(1, 9),
)
def test_broken_cells_are_found_from_any_place(tmp_path_factory, lines, every):
    path = tmp_path_factory.mktemp("cells") / "captions.tsv"
    path.write_text("".join(f"{line}\n" for line in ["caption", *lines]), encoding="utf-8")
    sources, _ = find_sources(path)
    whole = read(path)
    for i, place in enumerate(places_of(sources, every)):
        n = min(every, len(whole) - i * every)
        assert list(read_captions(sources, place, n)) == whole[i * every :][:n]


def test_half_a_cell_is_no_caption(tmp_path):
    path = tmp_path / "captions.tsv"
    path.write_text('caption\tn\n"a\nb"\t2\nc\t3\n', encoding="utf-8")

    found = read(path)

    assert [bool(each.error) for each in found] == [True, True, False]
    assert found[1].error.startswith("it is part of a cell in quotes that has line breaks")
