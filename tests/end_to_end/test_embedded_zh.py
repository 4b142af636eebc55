"""End to end in Chinese: the tower and its adapter as they ship, and pictures that follow."""

import json

import pytest
import torch
from safetensors.torch import load_file

from clipcond import build_pipeline, embedded, load_tower
from clipcond.adapters import (
    load_adapter,
    save_adapter,
    teacher_fingerprint,
    tower_fingerprint,
    unet_fingerprint,
)
from clipcond.errors import ClipcondWarning, PipelineError
from clipcond.towers import ChineseClipTower
from tests.conditioning.conditioners import warnings_of
from tests.end_to_end.pictures import COLOURS, background, draw, left_area, similarity

TOWER = embedded.folder().parent / "zh" / "tower"
NOUNS = {
    "cat": "猫", "apple": "苹果", "rocket": "火箭", "tree": "树",
    "panda": "熊猫", "car": "汽车", "frog": "青蛙", "heart": "爱心",
}  # fmt: skip
COLOURS_ZH = {
    "red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色",
    "purple": "紫色", "pink": "粉色", "white": "白色", "black": "黑色",
}  # fmt: skip
FILLER = "杰作，最高质量，细节丰富，画质极佳，扁平风格，柔和的光线，"


@pytest.fixture(scope="module")
def pipe():
    pipe = build_pipeline(tower="embedded-zh", clip_skip=2, device="cpu")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def named(images, nouns):
    """Which of the nouns each picture shows, as the English tower sees it."""
    found = similarity(images, [f"a {noun}" for noun in nouns]).argmax(dim=1)
    return [nouns[i] for i in found]


def scenes(form):
    """Eight prompts, each of another noun and colour."""
    pairs = zip(NOUNS.values(), COLOURS_ZH.values(), strict=True)
    return [form.format(n=noun, c=colour) for noun, colour in pairs]


def test_the_tower_is_chinese_and_reads_what_it_is_given():
    tower = load_tower("embedded-zh")
    text = "一只猫，蓝色背景"
    ids = tower.tokenizer.encode(text)

    assert isinstance(tower, ChineseClipTower)
    assert len(tower.tokenizer.source) == 21_128
    assert "".join(tower.tokenizer.pieces(ids)).replace(" ", "") == text
    assert tower.tokenizer.source.unk_token_id not in ids
    assert (tower.special.context_length, tower.special.mask_padding) == (52, True)


def test_its_weights_are_those_of_the_file():
    stored = load_file(TOWER / "model.safetensors")
    model = load_tower("embedded-zh").model
    loaded = {**model.text_model.state_dict(), **dict(model.named_parameters())}

    assert len(stored) > 90
    for name, tensor in stored.items():
        assert tensor.dtype == torch.float16
        assert torch.equal(loaded[name], tensor.float())
    for path in TOWER.rglob("*.json"):
        assert "_name_or_path" not in json.loads(path.read_text())


def test_the_record_says_that_the_second_stage_came_nearer():
    _, record = load_adapter(embedded.adapter_file("embedded-zh"))

    assert record.losses["unet.noise"] < record.losses["text.noise"] < 0.2


def test_the_record_is_of_these_very_files(tmp_path):
    adapter, record = load_adapter(embedded.adapter_file("embedded-zh"))
    own = build_pipeline(device="cpu")

    assert record.tower == tower_fingerprint(load_tower("embedded-zh"))
    assert record.unet == unet_fingerprint(own.unet)
    assert record.teacher == teacher_fingerprint(own.conditioner.towers)
    assert record.tower_clip_skips == record.teacher_clip_skips == (1, 2)
    assert adapter.config.kind == "resampler"
    assert min(record.stages.values()) > 0
    assert all(record.losses[f"{stage}.noise"] < 0.2 for stage in ("text", "unet"))
    save_adapter(adapter, record, tmp_path / "again.safetensors")
    ours = load_file(tmp_path / "again.safetensors")
    stored = load_file(embedded.adapter_file("embedded-zh"))
    assert ours.keys() == stored.keys()
    assert all(torch.equal(ours[name], stored[name]) for name in stored)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "clip_skip"),
    [
        ("{c}背景上的{n}", 2),
        pytest.param("{n}，{c}背景", 1, marks=pytest.mark.slow),
        pytest.param("masterpiece, 最高质量, 一个{n}, {c} 背景", 2, marks=pytest.mark.slow),
    ],
)
def test_pictures_show_what_the_prompt_says(pipe, form, clip_skip):
    images = draw(pipe, scenes(form), clip_skip=clip_skip)
    right = [found == noun for found, noun in zip(named(images, list(NOUNS)), NOUNS, strict=True)]

    assert [background(image) for image in images] == list(COLOURS)
    assert sum(right) >= 7


@pytest.mark.slow
def test_english_words_among_chinese_ones_are_read(pipe):
    prompts = [f"一只{noun}在{colour}背景上" for noun, colour in zip(NOUNS, COLOURS, strict=True)]
    images = draw(pipe, prompts)
    right = [found == noun for found, noun in zip(named(images, list(NOUNS)), NOUNS, strict=True)]

    assert [background(image) for image in images] == list(COLOURS)
    assert sum(right) >= 7


