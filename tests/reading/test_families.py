"""Embeddings, logits and probabilities equal transformers', from the same picture files."""

import pytest
import torch
from PIL import Image

from clipcond.reading import load_encoder
from tests.reading.made import (
    FAMILIES,
    TEXTS,
    CLIPImageProcessorPil,
    SiglipImageProcessorPil,
    pictures_at,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return pictures_at(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A model as transformers has it, and as we open its folder."""
    model, tokenizer = (make() for make in FAMILIES[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if request.param == "siglip":
        processor = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    else:
        processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)
    processor.save_pretrained(folder)
    return request.param, model, tokenizer, processor, load_encoder(folder)


def test_a_folder_compares_as_transformers_does(family, files):
    name, model, tokenizer, processor, encoder = family
    opened = [Image.open(path) for path in files]
    pixels = processor(opened, return_tensors="pt").pixel_values
    padding = "max_length" if name == "siglip" else True
    texts = tokenizer(TEXTS[name], padding=padding, return_tensors="pt")
    if name == "siglip":  # as transformers' own SiglipTokenizer, which gives no mask
        texts.pop("attention_mask")
    with torch.no_grad():
        theirs = model(pixel_values=pixels, **texts)

    images, words = encoder.encode_image(files), encoder.encode_text(TEXTS[name])
    logits = encoder.logits(images, words)

    assert torch.equal(torch.stack([encoder.prepare(path) for path in files]), pixels)
    torch.testing.assert_close(images, theirs.image_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(words, theirs.text_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        logits, theirs.logits_per_image, atol=1e-5 * encoder.logit_scale, rtol=0
    )
    expected = theirs.logits_per_image
    expected = expected.sigmoid() if name == "siglip" else expected.softmax(-1)
    torch.testing.assert_close(encoder.probabilities(logits), expected, atol=1e-5, rtol=0)
