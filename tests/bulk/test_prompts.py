"""What a row says of its picture, in every kind of file; what is wrong with it is said."""

import json

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from clipcond.bulk.prompts import find_prompts, read_prompts
from clipcond.bulk.sources import Place, places_of
from clipcond.cli.options import check_size
from clipcond.errors import BulkError, ClipcondWarning

ROWS = [
    {"Prompt": "a cat", "negative_prompt": "blurry", "Seed": 7, "steps": None, "cfg": 3.5,
     "width": 64, "height": 32, "id": "COCO/12.png", "Category": "Animals"},
    {"Prompt": "a dog", "negative_prompt": "", "Seed": None, "steps": 4, "cfg": 2.0,
     "width": None, "height": None, "id": "x", "Category": "Animals"},
]  # fmt: skip


def read(path, columns=None):
    sources, _ = find_prompts(path, columns)
    return list(read_prompts(sources, Place(), 0, sum(source.n_lines for source in sources)))


def write(folder):
    names = [*ROWS[0]]
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in ROWS]
    tsv = "".join("\t".join(row) + "\n" for row in [names, *cells])
    (folder / "a.tsv").write_text(tsv)
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "a.txt").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    table = pa.Table.from_pylist(ROWS)
    pixels = pa.array([b"\x89PNG", b"\x89PNG"], pa.binary())
    parquet.write_table(table.append_column("image", pixels), folder / "a.parquet")
    return [folder / f"a.{kind}" for kind in ("tsv", "jsonl", "txt", "parquet")]


def test_every_kind_of_file_says_the_same(tmp_path):
    for path in write(tmp_path):
        first, second = read(path)
        assert (first.error, second.error) == ("", "")
        assert (first.prompt, first.negative, first.seed, first.steps) == (
            *("a cat", "blurry", 7), None,
        )  # fmt: skip
        assert (first.guidance, first.size, first.name) == (3.5, (64, 32), "12")
        assert (second.negative, second.seed, second.steps, second.size) == (None, None, 4, None)
        assert first.others == {"Category": "Animals"}, path  # and no bytes of pictures
        assert (first.number, second.number) == (0, 1)


def test_numbers_go_on_from_file_to_file(tmp_path):
    write(tmp_path)
    sources, _ = find_prompts(tmp_path)
    whole = read(tmp_path)
    assert [each.number for each in whole] == [*range(8)]
    for i, place in enumerate(places_of(sources, 3)):
        assert [*read_prompts(sources, place, 3 * i, 2)] == whole[3 * i :][:2]


def test_columns_can_be_named_and_left_out(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\tsize\tNr\nNo. 1\t10 kB\t5\n")
    assert "10 kB" in read(path)[0].error
    (row,) = read(path, {"size": "", "seed": "nr"})
    assert (row.seed, row.size, row.others) == (5, None, {"size": "10 kB"})
    with pytest.raises(BulkError, match="no column 'x'; it has text, size, Nr"):
        read(path, {"seed": "x"})
    with pytest.raises(BulkError, match="no column of kind 'sed'"):
        read(path, {"sed": "Nr"})
    path.write_text("a\tb\nc\td\n")
    with pytest.raises(BulkError, match="no column 'prompt' or 'prompts' or 'caption' or 'text'"):
        read(path)
    path.write_text("prompt\tnegativ\nc\td\n")
    with pytest.raises(BulkError, match=r"unknown 'negativ'\. Did you mean 'negative'") as raised:
        read(path)
    assert "columns=" in str(raised.value)
    assert read(path, {"negative": ""})[0].others == {"negativ": "d"}
    path.write_text("prompt\tcfg scale\tCFG_scale\nc\t1\t2\n")
    with pytest.raises(BulkError, match="'cfg scale' and 'CFG_scale' are the same column"):
        read(path)
    path.write_text("a cat\na dog\n")
    assert [row.prompt for row in read(path)] == ["a cat", "a dog"]
    (tmp_path / "a.txt").write_text("a cat\n")
    with pytest.raises(BulkError, match="has no columns, but 'x' is asked for"):
        read(tmp_path / "a.txt", {"prompt": "x"})


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"prompt": 5}, "'prompt' is int, not a string"),
        ({"prompt": " "}, "it is empty"),
        ({"prompt": "\ud83d"}, "not valid UTF-8 at character 0"),
        ({"seed": 5}, 'it has no "prompt"'),
        ({"prompt": "x", "seeed": 5}, "it has an unknown 'seeed'. Did you mean 'seed'?"),
        ({"prompt": "x", "seed": -1}, "'seed' is from 0 to 18446744073709551615, not -1"),
        ({"prompt": "x", "seed": True}, "'seed' is a whole number, not true"),
        ({"prompt": "x", "seed": 1.5}, "'seed' is a whole number, not 1.5"),
        ({"prompt": "x", "seed": "1e3"}, "'seed' is a whole number, not \"1e3\""),
        ({"prompt": "x", "steps": 0}, "'steps' is from 1"),
        ({"prompt": "x", "guidance": "high"}, "'guidance' is a number, not \"high\""),
        ({"prompt": "x", "guidance": 101}, "'guidance' is from 0 to 100, not 101"),
        ({"prompt": "x", "guidance": "nan"}, "'guidance' is from 0 to 100, not nan"),
        ({"prompt": "x", "size": "64"}, "\"64\" is no WIDTHxHEIGHT"),
        ({"prompt": "x", "width": 64}, "it has one of 'width' and 'height'"),
        ('{"prompt": "x"', "it is no JSON"),
        ('{"prompt": "x", "prompt": "y"}', "it has 'prompt' twice"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path, row, error):
    text = row if isinstance(row, str) else json.dumps(row)
    for name in ("a.jsonl", "a.txt"):
        (tmp_path / name).write_text(f"{text}\n" + '{"prompt": "a cat"}\n')
        bad, good = read(tmp_path / name)
        assert error in bad.error
        assert (good.error, good.prompt, good.line) == ("", "a cat", 2)


