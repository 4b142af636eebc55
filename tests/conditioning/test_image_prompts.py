"""Pictures stand in for prompts: their rows, their weight, and what stands beside them."""

import copy
import pickle
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from clipcond import Conditioner, HiddenLayer, slerp
from clipcond.adapters import save_adapter
from clipcond.conditioning.dialects import DIALECTS
from clipcond.conditioning.image_prompts import ImageReader
from clipcond.errors import ArgumentError, PromptWarning, TowerError
from clipcond.towers import OpenAIClipTower
from tests.adapters.made import adapter, record
from tests.parity.models import model_l, tower_g, tower_l

P = 12


class Encoder:
    """Numbers are pictures: each has a direction of its own."""

    name, width = "numbers", P

    def encode_image(self, images) -> Tensor:
        numbers = images if isinstance(images, list) else [images]
        rows = [torch.randn(P, generator=torch.Generator().manual_seed(n)) for n in numbers]
        return normalize(torch.stack(rows), dim=-1)

    def image_fingerprint(self) -> str:
        return "ab" * 32


def image_adapter(width: int = 32, length: int = 77, **sizes):
    made = adapter("image", tower_width=P, width=width, length=length, **sizes)
    made.record = record(tower=Encoder().image_fingerprint(), tower_name="numbers", width=width)
    return made


def made(**choices) -> Conditioner:
    conditioner = Conditioner(tower_l(), **choices)
    conditioner.take_images(image_adapter(), Encoder())
    return conditioner


def by_hand(*numbers: int, **sizes) -> Tensor:
    return image_adapter(**sizes)(Encoder().encode_image(list(numbers))[:, None]).hidden


def test_a_picture_alone_is_what_the_adapter_makes_of_it():
    found = made().with_image(1)

    assert torch.equal(found.embeds, by_hand(1))
    assert (found.pooled, found.attention_mask, found.issues) == (None, None, ())
    assert not found.embeds.requires_grad
    assert not torch.allclose(found.embeds, by_hand(2), atol=1e-3)


def test_a_prompt_follows_the_picture():
    conditioner = made()
    text = conditioner("a (red:1.3) cat BREAK a dog")
    found = conditioner.with_image(1, "a (red:1.3) cat BREAK a dog")

    assert torch.equal(found.embeds, torch.cat([by_hand(1), text.embeds], dim=1))


def test_the_weight_moves_rows_from_the_empty_prompt():
    conditioner = made()
    empty, whole = conditioner("").embeds, by_hand(1)

    assert torch.equal(conditioner.with_image(1, image_weight=0).embeds, empty)
    half = conditioner.with_image(1, "a cat", 0.5)
    torch.testing.assert_close(half.embeds[:, :77], empty + 0.5 * (whole - empty))
    more = conditioner.with_image(1, image_weight=1.5).embeds
    torch.testing.assert_close(more, empty + 1.5 * (whole - empty))


def test_one_serves_several_and_neighbours_change_nothing():
    conditioner = made()
    both = conditioner.with_image([1, 2], ["a cat", "a dog"])
    cats = conditioner.with_image([1, 2], "a cat")
    ones = conditioner.with_image(1, ["a cat", "a dog"])

    same = {"rtol": 0, "atol": 5e-6}  # batches of another size are summed in another order
    for i, (number, prompt) in enumerate([(1, "a cat"), (2, "a dog")]):
        alone = conditioner.with_image(number, prompt).embeds
        torch.testing.assert_close(both.embeds[i : i + 1], alone, **same)
        torch.testing.assert_close(cats.embeds[i : i + 1, :77], by_hand(number), **same)
        torch.testing.assert_close(ones.embeds[i : i + 1, 77:], conditioner(prompt).embeds, **same)
    mixed = conditioner.with_image([1, 2], ["", "a dog"]).embeds
    torch.testing.assert_close(mixed[:1, :77], conditioner.with_image(1).embeds, **same)
    assert torch.equal(mixed[:1, 77:], conditioner("").embeds)  # as any shorter prompt is filled up


