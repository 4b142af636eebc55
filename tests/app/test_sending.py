"""What a picture was made with goes back into the fields; pictures are read."""

import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from clipcond.app import html
from clipcond.app.loras import hashes
from clipcond.app.sending import sent
from clipcond.app.wishes import Reading, Wish
from clipcond.errors import ClipcondError
from clipcond.metadata import Parameters, read_parameters
from clipcond.metadata.parameters import parse_parameters
from clipcond.pipelines import attach, build_pipeline
from tests.metadata.comfyui_graphs import graph
from tests.own_model import SIZE

# diffusers' samplers of k-diffusion, with numpy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
WISH = Wish("a (red:1.3) apple", "a cat", Reading(clip_skip=1), 2, 3.0, "DDIM", 7, SIZE)


def last(views):
    *_, view = views
    return view


OURS = {"Dialect": "compel", "Version": "clipcond 1"}
PARAMETERS = Parameters("a fox", "blurry", 30, "DPM++ 2M", "Karras", 5.5, 42, (128, 64), 2, OURS)
A1111 = "a fox\nSteps: 2, Sampler: {}, CFG scale: 7, Seed: 42, Size: 64x64, RNG: CPU"


def test_what_a_picture_was_made_with_goes_into_the_fields(desk):
    found = sent(PARAMETERS, desk.studio, desk.language)

    assert found[:-1] == (
        *("a fox", "blurry", "compel", "", 2, 30, 5.5, "DPM++ 2M Karras", "", 42, 128, 64),
    )
    assert found.notes == ()


def test_what_is_not_known_here_is_noted(desk):
    strange = replace(
        PARAMETERS,
        sampler="DPM adaptive",
        schedule_type=None,
        seed=2**60,
        clip_skip=13,
        others={**OURS, "Dialect": "x", "Tower": "y"},
    )
    found = sent(strange, desk.studio, desk.language)

    assert (found.dialect, found.tower, found.seed, found.clip_skip) == (None,) * 4
    assert (found.scheduler, found.spacing) == ("", "")  # as `Parameters.call` does
    assert len(found.notes) == 5


def test_fields_that_a_picture_says_nothing_of_stay(desk):
    found = sent(parse_parameters("a fox"), desk.studio, desk.language)

    assert found[2:-1] == (None,) * 10


def test_json_of_comfyui_goes_into_the_fields_or_is_refused(desk, chinese_desk):
    found, notes = desk.send(json.dumps(graph()))
    assert (found.prompt, found.negative, found.steps, found.seed) == ("a cat", "dog", 20, 5)
    assert found.dialect == "comfyui"
    assert notes == html.notes(found.notes)
    assert desk.send(PARAMETERS.text()) == (sent(PARAMETERS, desk.studio, desk.language), "")
    for text, why in (
        (json.dumps(graph())[:-9], "the text is ComfyUI&#x27;s JSON, but is damaged"),
        (json.dumps([graph()]), "other JSON with ComfyUI&#x27;s graph in it"),
        ('{"sui_image_params": {"prompt": "a', "the text is SwarmUI&#x27;s JSON, but is damaged"),
    ):
        found, wrong = desk.send(text)
        assert found is None
        assert why in wrong
        assert "cp-error" in wrong
        assert chinese_desk.send(text)[1] not in ("", wrong)


@pytest.mark.parametrize(
    "wish",
    [
        WISH,
        replace(WISH, reading=Reading("compel", tower="embedded-zh"), scheduler=""),
        replace(WISH, scheduler="Euler", spacing="linspace"),
        replace(WISH, scheduler="Euler SGM Uniform"),
    ],
)
def test_sent_and_drawn_again_it_is_the_same_picture(desk, wish):
    path = last(desk.draw(wish, "me")).pictures[0][0]
    found = sent(read_parameters(path), desk.studio, desk.language)
    again = last(desk.draw(wish_of(desk, found), "me")).pictures[0][0]

    assert found.notes == ()
    assert Image.open(path).tobytes() == Image.open(again).tobytes()


def wish_of(desk, f):
    reading = desk.reading(f.dialect, f.tower, f.clip_skip)
    numbers = (f.steps, f.guidance, f.seed, f.width, f.height, 1)
    return desk.wish((f.prompt, f.negative), reading, numbers, f.scheduler, f.spacing)


@pytest.mark.parametrize("sampler", ["Euler", "Euler a", "DPM++ 2M, Schedule type: Karras"])
def test_a_picture_of_a1111_is_drawn_as_parameters_call_it(desk, sampler):
    read = parse_parameters(A1111.format(sampler))
    found = sent(read, desk.studio, desk.language)
    drawn = last(desk.draw(wish_of(desk, found), "me")).pictures[0][0]
    pipe = attach(build_pipeline(device="cpu"), clip_skip=1)
    pipe.set_progress_bar_config(disable=True)
    image = pipe(**read.call(pipe)).images[0]

    assert (found.dialect, found.tower, found.clip_skip, found.notes) == ("a1111", "", 1, ())
    assert Image.open(drawn).tobytes() == image.tobytes()


