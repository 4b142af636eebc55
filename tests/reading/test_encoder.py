"""DualEncoder: long texts, batches, what cannot be read, damaged weights, fingerprints."""

import copy
import json

import pytest
import torch
from PIL import Image

from clipcond.checkpoints.places import EMBEDDED
from clipcond.errors import PictureError, PromptError, PromptTypeError, PromptWarning, ReadingError
from clipcond.reading import DualEncoder, encoder_from_open_clip, load_encoder
from clipcond.towers import HiddenLayer
from tests.reading.made import picture, pictures_at

RED, BLUE = Image.new("RGB", (128, 128), (214, 46, 48)), Image.new("RGB", (200, 90), (44, 100, 222))


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("embedded")


def test_embeddings_are_unit_vectors_of_one_space(encoder):
    images, texts = encoder.encode_image([RED, BLUE]), encoder.encode_text(["a cat", "a dog"])

    assert images.shape == texts.shape == (2, encoder.width)
    for embeds in (images, texts):
        assert embeds.dtype == torch.float32
        torch.testing.assert_close(embeds.norm(dim=-1), torch.ones(2), atol=1e-6, rtol=0)
    assert encoder.encode_image(RED).shape == (1, encoder.width)
    assert torch.equal(encoder.encode_text("a cat"), texts[:1])


def test_the_embedded_towers_know_colours_and_things(encoder):
    images = encoder.encode_image([RED, BLUE])
    zh = load_encoder("embedded-zh")

    assert (images @ encoder.encode_text(["red background", "blue background"]).T).argmax(
        1
    ).tolist() == [0, 1]
    assert (images @ zh.encode_text(["红色背景", "蓝色背景"]).T).argmax(1).tolist() == [0, 1]
    assert torch.equal(zh.encode_image([RED, BLUE]), images)
    config = json.loads((EMBEDDED / "vision_tower" / "config.json").read_text(encoding="utf-8"))
    scales = {"embedded": encoder.logit_scale, "embedded-zh": zh.logit_scale}
    assert scales == config["clipcond"]["logit_scale"]
    assert min(scales.values()) > 1


def test_a_long_text_is_the_mean_of_its_chunks_by_their_tokens(encoder):
    room = encoder.tower.special.room
    first, rest = " ".join(["cat"] * room), " ".join(["dog"] * 5)
    parts = encoder.encode_text([first, rest])

    whole = encoder.encode_text(f"{first} {rest}")[0]

    expected = (room * parts[0] + 5 * parts[1]) / (room + 5)
    torch.testing.assert_close(whole, expected / expected.norm(), atol=1e-6, rtol=0)


def test_a_text_does_not_depend_on_its_neighbours(encoder):
    texts = ["a cat", " ".join(["dog"] * 200), "", "red background"]

    together = encoder.encode_text(texts)

    for text, row in zip(texts, together, strict=True):
        assert torch.equal(encoder.encode_text(text)[0], row)


@pytest.mark.parametrize("name", ["embedded", "embedded-zh"])
def test_padding_is_left_out_and_changes_nothing(name, monkeypatch):
    encoder, texts = load_encoder(name), ["a cat", "", "a red dog", "red cat", "红色的猫"]
    tower, shapes = encoder.tower, []
    encode = type(tower).encode

    def watching(self, ids, *args, **kwargs):
        shapes.append(tuple(ids.shape))
        return encode(self, ids, *args, **kwargs)

    monkeypatch.setattr(type(tower), "encode", watching)
    short = encoder.embed(texts, trimmed=True)
    assert len(shapes) > 2
    assert all(length < tower.special.context_length / 2 for _, length in shapes)
    whole = encoder.embed(texts)
    assert shapes[-1] == (5, tower.special.context_length)

    torch.testing.assert_close(short, whole, atol=1e-6, rtol=0)


def test_brackets_of_plain_texts_are_text(encoder):
    with pytest.warns(PromptWarning, match=r"knows \d+ words; it cannot read 'xylophone'"):
        plain = encoder.encode_text("a xylophone")
    assert not torch.equal(encoder.encode_text("(red:1.3) cat"), encoder.encode_text("red cat"))
    assert plain.shape == (1, encoder.width)


@pytest.mark.parametrize("texts", [[], ["a", 3], 3, None])
def test_texts_are_strings(encoder, texts):
    with pytest.raises((PromptTypeError, PromptError)):
        encoder.encode_text(texts)


def test_batches_change_nothing_and_come_in_order(encoder, tmp_path):
    files = pictures_at(tmp_path)
    one_by_one = torch.cat([encoder.encode_image(file) for file in files])

    for batch_size in (1, 2, len(files), 100):
        torch.testing.assert_close(
            encoder.encode_image(files, batch_size=batch_size), one_by_one, atol=1e-6, rtol=0
        )


def test_what_cannot_be_read_is_left_out_and_listed(encoder, tmp_path):
    files = [*pictures_at(tmp_path)[:3]]
    files.insert(0, tmp_path / "none.png")
    files.insert(2, tmp_path / "text.png")
    (tmp_path / "text.png").write_text("a cat")

    for batch_size in (1, 2, 5):
        found = encoder.encode_pictures(files, batch_size=batch_size)
        assert found.places == (1, 3, 4)
        assert [bad.place for bad in found.bad] == [0, 2]
        assert [str(bad.error.path) for bad in found.bad] == [str(files[0]), str(files[2])]
        expected = encoder.encode_image([files[i] for i in found.places])
        torch.testing.assert_close(found.embeds, expected, atol=1e-6, rtol=0)
    with pytest.raises(PictureError, match=r"there is no picture .*none\.png"):
        encoder.encode_image(files)
    assert encoder.encode_pictures(files[:1]).embeds.shape == (0, encoder.width)


