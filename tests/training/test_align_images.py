"""An adapter of pictures conditions the UNet as their captions do."""

import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from clipcond import Conditioner
from clipcond.adapters import load_adapter
from clipcond.cli.entry import main
from clipcond.errors import PairsError, TowerError, TrainingError
from clipcond.training import align_images, read_captions
from tests.training.made import QUIET, settings, teacher

pytestmark = pytest.mark.usefixtures("measure_little")
COLOURS = ("red", "green", "blue", "black", "white", "yellow", "purple", "orange")


class ColourEncoder:
    """Reads the mean colour of a picture."""

    name, width = "colours", 6

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode_image(self, images) -> torch.Tensor:
        rows = []
        for path in images if isinstance(images, list) else [images]:
            self.seen.append(str(path))
            with Image.open(path) as image:
                colour = torch.tensor(image.convert("RGB").getpixel((0, 0))) / 127.5 - 1
            rows.append(torch.cat([colour, colour.square() + 0.5]))
        return normalize(torch.stack(rows), dim=-1)

    def image_fingerprint(self) -> str:
        return "c" * 64


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    """A file of pictures and captions, each colour five times."""
    folder, rows = tmp_path_factory.mktemp("captions"), []
    for i, colour in enumerate(COLOURS * 5):
        Image.new("RGB", (16, 16), colour).save(folder / f"{i}.png")
        rows.append(f"{i}.png\ta {colour} thing")
    path = folder / "captions.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def few(**more):
    return settings(text_steps=2, unet_steps=1, **more)


def test_the_record_names_encoder_and_layer(tmp_path, captions):
    output, pupil, encoder = tmp_path / "image.safetensors", teacher(), ColourEncoder()
    found = align_images(pupil, encoder, captions, output, settings=few(), loop=QUIET)

    adapter, record = load_adapter(output)
    assert record == found
    assert (adapter.config.kind, adapter.config.tower_width) == ("image", 6)
    assert (record.tower, record.tower_name) == (encoder.image_fingerprint(), "colours")
    assert (record.tower_clip_skips, record.teacher_clip_skips) == ((1,), (1,))
    assert record.data == "captions.tsv, 40 with pictures"
    assert record.stages == {"text": 2, "unet": 1}
    assert len(set(encoder.seen)) == len(encoder.seen) == 40  # each picture is encoded once
    conditioner = Conditioner(*pupil.towers)
    conditioner.take_images(adapter, encoder)
    picture = captions.parent / "0.png"
    assert conditioner.with_image(picture, "a cat").embeds.shape == (1, 154, 32)


@pytest.mark.slow
def test_pictures_are_read_as_their_captions(tmp_path, captions):
    output, pupil, encoder = tmp_path / "image.safetensors", teacher(), ColourEncoder()
    chosen = settings(text_steps=150, unet_steps=0, text_lr=1e-2, hidden=32)
    record = align_images(pupil, encoder, captions, output, settings=chosen, loop=QUIET)

    assert record.losses["text.read"] < 0.2  # 1 = the same for every picture
    conditioner = Conditioner(*pupil.towers)
    conditioner.take_images(output, encoder)
    pictures = [captions.parent / f"{i}.png" for i in range(len(COLOURS))]
    rows = conditioner.with_image(pictures).embeds
    texts = conditioner([f"a {colour} thing" for colour in COLOURS]).embeds
    noise = torch.randn(1, *pupil.latent_shape(), generator=torch.Generator().manual_seed(1))
    noise, steps = noise.expand(8, -1, -1, -1), torch.full((8,), 500)
    found = pupil.predict(noise, steps, rows, None).flatten(1)
    wanted = pupil.predict(noise, steps, texts, None).flatten(1)
    assert torch.cdist(found, wanted).argmin(dim=1).tolist() == list(range(8))


def test_one_layer_of_the_teacher_is_matched(tmp_path, captions):
    output = tmp_path / "image.safetensors"
    two = few(teacher_clip_skips=(2,))
    record = align_images(teacher(), ColourEncoder(), captions, output, settings=two, loop=QUIET)

    assert record.teacher_clip_skips == (2,)
    with pytest.raises(TrainingError, match="1 clip skips of the tower, but 2 of the teacher"):
        align_images(
            teacher(), ColourEncoder(), captions, tmp_path / "two.safetensors",
            settings=few(clip_skips=(1, 2), teacher_clip_skips=(1, 2)), loop=QUIET,
        )  # fmt: skip


def test_an_image_adapter_is_trained_further(tmp_path, captions):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    pupil, encoder = teacher(), ColourEncoder()
    align_images(pupil, encoder, captions, first, settings=few(), loop=QUIET)
    record = align_images(
        pupil, encoder, captions, second, settings=few(), loop=QUIET, start_from=first
    )

    assert record.stages == {"text": 4, "unet": 2}
    other = ColourEncoder()
    other.image_fingerprint = lambda: "d" * 64  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="was not aligned to 'colours'"):
        align_images(
            pupil, other, captions, tmp_path / "third.safetensors",
            settings=few(), loop=QUIET, start_from=first,
        )  # fmt: skip


def test_captions_need_pictures(tmp_path, captions):
    path = tmp_path / "captions.jsonl"
    path.write_text('{"image": "", "text": "a cat"}\n')
    with pytest.raises(PairsError):
        align_images(teacher(), ColourEncoder(), path, tmp_path / "a.safetensors", loop=QUIET)


def test_a_picture_that_cannot_be_read_is_skipped(tmp_path, captions):
    for i in range(12):
        (tmp_path / f"{i}.png").write_bytes((captions.parent / f"{i}.png").read_bytes())
    (tmp_path / "3.png").write_bytes(b"no picture")
    path = tmp_path / "captions.tsv"
    path.write_text("".join(f"{i}.png\ta {COLOURS[i % 8]} thing\n" for i in range(12)))
    chosen = settings(text_steps=1, unet_steps=0)
    record = align_images(
        teacher(), ColourEncoder(), path, tmp_path / "a.safetensors", settings=chosen, loop=QUIET
    )

    assert record.n_pairs == 11


def test_a_text_tower_takes_no_image_adapter(tmp_path, captions):
    from clipcond.training import align
    from tests.training.made import tower_zh, write

    with pytest.raises(TowerError, match="an image adapter reads the embeddings of pictures"):
        align(
            teacher(), tower_zh(), write(tmp_path), tmp_path / "a.safetensors",
            settings=few(adapter="image"), loop=QUIET,
        )  # fmt: skip


@pytest.mark.slow
def test_the_command(tmp_path, captions, capsys):
    output = tmp_path / "image.safetensors"
    command = ["align", "--image", "--tower", "embedded", "--pairs", str(captions)]
    few_steps = ["--text-steps", "1", "--text-batch", "2", "--unet-steps", "0", "--device", "cpu"]

    assert main([*command, "-o", str(output), *few_steps]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(output)
    _, record = load_adapter(output)
    assert record.teacher_clip_skips == (2,)  # the embedded model's own


def test_options_of_texts_are_refused_with_pictures(tmp_path, captions, capsys):
    command = ["align", "--image", "--tower", "embedded", "--pairs", str(captions)]
    for wrong in (["--adapter", "linear"], ["--clip-skip", "2"], ["--tower-column", "x"]):
        assert main([*command, "-o", str(tmp_path / "b.safetensors"), *wrong]) == 2
        assert "--image goes without --adapter, --clip-skip and" in capsys.readouterr().err


def test_columns_are_those_of_captions(captions):
    pairs = read_captions(captions)
    assert pairs.pairs[0].tower == "a red thing"
