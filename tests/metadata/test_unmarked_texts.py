"""Texts of pictures in GBK are read; what cannot be decoded is warned of, with its place."""

import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from clipcond.cli.chinese import CHINESE
from clipcond.errors import ClipcondWarning
from clipcond.metadata import Parameters, read_parameters, save_picture
from clipcond.metadata.unmarked_texts import of_gbk
from tests.metadata.test_pictures import exif, picture

WORDS = "一只红色的猫，(蓝色背景:1.2)"
TEXT = f"{WORDS}\nNegative prompt: 白色\nSteps: 4, Seed: 1, Model: 国风"


@pytest.mark.parametrize("head", [bytes(8), b"ASCII\0\0\0", b"UNICODE\0"])
@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_gbk_in_exif(tmp_path, head, ending):
    path = tmp_path / f"a.{ending}"
    picture().convert("RGB").save(path, exif=exif(head + TEXT.encode("gbk")))
    assert read_parameters(path).text() == TEXT


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
def test_gbk_in_png(tmp_path, kind):
    write_png(tmp_path / "a.png", TEXT.encode("gbk"), kind)
    assert read_parameters(tmp_path / "a.png").text() == TEXT


# All of their bytes are letters of UTF-8 too, of several scripts in a word.
SHORT = (
    "一只猫\nSteps: 20, Seed: 1",
    "猫头鹰\nSteps: 2",
    "a (猫头:1.2), 鹰\nNegative prompt: 猫头鹰\nSteps: 2",
)


@pytest.mark.parametrize("text", SHORT)
def test_gbk_that_is_utf_8_too(tmp_path, text):
    content = text.encode("gbk")
    content.decode("utf-8")  # it is
    write_png(tmp_path / "a.png", content)
    write_png(tmp_path / "z.png", content, b"zTXt")
    paths = [tmp_path / "a.png", tmp_path / "z.png"]
    for i, head in enumerate((bytes(8), b"ASCII\0\0\0", b"UNICODE\0")):
        for path in (tmp_path / f"{i}.jpg", tmp_path / f"{i}.webp"):
            picture().convert("RGB").save(path, exif=exif(head + content))
            paths.append(path)
    assert [read_parameters(path).text() for path in paths] == [text] * 8


def test_utf_8_of_several_scripts_stays_utf_8(tmp_path):
    for words in ("é и ω", "éβ test", "кот и собака", "\ufeffñ"):
        write_png(tmp_path / "a.png", f"{words}\nSteps: 3".encode())
        assert read_parameters(tmp_path / "a.png").prompt == words.lstrip("\ufeff")


def write_png(path, content, kind=b"tEXt"):
    info = PngInfo()
    info.add(
        kind, b"parameters\0" + (content if kind == b"tEXt" else b"\0" + zlib.compress(content))
    )
    picture().save(path, pnginfo=info)


# Latin-1 of several languages, with accents in a row, signs, and quotes.
LATIN = ("café", "Größe, ein Café", "naïve façade", "«École»", "¿Éste? ¡Ándale!", "CRÉÉE À ÉÉN",
         "à 20 °C, 5 µm", "créée, ßüß", "50 £, ½ §", "····", "ÄÖÜäöüß letters", "ÁÉÍÓÚ keyboard",
         "ÅÄÖåäö", "ÆØÅæøå", "ñ, ÁÉÍÓÚÜÑáéíóúüñ", "àâçéèêëîïôùûü", "äÄöÖüÜß", "ÀÈÌÒÙ")  # fmt: skip


@pytest.mark.parametrize("words", LATIN)
def test_latin_1_stays_as_it_is(tmp_path, words):
    write_png(tmp_path / "a.png", f"{words}\nSteps: 3".encode("latin-1"))
    path = tmp_path / "own.png"
    save_picture(picture(), path, Parameters(words, steps=3))
    assert read_parameters(path).prompt == words
    assert read_parameters(tmp_path / "a.png").prompt == words