def test_progress_is_shown_on_standard_error(encoder, capsys):
    encoder.encode_pictures([RED] * 4, batch_size=2, progress=True)

    assert "picture 4 of 4" in capsys.readouterr().err


def test_at_most_two_batches_are_prepared_ahead(encoder, monkeypatch):
    prepared, prepare = [], encoder.prepare
    monkeypatch.setattr(
        encoder, "prepare", lambda picture: (prepared.append(1), prepare(picture))[1]
    )

    batches = encoder.encoded_batches([RED] * 20, batch_size=2)
    next(batches)
    batches.close()

    assert len(prepared) <= 4


@pytest.mark.parametrize("choice", [{"batch_size": 0}, {"batch_size": True}, {"batch_size": 1.5}])
def test_batch_sizes_are_numbers_from_1(encoder, choice):
    with pytest.raises(ReadingError, match="batch_size is a whole number from 1"):
        encoder.encode_image(RED, **choice)


def test_no_pictures_are_refused(encoder):
    with pytest.raises(ReadingError, match="no pictures"):
        encoder.encode_image([])
    with pytest.raises(PictureError, match="one or a list, not int"):
        encoder.encode_image(3)


def copied(encoder, change):
    vision, tower = copy.deepcopy((encoder.vision, encoder.tower))
    with torch.no_grad():
        change(vision, tower)
    return DualEncoder(
        tower,
        vision,
        encoder.prepare,
        logit_scale=encoder.logit_scale,
        text_projection=encoder.text_projection,
    )


def test_nan_is_refused(encoder):
    broken = copied(
        encoder, lambda vision, tower: vision.visual_projection.weight[0].fill_(torch.nan)
    )
    with pytest.raises(ReadingError, match="made NaN, infinity or only zeros of a picture"):
        broken.encode_image(RED)
    with pytest.raises(ReadingError, match="made NaN, infinity or only zeros of a text"):
        copied(encoder, lambda vision, tower: tower._modules().norm.weight.fill_(torch.nan))
    zeros = copied(encoder, lambda vision, tower: vision.visual_projection.weight.zero_())
    with pytest.raises(ReadingError, match="only zeros of a picture"):
        zeros.encode_image(RED)
    with pytest.raises(ReadingError, match="logit_scale of nan"):
        DualEncoder(encoder.tower, encoder.vision, encoder.prepare, logit_scale=torch.nan)


def test_halves_of_two_models_are_refused(encoder):
    with pytest.raises(ReadingError, match="pictures become 128 numbers, texts 7"):
        DualEncoder(
            encoder.tower,
            encoder.vision,
            encoder.prepare,
            logit_scale=1,
            text_projection=torch.ones(7, 128),
        )


def test_the_fingerprint_is_that_of_weights_and_preparation(encoder):
    same = load_encoder("embedded", dtype=torch.float16)
    assert encoder.fingerprint() == same.fingerprint() == load_encoder("embedded").fingerprint()

    def one_value(vision, tower):
        [norm] = [module for name, module in vision.named_modules() if "post_layernorm" in name]
        norm.bias[3] += 0.5

    def one_word(vision, tower):
        tower._table()[320] += 1

    others = {load_encoder("embedded-zh").fingerprint()}
    others |= {copied(encoder, change).fingerprint() for change in (one_value, one_word)}
    assert len({encoder.fingerprint(), *others}) == 4


def test_half_precision_gives_float32_near_the_same(encoder):
    half = load_encoder("embedded", dtype=torch.float16)

    assert half.encode_image(RED).dtype == half.encode_text("a cat").dtype == torch.float32
    assert (half.encode_image([RED, BLUE]) * encoder.encode_image([RED, BLUE])).sum(1).min() > 0.999
    assert (half.encode_text("a cat") @ encoder.encode_text("a cat").T).item() > 0.999


def test_a_tower_without_a_pooled_output_is_refused(encoder):
    class Bare:
        def __init__(self):
            self.__dict__.update(vars(encoder.tower))
            self.special, self.tokenizer = encoder.tower.special, encoder.tower.tokenizer
            self.device, self.dtype, self.name = encoder.tower.device, encoder.tower.dtype, "bare"

        def encode(self, ids, mask, layer=HiddenLayer(), *, pooled=False):  # noqa: B008
            return encoder.tower.encode(ids, mask, layer)

    with pytest.raises(ReadingError, match="'bare' gives no pooled output"):
        DualEncoder(Bare(), encoder.vision, encoder.prepare, logit_scale=1)


def test_models_that_are_not_open_clips_are_refused(encoder):
    with pytest.raises(ReadingError, match="is no open_clip model with a vision half"):
        encoder_from_open_clip(encoder.vision)


def test_the_users_picture_stays_as_it_is(encoder):
    image = picture(30, 20).convert("RGBA")
    before = image.tobytes()

    encoder.encode_image(image)

    assert (image.mode, image.size, image.tobytes()) == ("RGBA", (30, 20), before)
