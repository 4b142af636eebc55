"""Weights in open_clip's layout, run by transformers, against what open_clip itself gave."""

import pytest
import torch

from clipcond import Conditioner
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.errors import CheckpointError, ClipcondWarning
from clipcond.towers import HiddenLayer
from tests.checkpoints.open_clip_recipe import (
    LONG,
    NEGATIVE,
    OPEN_CLIP,
    POSITIVE,
    weights,
)
from tests.towers.golden_layers import CLOSE, chunks, differences, golden

NAMES = list(OPEN_CLIP)


def tower(name, *, is_other=False):
    """The tower of a case with its own activation, or with the other one."""
    case = OPEN_CLIP[name]
    activation = ("gelu", "quick_gelu")[case.quick_gelu != is_other]
    return open_state_dict(weights(case), name=name, activation=activation)


def plain(weights, **choices):
    return open_state_dict(weights, name="x", activation="gelu", **choices)


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_and_pooled_are_those_of_open_clip(name):
    ours = differences(tower(name), chunks(), golden("open_clip"), name)

    assert len(ours) == 7
    assert all(difference <= CLOSE for difference in ours.values()), ours


@pytest.mark.parametrize("name", NAMES)
def test_the_other_activation_would_be_seen(name):
    wrong = tower(name, is_other=True)

    assert min(differences(wrong, chunks(), golden("open_clip"), name).values()) > 1e-3


def test_a_projection_that_is_not_transposed_would_be_seen():
    spoiled = dict(weights(OPEN_CLIP["flat"]))
    spoiled["text_projection"] = spoiled["text_projection"].t()  # square: the shapes still fit
    theirs = golden("open_clip")["flat/pooled"]

    ours = plain(spoiled)
    pooled = ours.encode(chunks(), None, HiddenLayer(1), pooled=True).pooled

    assert (pooled - theirs).abs().max() > 1


def test_what_is_beside_the_text_half_is_ignored():
    flat = weights(OPEN_CLIP["flat"])
    more = {
        "visual.transformer.resblocks.0.attn.in_proj_weight": torch.zeros(3, 1),
        "visual.proj": torch.zeros(2, 2),
        "logit_scale": torch.zeros(()),
        "attn_mask": torch.zeros(77, 77),
        "text_decoder.transformer.resblocks.0.attn.in_proj_weight": torch.zeros(3, 1),
        **{"epoch": 3, "visual.image_size": (224, 224), "version": "1.0"},  # of training scripts
    }
    expected = tower("flat").encode(chunks(), None, HiddenLayer(2), pooled=True)
    for prefix in ("module.", "cond_stage_model.model.", "text.", "module.text."):
        renamed = {prefix + key: tensor for key, tensor in flat.items()} | more

        output = plain(renamed).encode(chunks(), None, HiddenLayer(2), pooled=True)
        assert torch.equal(output.hidden, expected.hidden)
        assert torch.equal(output.pooled, expected.pooled)
    with pytest.raises(CheckpointError, match="'x' holds no text tower"):
        plain(more)


