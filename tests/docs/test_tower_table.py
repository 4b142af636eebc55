"""The pages' table of towers: sizes are those of real models, places those where files are read."""

import copy

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from clipcond import load_tower, towers
from clipcond.embedded import folder
from clipcond.files import read_json
from clipcond.towers import OpenAIClipTower
from tests.docs.tower_table import (
    EMBEDDED,
    PAIR,
    ROWS,
    UNETS,
    Row,
    by_shape,
    cells,
    files,
    known_places,
    shown,
)
from tests.parity.models import tokenizer

OURS = [row for row in ROWS if row.tower == "OpenAIClipTower"]
EACH = [(row, shape) for row in OURS for shape in row.shape]


@pytest.mark.parametrize(("row", "shape"), EACH, ids=[f"{r.name} {s[0]}" for r, s in EACH])
def test_a_model_of_that_size_is_such_a_tower(row, shape):
    width, heads, n_blocks, n_pooled = shape
    config = CLIPTextConfig(
        hidden_size=width,
        num_attention_heads=heads,
        num_hidden_layers=n_blocks,
        intermediate_size=4 * width,
        projection_dim=n_pooled,
        max_position_embeddings=row.context,
    )
    with torch.device("meta"):
        model = CLIPTextModelWithProjection(config)
    tokens = copy.deepcopy(tokenizer())
    tokens.model_max_length = row.context
    tower = OpenAIClipTower(model, tokens)

    assert (tower.width, tower.depth, tower.special.context_length) == (
        width, n_blocks, row.context,
    )  # fmt: skip
    assert tuple(model.text_projection.weight.shape) == (n_pooled, width)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_ones_are_as_they_say(name):
    (row,) = [row for row in ROWS if row.name == name]
    tower = load_tower(name)

    assert type(tower).__name__ == row.tower
    assert row.widths == (tower.width,) == (UNETS["embedded"],)
    assert (row.shape[0][2], row.context) == (tower.depth, tower.special.context_length)
    unet = read_json(folder() / "unet" / "config.json")
    assert unet["cross_attention_dim"] == tower.width


def test_every_tower_of_the_package_is_there():
    classes = {name for name in towers.__all__ if name.endswith("Tower")} - {"TextTower"}

    assert {row.tower for row in shown()} == classes
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_place_where_files_are_read_is_some_towers():
    assert known_places()
    assert {place for row in ROWS for place in row.places} == set(known_places())
    own = {row.name for row in shown() if "files of" not in files(row)}
    assert own == {
        *(*EMBEDDED, "AltCLIP"),
        *(name for name in own if name.startswith(("MetaCLIP 2", "SigLIP"))),
        *(name for name in own if name.startswith("OpenCLIP xlm-roberta")),
    }


@pytest.mark.parametrize(
    ("widths", "context", "expected"),
    [
        ((768,), 77, "SD1, SDXL (first)"),
        ((768,), 52, "SD1"),
        ((1024,), 77, "SD2"),
        ((1280,), 77, "SDXL refiner, SDXL (second)"),
        ((512,), 77, "none"),
        (PAIR, 77, "SDXL"),
        ((768, 768), 77, "none"),
    ],
)
def test_what_fits_by_shape(widths, context, expected):
    shape = tuple((width, 1, 1, 1) for width in widths)

    assert by_shape(Row("x", shape, "T", "t", context=context)) == expected


def test_what_was_trained_together_fits_by_shape():
    # the UNets named by meaning are among those named by shape, but for SD3, which has none
    for row in OURS:
        *_, shape, meaning = cells(row)
        for unet in UNETS:
            named = [part.strip() for part in meaning.split(",")]
            assert unet not in named or unet in shape.split(", "), row.name
