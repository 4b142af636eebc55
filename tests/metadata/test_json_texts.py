"""JSON of ComfyUI is read where it can be; other JSON is refused, and never taken for a prompt."""

import json

import pytest

from clipcond.cli import main
from clipcond.errors import PictureError
from clipcond.metadata import Parameters, read_parameters, save_picture
from tests.metadata.comfyui_graphs import USUAL, graph, said
from tests.metadata.test_pictures import picture
from tests.metadata.test_swarmui import EXPECTED, swarm

EXPORT = "In ComfyUI choose Export (API) and give what that writes, or give a picture's file."
PAGE = "a workflow as ComfyUI's page saves it, not as its API takes it"
INSIDE = "other JSON with ComfyUI's graph in it"
DAMAGED = "ComfyUI's JSON, but is damaged"
OTHER = "JSON of another tool"
WORKFLOW = {
    "last_node_id": 9, "nodes": [{"id": 3, "type": "KSampler", "widgets_values": [5, "fixed"]}],
    "links": [[1, 4, 0, 3, 0, "MODEL"]], "version": 0.4,
}  # fmt: skip


def test_the_body_of_a_request_is_its_graph():
    assert said({"prompt": graph(), "client_id": "x", "extra_data": {"a": 1}}) == USUAL
    assert said({"client_id": "x", "prompt": graph()}) == USUAL
    for indent in (None, 2):
        text = json.dumps({"prompt": graph()}, indent=indent)
        assert read_parameters(f"\n{text}\n") == read_parameters(json.dumps(graph()))


REFUSED = [
    (json.dumps(WORKFLOW), PAGE, EXPORT),
    (json.dumps({**WORKFLOW, "links": [{"id": 1}], "nodes": []}, indent=2), PAGE, EXPORT),
    (json.dumps([WORKFLOW]), PAGE, EXPORT),
    (json.dumps({"workflow": WORKFLOW}), PAGE, EXPORT),
    (json.dumps([graph()]), INSIDE, f"Give the graph alone. {EXPORT}"),
    (json.dumps({"a": {"prompt": [1, "x", graph()]}}), INSIDE, f"Give the graph alone. {EXPORT}"),
    (json.dumps([graph()["3"]], indent=1), INSIDE, f"Give the graph alone. {EXPORT}"),
    (json.dumps(graph())[:-5], DAMAGED, f"Copy it again, all of it. {EXPORT}"),
    (json.dumps(graph(), indent=2)[:-9], DAMAGED, f"Copy it again, all of it. {EXPORT}"),
    (json.dumps(WORKFLOW)[:-9], DAMAGED, f"Copy it again, all of it. {EXPORT}"),
    ('[{"a": 1}]', OTHER, "Give its prompt alone, or the picture's file."),
    ('{"prompt": {"a": 1}}', OTHER, "Give its prompt alone, or the picture's file."),
]


@pytest.mark.parametrize(("text", "what", "remedy"), REFUSED)
def test_json_that_cannot_be_read_says_what_it_is(tmp_path, text, what, remedy):
    with pytest.raises(PictureError) as caught:
        read_parameters(text)
    assert str(caught.value) == f"the text is {what}\n{remedy}"
    for ending in ("json", "txt"):
        file = tmp_path / f"g.{ending}"
        file.write_text(text)
        for source in (file, str(file)):
            with pytest.raises(PictureError) as caught:
                read_parameters(source)
            assert str(caught.value) == f"{str(file)!r} is {what}\n{remedy}"
            assert caught.value.path == file


def test_json_in_a_picture_is_named_with_its_picture(tmp_path):
    save_picture(picture(), tmp_path / "a.png", json.dumps([graph()]))
    with pytest.raises(PictureError) as caught:
        read_parameters(tmp_path / "a.png")
    assert str(caught.value).startswith(f"the text in {str(tmp_path / 'a.png')!r} is {INSIDE}")


def test_files_of_json_are_read_as_the_text(tmp_path, capsys):
    for name, text, expected in (
        ("g.json", json.dumps(graph()), read_parameters(json.dumps(graph()))),
        ("G.JSON", json.dumps({"prompt": graph()}, indent=2), read_parameters(json.dumps(graph()))),
        ("s.json", swarm(2), EXPECTED),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        for source in (tmp_path / name, str(tmp_path / name)):
            assert read_parameters(source) == expected, name
    assert main(["parameters", str(tmp_path / "g.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 5
    for text in ("a cat", "{a|b} cat", '["a"]', "", '{"a": '):
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(PictureError, match=r"is no JSON of|does not say how it was made"):
            read_parameters(tmp_path / "odd.json")
    with pytest.raises(PictureError, match="there is no picture"):
        read_parameters("none.json")


@pytest.mark.parametrize(
    "text",
    ["[cat|dog]", "[a:b:0.5], c", "[[a]]", '["a", 5]', "[1, 2]", "[]", "[{}]", "[a: {b: c}]",
     '[{"a"}]', "{a: b|c}", 'a "class_type": 1', "[" * 3000 + ":"],
)  # fmt: skip
def test_prompts_with_brackets_are_prompts(text):
    assert read_parameters(text).prompt == text


def test_a_prompt_of_json_with_settings_is_a_prompt():
    made = Parameters('{"class_type": 1}', steps=4)
    assert read_parameters(made.text()).prompt == made.prompt