@pytest.mark.parametrize(
    "content",
    [
        "고양이, 빨간 배경, 수채화".encode("euc-kr"),
        "赤い猫、青い背景".encode("euc-jp"),
        "赤い猫、青い背景".encode("shift-jis"),
        "一隻紅色的貓，藍色背景".encode("big5"),
        "красная кошка на синем фоне".encode("cp1251"),
        "КРАСНАЯ КОШКА".encode("cp1251"),
        *(word.encode("cp1251") for word in ("Баку", "вилы", "жизнь", "сунь", "день", "Ялта")),
        "красная кошка".encode("koi8-r"),
        "猫🐱红色".encode("gb18030"),
    ],
)
def test_other_encodings_are_warned_of_with_their_place(tmp_path, content):
    assert of_gbk(content) is None
    written = b"a fox, " + content + b"\nSteps: 3"
    write_png(tmp_path / "a.png", written)
    picture().convert("RGB").save(tmp_path / "a.jpg", exif=exif(bytes(8) + written))
    for name, what in (("a.png", "seems to be in"), ("a.jpg", "is in")):
        with pytest.warns(ClipcondWarning) as caught:
            found = read_parameters(tmp_path / name)
        assert found.prompt.startswith("a fox, ")
        [first, line, mark, remedy] = str(caught[0].message).split("\n")
        assert first == f"the text in {str(tmp_path / name)!r} {what} an unknown encoding"
        assert line.startswith("  line 1: a fox, ")
        assert mark.index("^") >= len("  line 1: a fox, ")
        assert remedy in CHINESE
        assert "{} " + f"{what} an unknown encoding" in CHINESE
        assert len(caught) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("日本人形".encode("euc-jp"), "泣塑客妨"),
        ("山上的人".encode("gbk"), "山上的人"),
        ("蓝色的森林, 花".encode("gbk"), "蓝色的森林, 花"),
    ],
)
def test_what_may_be_japanese_or_chinese_is_warned_of(tmp_path, content, words):
    """Without kana, and of signs that both have: it is read as GBK."""
    written = b"a fox, " + content + b"\nSteps: 3"
    write_png(tmp_path / "a.png", written)
    picture().convert("RGB").save(tmp_path / "a.jpg", exif=exif(bytes(8) + written))
    picture().convert("RGB").save(tmp_path / "b.jpg", comment=written)
    for name in ("a.png", "a.jpg", "b.jpg"):
        with pytest.warns(ClipcondWarning) as caught:
            assert read_parameters(tmp_path / name).prompt == f"a fox, {words}"
        [first, _, mark, remedy] = str(caught[0].message).split("\n")
        assert first.endswith("is read as GBK, but may be EUC-JP")
        assert "{} is read as GBK, but may be EUC-JP" in CHINESE
        assert mark.index("^") == len("  line 1: a fox, ")
        assert remedy in CHINESE
        assert len(caught) == 1
    for ending in ("png", "jpg"):  # written as what it is, it is no guess
        save_picture(picture().convert("RGB"), tmp_path / f"own.{ending}", f"{words}\nSteps: 3")
        assert read_parameters(tmp_path / f"own.{ending}").prompt == words


@pytest.mark.parametrize("words", ["红猫", "猫", "한국", "ねこ", "红猫，蓝", "黑白", "éß", "ÀÉÊÈ"])
@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
def test_a_prompt_alone_without_ascii_is_read_back(tmp_path, words, ending):
    """UTF-16 without a zero byte was taken for UTF-8."""
    path = tmp_path / f"a.{ending}"
    save_picture(picture().convert("RGB"), path, Parameters(words))
    assert read_parameters(path).prompt == words


# Signs that begin a page of Unicode have a zero byte, as ASCII has; 挀愀琀 is "cat" in the other
# order.
SIGNS = ("一只猫女孩星空下的匹马戀攀刀", "가관고양이쌀", "ねこ、ネコ。", "aNRgSez (:1.2),",
         "éßÄ¬Ãñ", "挀愀琀", "кошка", "🐱🌸", "\ufeffÿþ\u0100")  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(SIGNS).flatmap(lambda each: st.text(each, max_size=4)), max_size=3))
def test_any_prompt_alone_is_read_back(tmp_path, pieces):
    words = "".join(pieces).strip(" ,") or "一只猫"
    for ending in ("jpg", "webp", "png"):
        path = tmp_path / f"a.{ending}"
        save_picture(picture().convert("RGB"), path, Parameters(words))
        assert read_parameters(path).prompt == words


@pytest.mark.parametrize(
    "words",
    [
        *("一只猫", "一个女孩", "星空下的一匹马", "가", "一二", "一隻貓", "See"),
        *("一只猫, cat", "一\nSteps: 3", "a 一, кот", "z 🐱", "مرحبا مرحبا", "Seeไทย"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_comments_of_other_programs_in_either_order(tmp_path, words, encoding):
    path = tmp_path / "a.jpg"
    comment = exif(b"UNICODE\0" + words.encode(encoding))
    picture().convert("RGB").save(path, exif=comment)
    assert read_parameters(path).text().startswith(words)


def test_a_sign_that_another_program_lost_is_warned_of(tmp_path):
    picture().convert("RGB").save(
        tmp_path / "a.jpg", exif=exif(b"UNICODE\0" + "a \ufffd\nSteps: 3".encode("utf-16-be"))
    )
    with pytest.warns(ClipcondWarning, match="unknown encoding"):
        assert read_parameters(tmp_path / "a.jpg").prompt == "a \ufffd"