def test_embeddings_stand_for_pictures():
    conditioner, encoder = made(), Encoder()
    one, two = encoder.encode_image([1, 2])

    torch.testing.assert_close(conditioner.with_image(one).embeds, by_hand(1))
    torch.testing.assert_close(conditioner.with_image(7 * one).embeds, by_hand(1))
    between = conditioner.with_image(slerp(one, two, 0.5)).embeds
    assert not torch.allclose(between, by_hand(1), atol=1e-3)
    torch.testing.assert_close(conditioner.with_image(slerp(one, two, 1.0)).embeds, by_hand(2))
    nothing = conditioner.with_image(torch.zeros(P)).embeds
    assert nothing.isfinite().all()


def test_in_every_dialect_the_weight_has_the_whole_empty_chunk():
    failures = []
    for dialect, weight in product(sorted(DIALECTS), (0, 1)):
        plain = Conditioner(tower_l(), dialect="plain", clip_skip=2)
        found = made(dialect=dialect, clip_skip=2).with_image(1, image_weight=weight).embeds
        expected = by_hand(1) if weight else plain("").embeds
        if not torch.equal(found, expected):
            failures.append((dialect, weight))
    assert not failures


def test_clip_skip_and_layer_are_those_of_the_prompt():
    conditioner = made(dialect="sd_embed", layer=HiddenLayer(2, final_norm=False))
    plain = Conditioner(tower_l(), dialect="plain", layer=HiddenLayer(2, final_norm=False))

    assert torch.equal(conditioner.empty_chunk().embeds, plain("").embeds)
    assert torch.equal(conditioner.empty_chunk(1).embeds, plain("", 1).embeds)
    found = conditioner.with_image(1, "a cat", clip_skip=1).embeds
    assert torch.equal(found[:, 77:], conditioner("a cat", 1).embeds)


def test_a_pair_of_towers_gets_the_pooled_vector_of_the_prompt_or_of_the_picture():
    conditioner = Conditioner(tower_l(), tower_g())
    pooled_width = conditioner("").pooled.shape[-1]
    own = image_adapter(conditioner.embeds_width, pooled_width=pooled_width)
    conditioner.take_images(own, Encoder())
    found = conditioner.with_image([1, 2], ["", "a cat"])

    expected = own(Encoder().encode_image([1])[:, None])
    assert found.embeds.shape == (2, 154, conditioner.embeds_width)
    torch.testing.assert_close(found.pooled[:1], expected.pooled)
    torch.testing.assert_close(found.pooled[1:], conditioner("a cat").pooled)
    none = conditioner.with_image(1, image_weight=0)
    assert torch.equal(none.pooled, conditioner("").pooled)


def test_a_prompt_that_changes_over_time_is_warned_of_as_ever():
    conditioner = made()
    with pytest.warns(PromptWarning, match="changes while denoising"):
        plain = conditioner("[cat:dog:0.5]")
    with pytest.warns(PromptWarning, match="changes while denoising"):
        found = conditioner.with_image(1, "[cat:dog:0.5]")

    assert torch.equal(found.embeds[:, 77:], plain.embeds)
    assert found.issues == plain.issues != ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1,), "", float("nan")), "image_weight is a finite number, not nan"),
        (((1,), "", True), "image_weight is a finite number, not True"),
        (((1,), "", "much"), "image_weight is a finite number, not 'much'"),
        (
            ([1, 2, 3], ["a", "b"]),
            "3 pictures, but 2 prompts\nGive as many, or one of either for all of the others.",
        ),
        ((torch.ones(3, 5),), "embeddings are [n 12], not [3, 5]"),
        ((torch.ones(0, P),), "embeddings are [n 12], not [0, 12]"),
        ((torch.full((P,), torch.nan),), "embeddings of pictures hold NaN or infinity"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        made().with_image(*arguments)
    assert str(caught.value) == message


def test_a_model_without_an_adapter_says_what_to_do():
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_l()).with_image(1)
    assert str(caught.value) == (
        "this model has no image adapter, so pictures cannot take the place of a prompt\n"
        "Give it one with conditioner.take_images(adapter, encoder). To train one: clipcond align "
        "--image --tower ENCODER --teacher PIPE --pairs CAPTIONS -o image.safetensors"
    )


