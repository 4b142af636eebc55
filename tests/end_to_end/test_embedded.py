"""End to end on the embedded model: the files as they ship, and pictures that follow the prompt."""

import json

import pytest
import torch
from safetensors.torch import load_file

from clipcond import build_pipeline, embedded, load_tower
from tests.end_to_end.pictures import COLOURS, background, draw, left_area, similarity

FILLER = "masterpiece, best quality, highly detailed, sharp focus, flat design, soft light, "


@pytest.fixture(scope="module")
def pipe():
    pipe = build_pipeline(clip_skip=2, device="cpu")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_weights_of_the_text_tower_are_those_of_the_file():
    stored = load_file(embedded.folder() / "text_encoder" / "model.safetensors")
    model = load_tower("embedded").model
    loaded = {
        f"text_model.{k.removeprefix('text_model.')}": v for k, v in model.state_dict().items()
    }
    stored = {k: v for k, v in stored.items() if not k.endswith("position_ids")}

    assert stored.keys() <= loaded.keys()
    assert all(torch.equal(loaded[k], stored[k].to(loaded[k].dtype)) for k in stored)


def test_plain_transformers_and_diffusers_read_the_folder():
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTextModel

    stored = load_file(embedded.folder() / "text_encoder" / "model.safetensors")
    model = CLIPTextModel.from_pretrained(embedded.folder() / "text_encoder", dtype=torch.float16)
    weights = {k.removeprefix("text_model."): v for k, v in model.state_dict().items()}
    pipe = StableDiffusionPipeline.from_pretrained(embedded.folder(), dtype=torch.float16)

    assert all(torch.equal(weights[k.removeprefix("text_model.")], v) for k, v in stored.items())
    assert type(pipe.text_encoder) is CLIPTextModel


def test_vocabulary_rows_nobody_uses_are_zero_and_the_rest_are_not():
    stored = load_file(embedded.folder() / "text_encoder" / "model.safetensors")
    rows = stored["text_model.embeddings.token_embedding.weight"]
    tokenizer = load_tower("embedded").tokenizer
    known = tokenizer.encode("a cat and a dog on a blue background, masterpiece, left of the tree")

    assert 200 < int(rows.any(dim=1).sum()) < 1000
    assert rows[known].any(dim=1).all()
    assert not rows[tokenizer.encode("zeppelin")].any()


def test_embedded_files_are_half_precision_and_small():
    files = set(embedded.folder().parent.rglob("*.safetensors"))
    in_full = {embedded.adapter_file("embedded-zh")}  # as it was trained, to the bit
    tensors = [t for path in files - in_full for t in load_file(path).values()]

    assert {t.dtype for t in tensors} == {torch.float16}
    assert all(torch.isfinite(t).all() for t in tensors)
    assert in_full < files
    assert sum(path.stat().st_size for path in files) < 55_000_000
    for path in embedded.folder().rglob("*.json"):
        assert "_name_or_path" not in json.loads(path.read_text())


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_latents_are_bit_equal_to_plain_diffusers(pipe, clip_skip):
    from diffusers import StableDiffusionPipeline

    model, tokenizer = pipe.text_encoder, pipe.tokenizer
    plain = StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
    plain.set_progress_bar_config(disable=True)

    def embeds(text: str) -> torch.Tensor:
        ids = tokenizer(text, padding="max_length", return_tensors="pt").input_ids
        with torch.no_grad():
            states = model(ids, output_hidden_states=True)
        parts = getattr(model, "text_model", model)
        return parts.final_layer_norm(states.hidden_states[-clip_skip])

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    common = {"num_inference_steps": 4, "output_type": "latent", "guidance_scale": 5.0}
    with torch.no_grad():
        theirs = plain(
            prompt_embeds=embeds("a cat on a blue background"),
            negative_prompt_embeds=embeds("black"),
            generator=seeded(),
            **common,
        ).images
    ours = pipe(
        "a cat on a blue background",
        negative_prompt="black",
        generator=seeded(),
        clip_skip=clip_skip,
        **common,
    ).images

    assert torch.equal(ours, theirs)


def test_pictures_show_what_the_prompt_says(pipe):
    nouns = ["cat", "apple", "rocket", "tree", "panda", "car", "frog", "heart"]
    images = draw(pipe, [f"{n} on a {c} background" for n, c in zip(nouns, COLOURS, strict=True)])
    seen = similarity(images, [f"a {noun}" for noun in nouns]).argmax(dim=1)

    assert [background(image) for image in images] == list(COLOURS)
    assert sum(seen == torch.arange(len(nouns))) >= 7


@pytest.mark.slow
def test_of_two_things_each_is_drawn_where_the_prompt_says(pipe):
    pairs = [("fox", "tree"), ("owl", "crown"), ("apple", "dog"), ("pizza", "ghost")]
    prompts = [f"{a} left of {b}, blue background" for a, b in pairs]
    prompts += [f"{a} right of {b}, blue background" for a, b in pairs]
    images = draw(pipe, prompts)
    said = [f"{a} left of {b}, blue background" for a, b in pairs]
    said += [f"{b} left of {a}, blue background" for a, b in pairs]
    seen = similarity(images, said).argmax(dim=1)

    assert seen.tolist() == list(range(8))


def test_text_past_the_first_chunk_decides_the_picture(pipe):
    prompts = [
        FILLER * 6 + f"a {n} on a {c} background" for n, c in (("cat", "green"), ("car", "pink"))
    ]
    chunks = pipe.conditioner.chunks(prompts[0])
    images = draw(pipe, prompts)
    scores = similarity(
        images, [f"{n}, {c} background" for n, c in (("cat", "green"), ("car", "pink"))]
    )

    assert len(chunks) == 2
    assert [background(image) for image in images] == ["green", "pink"]
    assert scores.argmax(dim=1).tolist() == [0, 1]


@pytest.mark.slow
def test_a_heavier_thing_is_drawn_larger(pipe):
    areas = [left_area(draw(pipe, [f"(cat:{w}) and a dog"] * 8)) for w in (0.3, 1.0, 1.6)]

    assert areas[0] < areas[1] < areas[2]