def test_sides_are_joined_by_an_x_or_a_sign_like_it(tmp_path):
    sizes = ["64x32", "64X32", "64×32", " 64*32 "]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"prompt": "x", "size": size}) + "\n" for size in sizes)
    )
    assert {(row.error, row.size) for row in read(tmp_path / "a.jsonl")} == {("", (64, 32))}
    assert {check_size(size) for size in sizes} == {"64x32"}


def test_what_is_no_json_is_a_prompt(tmp_path):
    (tmp_path / "a.txt").write_text("{cat} [dog]\n[a cat:a dog:0.5]\n\n")
    first, second, empty = read(tmp_path / "a.txt")
    assert (first.prompt, second.prompt) == ("{cat} [dog]", "[a cat:a dog:0.5]")
    assert empty.error == "it is empty"


@pytest.mark.parametrize(
    "header",
    [
        *("prompt\tneg\tseed\tn_steps\tsize", "text\tuc\tSeed\tnum steps\tsize"),
        "提示词\t反向提示词\t种子\t步数\t尺寸",
        "正面提示词\t负面提示词\t随机种子\t步数\tsize",
    ],
)
def test_columns_have_the_names_that_people_give_them(tmp_path, header):
    path = tmp_path / "a.tsv"
    path.write_text(f"{header}\na cat\tdog\t7\t3\t64x32\n", encoding="utf-8")
    (row,) = read(path)
    assert (row.prompt, row.negative, row.seed, row.steps) == ("a cat", "dog", 7, 3)
    assert (row.size, row.others) == ((64, 32), {})


@pytest.mark.parametrize("names", [("dialect",), ("Sampler", "LoRAs"), ("风格",), ("Resolution",)])
@pytest.mark.parametrize("kind", ["tsv", "jsonl"])
def test_columns_that_look_like_settings_are_warned_of(tmp_path, names, kind):
    path = tmp_path / f"{kind}.{kind}"
    cells = {"prompt": "a cat", **dict.fromkeys(names, "x"), "Category": "y"}
    content = "\n".join(["\t".join(cells), "\t".join(cells.values())])
    content = json.dumps(cells) if kind == "jsonl" else content
    path.write_text(f"{content}\n", encoding="utf-8")
    listed = ", ".join(map(repr, names))
    for _ in range(2):  # in each run
        with pytest.warns(ClipcondWarning, match=f"columns? {listed} changes? no picture"):
            (row,) = read(path)
    assert row.others == {**dict.fromkeys(names, "x"), "Category": "y"}


def test_of_a_setting_that_is_there_twice_the_usual_name_counts(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("prompt\tcaption\tcfg\tguidance\na\tb\t3\t5\n", encoding="utf-8")
    with pytest.warns(ClipcondWarning, match="the column 'cfg' changes no picture"):
        (row,) = read(path)
    assert (row.guidance, row.others) == (5, {"caption": "b", "cfg": "3"})
    path.write_text(
        "caption\tprompt\tresolution\twidth\theight\na\tb\t4K\t8\t8\n", encoding="utf-8"
    )
    with pytest.warns(ClipcondWarning, match="the column 'resolution' changes no picture"):
        (row,) = read(path)
    assert (row.prompt, row.size, row.others) == ("b", (8, 8), {"caption": "a", "resolution": "4K"})


def test_numbers_of_other_columns_stay_json(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "x", "a": NaN, "b": [1, NaN], "c": {"d": 2}}\n')
    (row,) = read(tmp_path / "a.jsonl")
    assert row.others == {"a": None, "b": [1, None], "c": {"d": 2}}
