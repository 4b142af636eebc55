"""What decides numbers decides whether a folder goes on; what does not, does not."""

import json
import pickle
from dataclasses import replace
from functools import partial

import pytest
import torch

from clipcond import Conditioner
from clipcond.bulk import CaptionEncoder, PictureDrawer, encode_captions
from clipcond.bulk.identity import described, identity_of
from clipcond.chunking import splitters
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import ArgumentError, BulkError
from tests.conditioning.conditioners import pair
from tests.failures import failures_of
from tests.parity.models import tower_l
from tests.pipelines.models import tiny_sd

A1111 = DIALECTS["a1111"]


def made(**choices):
    return Conditioner(tower_l(), **choices)


def with_inversion(vector):
    conditioner = made()
    conditioner.load_inversion({"<mood>": torch.full((2, conditioner.embeds_width), vector)})
    return conditioner


def scaled(by):
    def rule(rows, weights, *rest):
        return rows * by

    return rule


OTHERS = {
    "fullwidth": lambda: made(fullwidth=True),
    "extra networks": lambda: made(extra_networks=False),
    "a function of networks": lambda: made(extra_networks=lambda networks: None),
    "another function": lambda: made(extra_networks=lambda networks: print(networks)),
    "syntax": lambda: made(dialect=replace(A1111, syntax="plain")),
    "splitter": lambda: made(dialect=replace(A1111, splitter=splitters.hard)),
    "a splitter's distance": lambda: made(
        dialect=replace(A1111, splitter=partial(A1111.splitter.func, distance=10))
    ),
    "chunks": lambda: made(dialect=replace(A1111, max_chunks=1)),
    "the conditioner's chunks": lambda: made(max_chunks=1),
    "pooled chunk": lambda: made(dialect=replace(A1111, pooled=lambda chunks: chunks[-1])),
    "dialect": lambda: made(dialect="compel"),
    "rule": lambda: made(weighting="scale"),
    "a rule of one's own": lambda: made(weighting=scaled(2.0)),
    "the same code, another number": lambda: made(weighting=scaled(3.0)),
    "normalize": lambda: made(normalize="length"),
    "clip skip": lambda: made(clip_skip=2),
    "inversion": lambda: with_inversion(0.5),
    "another inversion of the name": lambda: with_inversion(0.25),
    "pair": pair,
}


def test_each_of_these_is_another_identity():
    found = {name: json.dumps(identity_of(make())) for name, make in {"": made, **OTHERS}.items()}

    assert len({*found.values()}) == len(found)
    again = {name: json.dumps(identity_of(make())) for name, make in {"": made, **OTHERS}.items()}
    assert again == found


def changed(folder, file, **values):
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


EDITS = {
    "text_encoder/config.json": {"layer_norm_eps": 0.1},
    "tokenizer/tokenizer_config.json": {"pad_token": "!"},
    "unet/config.json": {"norm_eps": 0.1},
    "vae/config.json": {"scaling_factor": 0.5},
}


@pytest.mark.parametrize("file", EDITS)
def test_settings_of_a_models_files_count(tmp_path, file):
    """As its weights do: with others the numbers are others."""
    tiny_sd().save_pretrained(tmp_path / "model")
    before = PictureDrawer(tmp_path / "model").identity()
    assert PictureDrawer(tmp_path / "model").identity() == before
    changed(tmp_path / "model", file, **EDITS[file])

    assert PictureDrawer(tmp_path / "model").identity() != before
    is_text = file.startswith(("text", "token"))
    encoder = CaptionEncoder(tmp_path / "model").identity()
    changed(tmp_path / "model", "model_index.json", _name_or_path="elsewhere")
    assert (encoder["towers"] != before["towers"]) == is_text
    assert CaptionEncoder(tmp_path / "model").identity() == encoder


def test_what_decides_nothing_is_no_part_of_it():
    plain = identity_of(made())

    assert identity_of(made(cache_bytes=0)) == plain
    assert identity_of(made(dialect=replace(A1111))) == plain
    used = made()
    used("a cat")
    assert identity_of(used) == plain == json.loads(json.dumps(plain))


@pytest.mark.parametrize("name", ["fullwidth", "extra networks", "syntax", "inversion"])
def test_a_folder_of_another_reading_is_refused(tmp_path, name):
    (tmp_path / "captions.txt").write_text("a cat # red dog\na cat <lora:x:1>\n")
    folder = tmp_path / "out"
    encode_captions(tmp_path / "captions.txt", folder, CaptionEncoder(made))

    with pytest.raises(BulkError, match="holds other embeddings"):
        encode_captions(tmp_path / "captions.txt", folder, CaptionEncoder(OTHERS[name]))
    encode_captions(tmp_path / "captions.txt", folder, CaptionEncoder(made))


def test_pooled_vectors_are_wanted_where_they_are_kept(tmp_path):
    (tmp_path / "captions.txt").write_text("a cat\na dog\n")
    encoder = pickle.loads(pickle.dumps(CaptionEncoder(keep="pooled")))
    summary = encode_captions(tmp_path / "captions.txt", tmp_path / "out", encoder)

    assert (summary.n_captions, summary.n_rejected) == (2, 0)
    for wrong in (CaptionEncoder(made, keep="pooled"), CaptionEncoder(keep="pooled", pooled=False)):
        with pytest.raises(ArgumentError, match="gives no pooled vectors to keep"):
            encode_captions(tmp_path / "captions.txt", tmp_path / "other", wrong)


def test_every_field_of_a_dialect_counts():
    def check(name):
        field = getattr(A1111, name)
        other = replace(A1111, **{name: not field if isinstance(field, bool) else object})
        assert described(other) != described(A1111), name

    assert not failures_of(check, A1111.__dataclass_fields__)
