"""Files that prompts may name, file names of pictures, and the page's own words."""

import ast
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import clipcond.app
from clipcond.app.chinese import CHINESE
from clipcond.app.html import block, file_names
from clipcond.app.live import Field, view_fields
from clipcond.app.pictures import next_file
from clipcond.app.prompt_files import did_you_mean, file_named, find_files
from clipcond.app.settings import AppSettings
from clipcond.app.studio import Studio
from clipcond.app.wishes import Reading, Wish
from clipcond.app.wording import Language, wants_chinese
from clipcond.cli.serving import worded

ROOM = Path(clipcond.app.__file__).parent


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "loras"
    for name in ("style.safetensors", "sub/style.safetensors", "sub/Other.safetensors"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "pickle.ckpt").write_bytes(b"x")
    (tmp_path / "outside.safetensors").write_bytes(b"x")
    (root / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    (root / "up").symlink_to(tmp_path, target_is_directory=True)
    return root


def test_files_by_the_names_that_prompts_have_for_them(folder):
    found = find_files(folder, (".safetensors",))

    assert sorted(found) == ["Other", "style", "sub/style"]
    assert find_files(None, (".safetensors",)) == {}


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "link", "up/outside", "", "pickle"])
def test_names_lead_nowhere_else(folder, name):
    assert file_named(name, find_files(folder, (".safetensors",))) is None


def test_names_whatever_their_case(folder):
    files = find_files(folder, (".safetensors",))

    assert file_named("STYLE", files) == "style"
    assert did_you_mean("styl", files) == "Did you mean 'style'?"
    assert did_you_mean("x", files) == "There are style, Other, sub/style."
    assert did_you_mean("x", {}) == "The folder is empty."


def test_pictures_are_numbered(tmp_path):
    assert next_file(tmp_path, 7).name == "00000-7.png"
    (tmp_path / "00041-3.png").touch()
    (tmp_path / "holiday.png").touch()
    assert next_file(tmp_path, 7).name == "00042-7.png"


# The same prompt before and after a picture that another tower reads.
INVERSION_CALLS = [("a mood cat", ""), ("猫", "embedded-zh"), ("a mood cat", "")]


def pixels_of(studio, prompt, tower):
    wish = Wish(prompt, "", Reading(tower=tower), 1, 3.0, "", 7, (64, 64))
    (drawn,) = studio.draw(wish, lambda: False, lambda i, done: None)
    assert not drawn.warnings
    return Image.open(drawn.path).tobytes()


def test_inversions_of_the_folder_are_loaded(tmp_path):
    folder = tmp_path / "embeddings"
    folder.mkdir()
    save_file({"<mood>": torch.zeros(3, 128)}, folder / "mood.safetensors")
    save_file({"<wide>": torch.zeros(3, 768)}, folder / "sd15.safetensors")
    studio = Studio(AppSettings(tmp_path, device="cpu", embeddings_dir=folder))
    (view,) = view_fields(studio, [Field("a mood cat")], Reading(), Language())
    shown = file_names(studio, Language())
    drawn = [pixels_of(studio, *each) for each in INVERSION_CALLS]
    assert drawn[0] == drawn[2] != drawn[1]
    assert studio.inversions == ("mood",)
    assert view["count"] == "5/75"
    assert 'data-insert="mood"' in shown
    assert "sd15: " in shown


@pytest.mark.parametrize(
    ("header", "chinese"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", True),
        ("en-US,en;q=0.9,zh;q=0.8", False),
        ("de,zh;q=0.5", True),
        ("zh;q=0, en;q=0.1", False),
        ("ZH-Hant", True),
        ("", False),
        (None, False),
        ("zh;q=x,en;q=0.5", False),
        ("*", False),
    ],
)
def test_which_language_a_browser_asks_for(header, chinese):
    assert wants_chinese(header) == chinese


def test_every_text_of_the_page_is_there_in_chinese():
    said = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(
                getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", "")
            )
            if isinstance(node, ast.Call) and name == "said":
                (first, *_) = node.args
                assert isinstance(first, ast.Constant), (path, node.lineno)
                said.add(first.value)

    assert said == set(CHINESE)
    assert all(text.count("{}") == CHINESE[text].count("{}") for text in said)


def test_a_caret_is_under_its_character_whatever_its_width():
    shown = block("'（' 没有闭合\n  一只（猫\n      ^\n请闭合")

    assert '\n<span class="cp-gap" aria-hidden="true">  一只</span>^\n' in shown
    assert block("a\n  b\n  ^") == "<pre>a\n  b\n  ^</pre>"


def test_messages_name_fields_of_the_page():
    said = worded("clip_skip=9 names no layer of 'embedded', which has 6", False)

    assert said.startswith("Clip skip 9 names no layer")
    assert worded("x\nSay fullwidth=True if it is meant as syntax.", False) == "x"
    assert "Python" not in worded("x\nConvert the parts of compose('a AND b') one by one.", False)


@pytest.mark.parametrize(
    "message",
    [
        "there is no LoRA 'x' in the folder\nThere are style, other.",
        "there is no LoRA 'x' in the folder\nThe folder is empty.",
        "'<hypernet:x:1>' is not loaded: only <lora:...> is",
        "LoRAs are loaded with the package peft, which is not installed\n"
        "Install it: pip install peft",
        "steps is a number from 1 to 150 here, not 151",
        "size=9000x9000: pictures have at most 4,194,304 pixels here",
        "size=60x64: sides are multiples of 8 for this model, such as 64x64",
        "size=900x64: this model was made for 64x64; at most 512x512",
        "steps=1000: this model has 999 steps at most",
        "a picture is missing\nDrop one into the field, or choose a file.",
        "'a.png' has more than 50,000,000 pixels",
        "labels are missing, such as: cat, dog, owl",
        "no dialect 'comfy'. Did you mean 'comfyui'? Known: a1111, comfyui.",
        "no text tower here 'x'. Known: embedded-zh.",
    ],
)
def test_messages_of_the_page_are_there_in_chinese(message):
    lines = zip(message.split("\n"), worded(message, True).split("\n"), strict=True)

    assert all(re.search("[\u4e00-\u9fff]", chinese) for _, chinese in lines)


def test_the_log_is_nobodys_page():
    assert not re.search(r"https?://(?!www\.w3\.org)", (ROOM / "assets/page.js").read_text())
    assert "url(" not in (ROOM / "assets/page.css").read_text()
