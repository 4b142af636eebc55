"""What is said of a prompt while it is typed."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

import clipcond.app
from clipcond.app.live import Field, view_fields
from clipcond.app.settings import MOST_CHARACTERS, AppSettings
from clipcond.app.studio import Studio
from clipcond.app.wishes import Reading
from clipcond.app.wording import Language
from clipcond.cli.serving import worded

LONG = ", ".join(f"a {colour} {noun}" for colour in ("red", "blue") for noun in ["cat", "dog"] * 9)


def view(studio, text, *, negative=False, chinese=False, **reading):
    language = Language(chinese, worded)
    return view_fields(studio, [Field(text, negative)], Reading(**reading), language)[0]


@pytest.mark.parametrize(
    "text", ["", "a (red:1.3) cat", LONG, "a cat BREAK a dog", "[cat:dog:0.5]"]
)
@pytest.mark.parametrize("dialect", ["a1111", "compel", "sd_embed"])
def test_the_counter_is_that_of_inspect(studio, capsys, text, dialect):
    from clipcond.cli import main

    main(["inspect", text, "--dialect", dialect, "--json"])
    chunks = json.loads(capsys.readouterr().out)["chunks"]
    room = 75
    filled = view(studio, text, dialect=dialect)["count"].split(" + ")

    assert len(filled) == len(chunks)
    assert all(each.endswith(f"/{room}") for each in filled)
    shown = [int(each.partition("/")[0]) for each in filled]
    ids = [chunk["ids"] for chunk in chunks]
    assert shown == [row.index(row[-1]) - 1 if row[-1] in row[:-1] else room for row in ids]


def test_two_chunks(studio):
    assert view(studio, LONG)["count"] == "75/75 + 68/75"


def test_weights_and_brackets_are_marked(studio):
    found = view(studio, "a (red:1.3) cat")["spans"]

    assert found == [
        {"start": 2, "stop": 3, "kind": "syntax", "weight": 1.0},
        {"start": 3, "stop": 6, "kind": "weight", "weight": 1.3},
        {"start": 6, "stop": 11, "kind": "syntax", "weight": 1.0},
    ]


def test_places_count_as_javascript_does(studio):
    found = view(studio, "🦊🦊 (red:1.3)")["spans"]

    assert [each for each in found if each["kind"] == "weight"] == [
        {"start": 6, "stop": 9, "kind": "weight", "weight": 1.3}
    ]


def test_a_bracket_that_is_never_closed(studio):
    found = view(studio, "a (cat")

    assert found["notes"] == (
        "<pre>&#x27;(&#x27; is never closed\n  a (cat\n    ^\n"
        "Close it with &#x27;)&#x27; or write &#x27;\\(&#x27; for a literal bracket.</pre>"
    )
    assert not found["is_error"]


def test_what_a_pipeline_draws_step_by_step_is_no_fault(studio):
    found = view(studio, "a [cat:dog:0.5] AND an owl")

    assert found["notes"] == ""


def test_a_prompt_that_the_dialect_refuses(studio):
    found = view(studio, '("a", "b").blend(1)', dialect="compel")

    assert found["is_error"]
    assert found["count"] == ""
    assert "^" in found["notes"]


def test_the_same_in_chinese(studio):
    found = view(studio, "a (cat", chinese=True)["notes"]

    assert found.startswith("<pre>&#x27;(&#x27; 没有闭合\n  a (cat\n    ^\n请用")


def test_html_in_a_prompt_is_text(studio):
    found = view(studio, "(<b>&amp;<script>alert(1)</script>")["notes"]

    assert "<script" not in found
    assert "&lt;script&gt;" in found


def test_a_prompt_without_end_is_not_read(studio):
    found = view(studio, "a" * (MOST_CHARACTERS + 1))

    assert "20000" in found["notes"]
    assert found["spans"] == []


def test_a_negative_prompt_knows_no_and(studio):
    found = view(studio, "a cat AND a dog", negative=True)

    assert found["count"] == "5/75"


def test_few_of_many_notes(studio):
    found = view(studio, "xyzzy1, xyzzy2, ((((((((((")

    assert found["notes"].count("<pre>") <= 5


def test_chinese_is_read_by_the_chinese_tower(studio):
    found = view(studio, "一只（红色：1.3）的猫", tower="embedded-zh")

    assert found["notes"] == ""
    assert [each["weight"] for each in found["spans"] if each["kind"] == "weight"] == [1.3]


def test_the_other_tower_is_named_by_its_field(studio):
    assert "Text tower Chinese" in view(studio, "一只猫")["notes"]
    assert "文本编码器 中文" in view(studio, "一只猫", chinese=True)["notes"]


def test_a_lora_without_a_folder_has_its_usual_note(studio):
    assert "nothing loads it" in view(studio, "a cat <lora:x:0.8>")["notes"]


@pytest.fixture(scope="module")
def studio_with_folder(studio, tmp_path_factory):
    """The same models, and a folder with one file."""
    folder = tmp_path_factory.mktemp("loras")
    (folder / "style.safetensors").write_bytes(b"")
    made = object.__new__(Studio)
    made.__dict__ |= studio.__dict__
    made.settings = AppSettings(folder, lora_dir=folder, embeddings_dir=None)
    made.look_for_files()
    made.explainer = made._explainer
    return made


def test_loras_of_the_folder(studio_with_folder):
    found = view(studio_with_folder, "a cat <lora:Style:0.8> <lora:stile:1> <hypernet:x:1>")
    kinds = [each["kind"] for each in found["spans"]]

    ends = [(each["start"], each["stop"]) for each in sorted(found["spans"], key=str)]
    assert all(a[1] <= b[0] for a, b in pairwise(sorted(ends)))
    assert kinds.count("network") == 1
    assert kinds.count("missing") == 2
    assert "there is no LoRA &#x27;stile&#x27; in the folder" in found["notes"]
    assert "Did you mean &#x27;style&#x27;?" in found["notes"]
    assert "only &lt;lora:...&gt; is" in found["notes"]


def test_a_lora_is_text_in_a_dialect_without_networks(studio_with_folder):
    found = view(studio_with_folder, "a cat <lora:style:0.8>", dialect="comfyui")

    assert "network" not in [each["kind"] for each in found["spans"]]


def test_what_the_tabs_compute_needs_no_gradio():
    """Only what lays out and serves the page imports it, or a file that does."""
    needs = {"page", "prompt_fields", "draw_tab", "prompt_tabs", "read_tab", "inputs", "serving"}
    for path in Path(clipcond.app.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        names = re.findall(r"^(?:from|import) (?:clipcond\.app\.)?(\w+)", text, re.MULTILINE)
        assert bool({*names} & {"gradio", *needs}) == (path.stem in needs), path