def test_the_state_dict_is_left_as_it_is():
    given = weights(OPEN_CLIP["flat"])
    before = {key: tensor.clone() for key, tensor in given.items()}

    model = plain(given).model
    for layer in getattr(model, "text_model", model).encoder.layers:  # copies of their own
        layer.self_attn.k_proj.weight.data.zero_()

    assert given.keys() == before.keys()
    assert all(torch.equal(given[key], before[key]) for key in before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_open_in_any_precision(dtype):
    half = {key: tensor.to(dtype) for key, tensor in weights(OPEN_CLIP["flat"]).items()}

    wide = plain(half)
    same = plain(half, dtype=dtype)

    assert wide.dtype == torch.float32
    assert same.dtype == dtype
    assert same.encode(chunks(), None, HiddenLayer(1)).hidden.dtype == dtype
    narrowed = {key: tensor.float() for key, tensor in half.items()}
    exact = plain(narrowed)
    both = [t.encode(chunks(), None, HiddenLayer(1)).hidden for t in (wide, exact)]
    assert torch.equal(*both)


def test_a_model_without_projection_and_one_with_a_linear_one():
    flat = dict(weights(OPEN_CLIP["flat"]))
    expected = tower("flat").encode(chunks(), None, HiddenLayer(1), pooled=True)
    projection = flat.pop("text_projection")

    bare = plain(flat)
    flat["text_projection.weight"] = projection.t()
    linear = plain(flat)

    pooled = bare.encode(chunks(), None, HiddenLayer(1), pooled=True).pooled
    assert torch.allclose(pooled @ projection, expected.pooled, atol=CLOSE, rtol=0)
    ours = linear.encode(chunks(), None, HiddenLayer(1), pooled=True).pooled
    assert torch.equal(ours, expected.pooled)


def test_longclips_second_table_of_positions():
    flat = weights(OPEN_CLIP["flat"])
    random = torch.Generator().manual_seed(0)
    more = torch.randn(248, 128, generator=random)
    kept = torch.cat([flat["positional_embedding"], more[77:]])
    split = {**flat, "positional_embedding": kept, "positional_embedding_res": more}
    joined = {**flat, "positional_embedding": torch.cat([kept[:20], more[20:]])}

    a = open_state_dict(split, name="x")
    b = open_state_dict(joined, name="x", activation="quick_gelu")
    ids = torch.randint(1, 49405, (2, 248), generator=random)

    assert a.special.context_length == b.special.context_length == 248
    states = [t.encode(ids, None, HiddenLayer(1)).hidden for t in (a, b)]
    assert torch.equal(*states)


def test_what_it_says_about_itself():
    ours = tower("flat-quickgelu")

    assert (ours.name, ours.width, ours.depth) == ("flat-quickgelu", 128, 3)
    assert (ours.special.bos, ours.special.eos, ours.special.pad) == (49406, 49407, 0)
    assert (ours.special.context_length, ours.special.mask_padding) == (77, False)
    assert ours.tokenizer.encode("&amp; A Cat") == [261, 320, 2368]
    assert not any(p.requires_grad for p in ours.model.parameters())
    assert not ours.model.training


@pytest.mark.parametrize("clip_skip", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_conditioner_with_a_200_token_prompt(name, clip_skip):
    theirs = golden("open_clip")[f"{name}/normed.{clip_skip}"]
    conditioner = Conditioner(tower(name), clip_skip=clip_skip, dialect="a1111")

    guided = conditioner.guided(LONG, POSITIVE)

    long = guided.positive.embeds[0, :, ::16].reshape(3, 77, -1)
    assert (long - theirs[2:]).abs().max() <= CLOSE
    assert (guided.negative.embeds[0, :77, ::16] - theirs[1]).abs().max() <= CLOSE
    assert guided.positive.embeds.shape == guided.negative.embeds.shape

    weighted = conditioner(f"({POSITIVE}:1.3)").embeds
    plain = conditioner(POSITIVE).embeds
    assert weighted.shape == plain.shape
    assert (weighted - plain).abs().max() > 0.01


def test_entities_reach_the_conditioner_as_open_clip_reads_them():
    pytest.importorskip("ftfy", reason="this prompt has curly quotes")
    theirs = golden("open_clip")["flat/normed.1"][0]

    ours = Conditioner(tower("flat"), dialect="plain")(NEGATIVE).embeds[0, :, ::16]

    assert (ours - theirs).abs().max() <= CLOSE


def test_layers_above_the_requested_one_do_not_run():
    ours = tower("custom-text")
    runs = []
    for i, layer in enumerate(ours.model.text_model.encoder.layers):
        layer.register_forward_hook(lambda *_, i=i: runs.append(i))

    ours.encode(chunks(), None, HiddenLayer(2, True))
    assert runs == [0, 1]
    ours.encode(chunks(), None, HiddenLayer(2, True), pooled=True)
    assert runs == [0, 1, 0, 1, 2]


def test_an_uncertain_activation_is_warned_of():
    with pytest.warns(ClipcondWarning) as caught:
        ours = open_state_dict(weights(OPEN_CLIP["flat"]), name="model.safetensors")

    assert [str(w.message) for w in caught if w.category is ClipcondWarning] == [
        "the activation of model.safetensors #1 128 wide, 3 layers is taken to be gelu (most "
        "open_clip models of this size have it; OpenAI's have quick_gelu); activation= says "
        "otherwise"
    ]
    assert ours.model.config.hidden_act == "gelu"


def test_heads_can_be_said():
    flat = weights(OPEN_CLIP["flat"])

    assert plain(flat, n_heads=4).model.config.num_attention_heads == 4
    assert plain(flat).model.config.num_attention_heads == 2
    with pytest.raises(CheckpointError) as caught:
        plain(flat, n_heads=3)
    assert str(caught.value) == "'x' is 128 wide, which 3 attention heads cannot share"


REMEDY = (
    "The tower is #1 128 wide, 3 layers, in the layout of open_clip. Where open_clip opens it, "
    "give its model to OpenClipTower."
)
BLOCK = "transformer.resblocks.1."


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({f"{BLOCK}ln_2.bias": None}, f"it has no tensor '{BLOCK}ln_2.bias' (expected [128])"),
        (
            {"text_projection": torch.zeros(64, 128)},
            "'text_projection' is [64, 128], expected [128, 128]",
        ),
        (
            {f"{BLOCK}attn.in_proj_weight": torch.zeros(9, 128)},
            f"'{BLOCK}attn.in_proj_weight' is [9, 128], expected [384, 128]",
        ),
        (
            {f"{BLOCK}ln_1.weight": torch.ones(128).int()},
            f"'{BLOCK}ln_1.weight' is int32, expected floating point",
        ),
        ({"positional_embedding": torch.zeros(0, 128)}, "it has a size of 0, or no block"),
        (
            {f"{BLOCK}ls_1.gamma": torch.ones(128)},
            f"it has 1 tensor that no such tower has, such as '{BLOCK}ls_1.gamma'",
        ),
        (
            {"cls_emb": torch.ones(128)},
            "it has 1 tensor that no such tower has, such as 'cls_emb'",
        ),
        (
            {"token_embedding.weight": torch.zeros(32000, 128)},
            "its vocabulary has 32000 entries, CLIP's has 49408",
        ),
        (
            {"token_embedding.weight": torch.zeros(60000, 128)},
            "its vocabulary has 60000 entries, CLIP's has 49408",
        ),
    ],
)
def test_damaged_weights_are_refused_with_names_and_shapes(change, problem):
    spoiled = {**weights(OPEN_CLIP["flat"]), **change}
    spoiled = {name: tensor for name, tensor in spoiled.items() if tensor is not None}

    with pytest.raises(CheckpointError) as caught:
        plain(spoiled)
    assert str(caught.value) == f"'x': {problem}\n{REMEDY}"


def test_a_table_of_later_positions_of_another_length_is_refused():
    flat = weights(OPEN_CLIP["flat"])
    more = {"positional_embedding_res": torch.zeros(248, 128)}

    with pytest.raises(CheckpointError, match=r"'positional_embedding_res' is \[248, 128\]"):
        plain(flat | more)
    del (alone := flat | more)["positional_embedding"]
    with pytest.raises(CheckpointError, match="has no tensor 'positional_embedding'"):
        plain(alone)


def test_nothing_at_all_is_refused():
    with pytest.raises(CheckpointError) as caught:
        plain({})
    assert str(caught.value) == "'x' holds no text tower\nIt holds no tensors."