# What a file says, and what the page says of it.
NOT_TAKEN = {
    'Regions: "[\\"left: a cat\\"]", Base share: 0.2': 'The page draws no regions: ["left: a cat"]',
    "Weighting: scale": 'The prompts were read with weighting="scale"',
    "Emphasis: No norm": 'The prompts were read with weighting="scale"',
    "Emphasis: None": "The prompts were read with dialect=replace(",
    "Normalize: length": 'The prompts were read with normalize="length"',
    "Full-width: True": "The prompts were read with fullwidth=True",
    "Extra networks: False": "The prompts were read with extra_networks=False",
    "Precision: float16": "Precision: float16; this pipeline has float32.",
    "Hires upscale: 2": "Hires upscale: 2",
    "ControlNet 0: canny": "ControlNet 0: canny",
    "ADetailer model: face": "ADetailer model: face",
    "Model: foxes": "Model: foxes",
    "Script: X/Y/Z plot": "Script: X/Y/Z plot",
    'TI hashes: "easy: 12"': "Embeddings that are not loaded: easy.",
    'Lora hashes: "winter: 12"': "The LoRA winter is not here.",
}


@pytest.mark.parametrize("setting", NOT_TAKEN)
def test_what_the_page_does_not_take_over_is_noted(desk, chinese_desk, setting):
    read = parse_parameters(f"{A1111.format('Euler')}, {setting}")
    [note] = sent(read, desk.studio, desk.language).notes
    [chinese] = sent(read, desk.studio, chinese_desk.language).notes

    assert note.startswith(NOT_TAKEN[setting])
    assert chinese


def test_a_lora_is_the_one_that_the_picture_was_drawn_with(desk, tmp_path, monkeypatch):
    (tmp_path / "winter.safetensors").write_bytes(b"x")
    files = {"winter": tmp_path / "winter.safetensors"}
    monkeypatch.setattr(desk.studio, "loras", files)

    for written, notes in {
        hashes(files): (),
        "winter: 0123456789ab": ("The LoRA winter is another file here.",),
    }.items():
        drawn = replace(PARAMETERS, others={**OURS, "Lora hashes": written})
        assert sent(drawn, desk.studio, desk.language).notes == notes


def test_a_clip_skip_is_not_explained_as_if_to_a_program(desk):
    wish = replace(WISH, reading=Reading(clip_skip=2))

    assert "attach" not in last(desk.draw(wish, "me")).status


def test_empty_fields_are_the_models_own(desk):
    own = desk.studio.own
    wish = desk.wish(("a", ""), Reading(), (None,) * 6, "")

    assert (wish.steps, wish.guidance, wish.size) == (own["steps"], own["guidance"], own["size"])
    assert wish.count == 1


@pytest.mark.slow
def test_a_picture_is_read(desk, capsys):
    from clipcond.cli import main

    path = last(desk.draw(replace(WISH, prompt="a red apple", steps=20), "me")).pictures[0][0]

    assert "Steps: 20" in desk.info(path)[0]
    shown = desk.classify(path, "apple，dog, owl")
    assert re.findall(r'<th scope="row">(\w+)', shown)[0] == "apple"
    main(["interrogate", path])
    assert desk.interrogate(path, "a1111") == (capsys.readouterr().out.strip(), "")
    assert "CLIP score of the whole prompt" in desk.score(path, "", "a1111")
    assert "a dog" in desk.score(path, "a red apple, a dog", "a1111")


def test_what_cannot_be_read_says_why(desk, tmp_path):
    (tmp_path / "no.png").write_text("text")
    Image.new("1", (9000, 9000)).save(tmp_path / "large.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")

    assert "a picture is missing" in desk.classify(None, "cat")
    assert "is no picture" in desk.classify(str(tmp_path / "no.png"), "cat")
    assert "has more than 50,000,000 pixels" in desk.info(str(tmp_path / "large.png"))[1]
    assert "labels are missing" in desk.classify(str(tmp_path / "plain.png"), " , ")
    assert "at most 200 labels" in desk.classify(
        str(tmp_path / "plain.png"), ",".join(map(str, range(201)))
    )
    assert "cp-error" in desk.info(str(tmp_path / "plain.png"))[1]


def test_gallery_places_that_are_not_there(desk):
    assert desk.parameters_of([], 0) == ""
    assert desk.parameters_of([("/no/such.png", "")], -1) == ""
    assert desk.parameters_of([("/no/such.png", "")], 0) == ""


def test_readings_are_checked(desk):
    with pytest.raises(ClipcondError, match="no dialect 'comfy'"):
        desk.reading("comfy", "", 0)
    with pytest.raises(ClipcondError, match="no text tower here '/etc/passwd'"):
        desk.reading("a1111", "/etc/passwd", 0)