def test_what_does_not_belong_together_is_refused(tmp_path):
    other = image_adapter()
    other.record = replace(other.record, tower="0" * 64, tower_name="theirs")
    namesake = image_adapter()
    namesake.record = replace(namesake.record, tower="0" * 64)
    too_wide, of_text = image_adapter(24), adapter("resampler")
    unrecorded = adapter("image", tower_width=8, length=77)
    for other_kind, message in (
        (other, "the image adapter was aligned to the encoder 'theirs', not to this 'numbers'\n"),
        (namesake, "the image adapter was aligned to another encoder, not to this 'numbers'\n"),
        (unrecorded, "the image adapter was aligned to another encoder, not to this 'numbers'\n"),
        (too_wide, "the image adapter makes rows 24 wide, but this model reads 32\n"),
        (of_text, "a 'resampler' adapter reads a text tower, not pictures\n"),
    ):
        with pytest.raises(TowerError) as caught:
            Conditioner(tower_l()).take_images(other_kind, Encoder())
        assert str(caught.value).startswith(message)
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_l(), adapter=image_adapter())
    assert str(caught.value).startswith("the adapter reads a tower 12 wide; ")
    fitting = adapter("image", tower_width=32, length=77)
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_l(), adapter=fitting)
    assert str(caught.value) == (
        f"an image adapter reads the embeddings of pictures, not the chunks of {tower_l().name!r}\n"
        "A text tower takes a resampler; this one is for Conditioner.take_images()."
    )
    path = tmp_path / "image.safetensors"
    save_adapter(image_adapter(), image_adapter().record, path)
    conditioner = Conditioner(tower_l())
    conditioner.take_images(path, Encoder())
    assert torch.equal(conditioner.with_image(1).embeds, by_hand(1))


def test_rows_of_another_length_have_no_weight():
    conditioner = Conditioner(tower_l())
    conditioner.take_images(image_adapter(length=20), Encoder())

    assert conditioner.with_image(1).embeds.shape == (1, 20, 32)
    with pytest.raises(TowerError, match="makes 20 rows, but a chunk of this tower has 77"):
        conditioner.with_image(1, image_weight=0.5)


def test_nan_from_the_adapter_is_an_error():
    broken = image_adapter()
    with torch.no_grad():
        broken.row_bias.fill_(torch.inf)
    conditioner = Conditioner(tower_l())
    conditioner.take_images(broken, Encoder())
    with pytest.raises(TowerError, match="the image adapter of 'numbers' gives NaN or infinite"):
        conditioner.with_image(1)


def test_the_reader_is_found_once_and_when_it_is_needed():
    found, conditioner = [], Conditioner(tower_l())

    def find() -> ImageReader:
        found.append(1)
        return ImageReader(image_adapter(), Encoder())

    conditioner.find_image_reader = find
    conditioner("a cat")
    assert not found
    conditioner.with_image(1)
    conditioner.with_image(2)
    assert found == [1]


def test_copies_read_pictures():
    conditioner = Conditioner(OpenAIClipTower(model_l.__wrapped__(), tower_l().tokenizer))
    conditioner.take_images(image_adapter(), Encoder())
    twins = (copy.deepcopy(conditioner), pickle.loads(pickle.dumps(conditioner)))
    expected = conditioner.with_image(1, "a cat").embeds

    assert all(torch.equal(twin.with_image(1, "a cat").embeds, expected) for twin in twins)


def test_half_precision():
    tower = copy.deepcopy(tower_l())
    tower.model.to(torch.bfloat16)
    conditioner = Conditioner(tower)
    conditioner.take_images(image_adapter(), Encoder())
    found = conditioner.with_image(1, "a cat", 0.5)

    assert found.embeds.dtype == torch.bfloat16
    assert found.embeds.isfinite().all()
