"""LoRAs that a prompt names, loaded through diffusers and peft."""

from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond import build_pipeline
from clipcond.app import loras as loras_file
from clipcond.app.handlers import Desk
from clipcond.app.reader import Reader
from clipcond.app.settings import AppSettings
from clipcond.app.studio import Studio
from clipcond.app.wishes import Reading, Wish
from clipcond.metadata import read_parameters
from tests.own_model import SIZE

WISH = Wish("a red apple", "", Reading(clip_skip=1), 2, 3.0, "", 7, SIZE)


def lora_of(pipe, *, seed: int) -> dict[str, torch.Tensor]:
    """Make a LoRA of text encoder and UNet."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for part in ("text_encoder", "unet"):
        for name, layer in getattr(pipe, part).named_modules():
            if name.endswith(("q_proj", "to_q")):
                sizes = {"lora_A": (4, layer.in_features), "lora_B": (layer.out_features, 4)}
                for side, size in sizes.items():
                    random = torch.randn(size, generator=generator) / 5
                    tensors[f"{part}.{name}.{side}.weight"] = random
    return tensors


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    root = tmp_path_factory.mktemp("lora")
    for name in ("loras", "out"):
        (root / name).mkdir()
    desk = Desk.of(
        Studio(AppSettings(root / "out", device="cpu", lora_dir=root / "loras")),
        Reader("embedded"),
        chinese=False,
    )
    for seed, name in enumerate(("style", "v1.5 other")):
        save_file(lora_of(desk.studio.pipe, seed=seed), root / "loras" / f"{name}.safetensors")
    save_file({"x": torch.zeros(3)}, root / "loras" / "broken.safetensors")
    desk.studio.look_for_files()
    return desk


def drawn(desk, prompt):
    *_, view = desk.draw(replace(WISH, prompt=prompt), "me")
    assert view.pictures, view.status
    return view.pictures[0][0]


def pixels(path):
    return Image.open(path).tobytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")  # of peft, for two of them
def test_a_lora_acts_as_in_diffusers_and_only_where_it_is_named(desk, tmp_path):
    pytest.importorskip("peft")
    plain = pixels(drawn(desk, "a red apple"))
    path = drawn(desk, "a red apple <lora:style:0.8>")
    strong = pixels(drawn(desk, "a red apple <lora:style:0.8:0.2> <lora:v1.5 other:1>"))

    pipe = build_pipeline(device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    pipe.load_lora_weights(str(desk.studio.loras["style"]), adapter_name="it")
    pipe.set_adapters(["it"], adapter_weights=[0.8])
    call = {"num_inference_steps": 2, "guidance_scale": 3.0, "clip_skip": 1}
    generator = torch.Generator().manual_seed(7)
    theirs = pipe("a red apple", negative_prompt="", generator=generator, **call).images[0]
    assert pixels(path) == theirs.tobytes()
    assert len({plain, pixels(path), strong}) == 3
    assert pixels(drawn(desk, "a red apple")) == plain
    assert pixels(drawn(desk, "a red apple <lora:STYLE:0.8>")) == theirs.tobytes()
    assert read_parameters(path).others["Lora hashes"].startswith("style: ")


@pytest.mark.slow
def test_a_file_that_is_no_lora(desk):
    pytest.importorskip("peft")
    *_, view = desk.draw(replace(WISH, prompt="a red apple <lora:broken:1>"), "me")

    assert "LoRA &#x27;broken&#x27; cannot be used with this model" in view.status
    assert drawn(desk, "a red apple <lora:style:1>")


def test_without_peft_it_is_said_where(desk, monkeypatch):
    monkeypatch.setattr(loras_file, "find_spec", lambda name: None)
    *_, view = desk.draw(replace(WISH, prompt="a cat <lora:style:1>"), "me")

    assert view.status.endswith(
        "<pre>LoRAs are loaded with the package peft, which is not installed\n"
        "  a cat &lt;lora:style:1&gt;\n        ^\nInstall it: pip install peft</pre></div>"
    )
