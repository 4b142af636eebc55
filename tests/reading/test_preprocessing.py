"""Pixels are bit for bit those of transformers' PIL processors, from configs of every form."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from clipcond.errors import CheckpointError
from clipcond.reading import preprocessing as module
from clipcond.reading.preprocessing import (
    Preprocessing,
    floor_offset,
    read_preprocessing,
    round_offset,
)
from tests.reading.made import (
    SIZES,
    ChineseCLIPImageProcessorPil,
    CLIPImageProcessorPil,
    SiglipImageProcessorPil,
    picture,
)

IMAGES = [picture(*size, seed) for seed, size in enumerate(SIZES)]
PROCESSORS = {
    "clip": CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=24),
    "chinese_clip": ChineseCLIPImageProcessorPil(
        size={"height": 24, "width": 24}, do_center_crop=False
    ),
    "siglip": SiglipImageProcessorPil(size={"height": 24, "width": 24}),
    "larger than the cut": CLIPImageProcessorPil(size={"shortest_edge": 31}, crop_size=24),
    "smaller than the cut": CLIPImageProcessorPil(size={"shortest_edge": 17}, crop_size=24),
    "bilinear": CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=24, resample=2),
    "lanczos": CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=24, resample=1),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_those_of_transformers(tmp_path, name):
    processor = PROCESSORS[name]
    processor.save_pretrained(tmp_path)
    kind = "siglip" if name == "siglip" else "clip"

    prepare = read_preprocessing(tmp_path, kind, 24)

    for image in IMAGES:
        theirs = processor(image, return_tensors="pt").pixel_values[0]
        assert torch.equal(prepare(image), theirs)
        assert prepare(image).is_contiguous()


@pytest.mark.parametrize(
    "config",
    [
        # as OpenAI's repositories have it
        {"size": 24, "crop_size": 24, "do_center_crop": True, "do_resize": True, "resample": 3,
         "feature_extractor_type": "CLIPFeatureExtractor", "do_normalize": True,
         "image_mean": [0.48145466, 0.4578275, 0.40821073],
         "image_std": [0.26862954, 0.26130258, 0.27577711]},
        {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}},
        {"image_processor": {"size": {"shortest_edge": 24}, "crop_size": 24}, "x": "y"},
    ],
)  # fmt: skip
def test_older_and_newer_configs_say_the_same(tmp_path, config):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))

    assert read_preprocessing(tmp_path, "clip", 24) == Preprocessing((24, 24), 24)


def test_without_a_config_the_family_decides(tmp_path):
    assert read_preprocessing(tmp_path, "clip", 24) == Preprocessing((24, 24), 24)
    siglip = read_preprocessing(tmp_path, "siglip", 24)
    assert siglip == Preprocessing((24, 24), mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"size": 30, "crop_size": 30},
            "makes pictures of 30 x 30 pixels, but the vision tower reads",
        ),
        ({"size": 24, "do_pad": True}, "do_pad is not supported"),
        ({"size": 24, "do_normalize": False}, "do_normalize is false"),
        ({"size": 24, "do_center_crop": False}, "without cutting"),
        ({"size": {"longest_edge": 24}}, "says no way to prepare pictures"),
        ({"size": 24, "image_mean": [0.5]}, "are not three numbers"),
        ({"size": 24, "image_std": [0.5, 0.5, "NaN"]}, "are not three numbers"),
        ({"size": 24, "resample": "cubic"}, "is no whole number"),
    ],
)
def test_what_is_not_done_here_is_refused(tmp_path, config, message):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))

    with pytest.raises(CheckpointError, match=message):
        read_preprocessing(tmp_path, "clip", 24)


def test_a_cut_begins_where_either_library_begins_it():
    assert [floor_offset(24 + n, 24) for n in range(6)] == [0, 0, 1, 1, 2, 2]
    assert [round_offset(24 + n, 24) for n in range(6)] == [0, 0, 1, 2, 2, 2]
    image = picture(27, 24)

    for offset, left in ((floor_offset, 1), (round_offset, 2)):
        cut = Preprocessing((24, 24), 24, offset=offset).fit(image)
        assert cut.tobytes() == image.crop((left, 0, left + 24, 24)).tobytes()


def test_one_pixel_and_very_long_pictures_have_a_result(monkeypatch):
    prepare = Preprocessing((32, 32), 32)

    one = prepare.fit(Image.new("RGB", (1, 1), (10, 200, 30)))
    assert one.getextrema() == ((10, 10), (200, 200), (30, 30))
    for size in ((1, 10_000), (10_000, 1)):
        assert prepare(picture(*size)).shape == (3, 32, 32)

    whole = [prepare.fit(picture(300, 7)), prepare.fit(picture(5, 400))]
    monkeypatch.setattr(module, "MOST_PIXELS", 100)  # now only the part that is cut is resized
    parts = [prepare.fit(picture(300, 7)), prepare.fit(picture(5, 400))]
    for a, b in zip(whole, parts, strict=True):
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1  # of 255: rounding
