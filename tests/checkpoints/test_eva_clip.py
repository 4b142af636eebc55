"""EVA-CLIP's weights, run by transformers, against the official code's text transformer."""

import pytest
import torch

from clipcond import Conditioner
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.errors import CheckpointError
from clipcond.towers import HiddenLayer
from tests.checkpoints.open_clip_recipe import EVA, LONG, POSITIVE, weights
from tests.towers.golden_layers import CLOSE, chunks, differences, golden

NAMES = list(EVA)


def flat(name):
    return {key.removeprefix("text."): tensor for key, tensor in weights(EVA[name]).items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_and_pooled_are_those_of_the_official_code(name):
    ours = differences(
        open_state_dict(weights(EVA[name]), name=name), chunks(), golden("eva_clip"), name
    )

    assert len(ours) == 7
    assert all(each <= CLOSE for each in ours.values()), ours


@pytest.mark.parametrize("name", ["eva01-g", "eva02-e-plus"])
def test_a_projection_stored_the_other_way_round_is_refused(name):
    case = EVA[name]
    turned = {**weights(case), "text.text_projection": torch.zeros(case.embed, case.width)}

    with pytest.raises(CheckpointError) as caught:
        open_state_dict(turned, name="x")
    assert str(caught.value).startswith(
        f"'x': 'text.text_projection' is [{case.embed}, {case.width}], expected [{case.width}, "
    )


def test_all_ways_in_which_the_official_code_saves():
    expected = open_state_dict(weights(EVA["eva01-g"]), name="x").encode(
        chunks(), None, HiddenLayer(2), pooled=True
    )
    custom, bare = weights(EVA["eva01-g"]), flat("eva01-g")
    more = {
        "logit_scale": torch.zeros(()),
        "visual.cls_token": torch.zeros(1, 1, 4),
        "visual.blocks.0.attn.q_proj.weight": torch.zeros(4, 4),
        "visual.rope.freqs_cos": torch.zeros(4, 4),
    }
    files = [
        custom | more | {"text.logit_scale": torch.zeros(())},
        bare | more,
        {"module." + key: tensor for key, tensor in (custom | more).items()},
        {"module." + key: tensor for key, tensor in (bare | more).items()},
        {"model": custom | more},
        {"module": bare | more},
        {"state_dict": {"module." + key: tensor for key, tensor in custom.items()}, "epoch": 3},
    ]
    for file in files:
        kind = "eva_clip" if file is not files[-1] else None  # of text tensors alone
        ours = open_state_dict(file, name="x", kind=kind).encode(
            chunks(), None, HiddenLayer(2), pooled=True
        )

        assert torch.equal(ours.hidden, expected.hidden)
        assert torch.equal(ours.pooled, expected.pooled)


def test_mixed_precision_as_the_official_code_saves_it():
    # its fp16 files hold matrices in half precision, norms and embeddings often not
    mixed = {
        key: tensor.half() if tensor.dim() > 1 and "embedding" not in key else tensor
        for key, tensor in weights(EVA["eva02-l"]).items()
    }
    rounded = {key: tensor.float() for key, tensor in mixed.items()}

    a, b = (
        open_state_dict(w, name="x").encode(chunks(), None, HiddenLayer(1), pooled=True)
        for w in (mixed, rounded)
    )

    assert a.hidden.dtype == torch.float32
    assert torch.equal(a.hidden, b.hidden)
    assert torch.equal(a.pooled, b.pooled)
    assert {
        p.dtype for p in open_state_dict(mixed, name="x", dtype=torch.half).model.parameters()
    } == {torch.half}


@pytest.mark.parametrize("clip_skip", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_conditioner_with_a_200_token_prompt(name, clip_skip):
    theirs = golden("eva_clip")[f"{name}/normed.{clip_skip}"]
    conditioner = Conditioner(open_state_dict(weights(EVA[name]), name=name), clip_skip=clip_skip)

    guided = conditioner.guided(LONG, POSITIVE)

    long = guided.positive.embeds[0, :, ::16].reshape(3, 77, -1)
    assert (long - theirs[2:]).abs().max() <= CLOSE
    assert (guided.negative.embeds[0, :77, ::16] - theirs[1]).abs().max() <= CLOSE
    weighted = conditioner(f"({POSITIVE}:1.3)").embeds
    assert (weighted - conditioner(POSITIVE).embeds).abs().max() > 0.01


def test_layers_above_the_requested_one_do_not_run():
    ours = open_state_dict(weights(EVA["eva01-g"]), name="x")
    runs = []
    for i, layer in enumerate(ours.model.text_model.encoder.layers):
        layer.register_forward_hook(lambda *_, i=i: runs.append(i))

    ours.encode(chunks(), None, HiddenLayer(3, True))

    assert runs == [0]


def test_something_else_is_refused():
    with pytest.raises(CheckpointError) as caught:
        open_state_dict({"visual.pos_embed": torch.zeros(1)}, name="vision.pt")
    assert str(caught.value) == ("'vision.pt' holds no text tower\nIt holds a vision tower.")