@pytest.mark.slow
def test_of_two_things_each_is_drawn_where_the_prompt_says(pipe):
    pairs = [("狐狸", "树"), ("猫头鹰", "皇冠"), ("苹果", "狗"), ("披萨", "幽灵")]
    english = [("fox", "tree"), ("owl", "crown"), ("apple", "dog"), ("pizza", "ghost")]
    prompts = [f"{a}在{b}的左边，蓝色背景" for a, b in pairs]
    prompts += [f"{a}在{b}的右边，蓝色背景" for a, b in pairs]
    said = [f"{a} left of {b}, blue background" for a, b in english]
    said += [f"{b} left of {a}, blue background" for a, b in english]
    seen = similarity(draw(pipe, prompts, guidance=3.0), said).argmax(dim=1)

    assert seen.tolist() == list(range(8))


@pytest.mark.slow
def test_text_past_the_first_chunk_decides_the_picture(pipe):
    prompts = [FILLER * 2 + "一只猫，绿色背景", FILLER * 2 + "一辆汽车，粉色背景"]
    images = draw(pipe, prompts)

    assert [len(pipe.conditioner.chunks(prompt)) for prompt in prompts] == [2, 2]
    assert [background(image) for image in images] == ["green", "pink"]
    assert named(images, ["cat", "car"]) == ["cat", "car"]


def test_break_opens_a_chunk_and_either_half_is_heard(pipe):
    prompts = ["杰作，最高质量BREAK一只猫，绿色背景", "一辆汽车，粉色背景 BREAK 细节丰富，画质极佳"]
    images = draw(pipe, prompts)

    assert [len(pipe.conditioner.chunks(prompt)) for prompt in prompts] == [2, 2]
    assert [background(image) for image in images] == ["green", "pink"]
    assert named(images, ["cat", "car"]) == ["cat", "car"]


def test_break_opens_a_chunk_and_both_halves_are_drawn(pipe):
    prompts = ["一只猫BREAK绿色背景", "一辆汽车 BREAK 粉色背景"]
    images = draw(pipe, prompts)

    assert [background(image) for image in images] == ["green", "pink"]
    assert named(images, ["cat", "car"]) == ["cat", "car"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["{n} BREAK {c}背景", pytest.param("{c}背景BREAK一个{n}", marks=pytest.mark.slow)]
)
def test_a_background_in_a_chunk_of_its_own_is_that_of_the_picture(pipe, form):
    images = draw(pipe, scenes(form))
    right = [found == noun for found, noun in zip(named(images, list(NOUNS)), NOUNS, strict=True)]

    assert [background(image) for image in images] == list(COLOURS)
    assert sum(right) >= 7


@pytest.mark.slow
def test_a_heavier_thing_is_drawn_larger(pipe):
    areas = [left_area(draw(pipe, [f"（猫：{w}）和一只狗"] * 8)) for w in (0.3, 1.0, 1.6)]

    assert areas[0] < areas[1] < areas[2]


def test_brackets_of_either_width_give_the_same_numbers(pipe):
    forms = ["（猫：1.3），【狗】", "(猫:1.3)，[狗]", "（猫:１．３)，［狗］"]
    found = [pipe.encode_prompt(form, "cpu", 1, False)[0] for form in forms]

    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], pipe.encode_prompt("猫，狗", "cpu", 1, False)[0])


@pytest.mark.slow
def test_the_negative_prompt_is_read_in_chinese(pipe):
    plain = draw(pipe, ["一只猫"] * 4, steps=20)
    negated = draw(pipe, ["一只猫"] * 4, steps=20, negative_prompt=["白色背景"] * 4)

    assert [background(image) for image in plain] == ["white"] * 4
    assert "white" not in [background(image) for image in negated]


@pytest.mark.slow
def test_without_its_adapter_it_is_refused_and_draws_something_else():
    own = build_pipeline(device="cpu")
    with pytest.raises(PipelineError, match="was not trained with this pipeline's UNet"):
        build_pipeline(tower=load_tower("embedded-zh"), clip_skip=2)
    (warning,) = warnings_of(
        lambda: build_pipeline(tower=load_tower("embedded-zh"), allow_unaligned=True)
    )
    assert "means nothing to the UNet" in warning

    with pytest.warns(ClipcondWarning):
        pipe = build_pipeline(
            tower=load_tower("embedded-zh"), clip_skip=2, allow_unaligned=True, device="cpu"
        )
    pipe.set_progress_bar_config(disable=True)
    images = draw(pipe, scenes("{c}背景上的{n}"))
    right = [found == noun for found, noun in zip(named(images, list(NOUNS)), NOUNS, strict=True)]
    assert sum(right) <= 4  # chance: 1 in 8
    assert own.unet.config.cross_attention_dim == pipe.conditioner.towers[0].width
