"""Texts in GBK that happen to be UTF-8 are refused, letters of all languages are not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.encodings import decode_utf_8
from clipcond.errors import CheckpointError, PictureError
from clipcond.metadata import read_parameters
from clipcond.prompt import read_styles
from clipcond.tables import BadRow, read_lines

CHINESE = ("一只猫", "猫头鹰", "a (猫头:1.2), 鹰", "一只猫\nNegative prompt: 猫头鹰\nSteps: 4")
OTHERS = (
    *("café", "été à côté", "naïve résumé", "½ × Ø", "ôö", "żółć ćma", "Ångström", "Tiếng Việt"),
    *(
        "кот и собака",
        "ёлка ѝ",
        "10 °С",
        "Ωμέγα",
        "λ = 5 µΩ",
        "ªµº",
        "עברית",
        "שָׁלוֹם",
        "مَرْحَبًا",
        "Հայերեն",
    ),
    *("é и ω", "un gato ñ —猫", "é" * 20, "", "plain"),
    *("éβ test", "Ωñ", "åäöαβ", "øΩ resistance", "Δλя"),
)


@pytest.mark.parametrize("text", CHINESE)
def test_chinese_in_gbk_is_refused_where_it_is_utf_8_too(text):
    content = text.encode("gbk")
    content.decode("utf-8")  # it is
    with pytest.raises(UnicodeDecodeError, match="it is GBK") as raised:
        decode_utf_8(content)
    assert raised.value.start == next(i for i, byte in enumerate(content) if byte > 127)


@pytest.mark.parametrize("text", OTHERS)
def test_letters_of_other_languages_are_not(text):
    assert decode_utf_8(text.encode()) == decode_utf_8(b"\xef\xbb\xbf" + text.encode()) == text


@given(st.text(st.characters(codec="utf-8", min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_chinese_in_utf_8_is_read(text):
    assert decode_utf_8(text.encode()) == text


@given(st.text("é à ü ß ñ ø a b , .".replace(" ", "") + " "))
def test_what_is_no_utf_8_stays_refused(text):
    content = text.encode("latin-1")
    try:
        expected = content.decode("utf-8")
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            decode_utf_8(content)
    else:
        assert decode_utf_8(content) == expected


def test_all_readers_of_files_refuse_it(tmp_path: Path):
    content = CHINESE[0].encode("gbk")
    for name in ("text.txt", "styles.csv"):
        (tmp_path / name).write_bytes(b"name,prompt,negative_prompt\ncat," + content + b",\n")
    with pytest.raises(CheckpointError, match="line 2 is no UTF-8"):
        read_styles(tmp_path / "styles.csv")
    with pytest.raises(PictureError, match="no text in UTF-8"):
        read_parameters(tmp_path / "text.txt")
    lines = dict(read_lines(tmp_path / "text.txt", CheckpointError))
    assert isinstance(lines[2], BadRow)


def test_ends_of_lines_of_old_programs_are_refused(tmp_path: Path):
    """All of the file would be one caption."""
    path = tmp_path / "captions.txt"
    path.write_bytes(b"a red apple\ra cat\ra dog\r")
    ((_, line),) = read_lines(path, CheckpointError)
    assert str(line) == "its lines end in CR alone, as old programs write them; save it with LF"
    path.write_bytes(b"a red \r apple\na cat\n")  # that is no end of a line
    assert [line for _, line in read_lines(path, CheckpointError)] == ["a red \r apple", "a cat"]
    path.write_bytes(b"a red apple\r\na cat\r\n")
    assert [line for _, line in read_lines(path, CheckpointError)] == ["a red apple", "a cat"]
