"""Weights in open_clip's layout, run by transformers, against what open_clip itself gave."""

import copy

import pytest
import torch

from clipcond import Conditioner
from clipcond.checkpoints.open_clip_layout import text_prefix
from clipcond.checkpoints.state_dicts import from_open_clip, guess_activation, looks_open_clip
from clipcond.errors import CheckpointError, ClipcondWarning, TowerError
from clipcond.towers import HiddenLayer, OpenClipTower
from tests.checkpoints.open_clip_recipe import (
    HF,
    LONG,
    NEGATIVE,
    OPEN_CLIP,
    POSITIVE,
    hf_ids,
    weights,
)
from tests.checkpoints.stand_ins import Frames, TextEncoder
from tests.towers.golden_layers import CLOSE, chunks, differences, golden

NAMES = list(OPEN_CLIP)


def tower(name, **choices):
    case = OPEN_CLIP[name]
    choices.setdefault("quick_gelu", case.quick_gelu)
    return from_open_clip(weights(case), name=name, **choices)


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_and_pooled_are_those_of_open_clip(name):
    ours = differences(tower(name), chunks(), golden("open_clip"), name)

    assert len(ours) == 7
    assert all(each <= CLOSE for each in ours.values()), ours


@pytest.mark.parametrize("name", NAMES)
def test_the_other_activation_would_be_seen(name):
    wrong = tower(name, quick_gelu=not OPEN_CLIP[name].quick_gelu)

    assert min(differences(wrong, chunks(), golden("open_clip"), name).values()) > 1e-3


def test_a_projection_that_is_not_transposed_would_be_seen():
    spoiled = dict(weights(OPEN_CLIP["flat"]))
    spoiled["text_projection"] = spoiled["text_projection"].t()  # square: the shapes still fit
    theirs = golden("open_clip")["flat/pooled"]

    ours = from_open_clip(spoiled, name="x", quick_gelu=False)
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
    }
    expected = tower("flat").encode(chunks(), None, HiddenLayer(2), pooled=True)
    for prefix in ("module.", "cond_stage_model.model.", "text."):
        renamed = {prefix + key: tensor for key, tensor in flat.items()} | more

        assert text_prefix(renamed) == prefix
        assert looks_open_clip(renamed)
        ours = from_open_clip(renamed, name="x", quick_gelu=False)
        output = ours.encode(chunks(), None, HiddenLayer(2), pooled=True)
        assert torch.equal(output.hidden, expected.hidden)
        assert torch.equal(output.pooled, expected.pooled)
    assert not looks_open_clip(more)
    assert not looks_open_clip({"text_model.embeddings.position_ids": torch.zeros(1)})


def test_the_state_dict_is_left_as_it_is():
    given = weights(OPEN_CLIP["flat"])
    before = {key: tensor.clone() for key, tensor in given.items()}

    model = from_open_clip(given, name="x", quick_gelu=False).model
    for layer in getattr(model, "text_model", model).encoder.layers:  # copies of their own
        layer.self_attn.k_proj.weight.data.zero_()

    assert given.keys() == before.keys()
    assert all(torch.equal(given[key], before[key]) for key in before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_open_in_any_precision(dtype):
    half = {key: tensor.to(dtype) for key, tensor in weights(OPEN_CLIP["flat"]).items()}

    wide = from_open_clip(half, name="x", quick_gelu=False)
    same = from_open_clip(half, name="x", quick_gelu=False, dtype=dtype)

    assert wide.dtype == torch.float32
    assert same.dtype == dtype
    assert same.encode(chunks(), None, HiddenLayer(1)).hidden.dtype == dtype
    narrowed = {key: tensor.float() for key, tensor in half.items()}
    exact = from_open_clip(narrowed, name="x", quick_gelu=False)
    both = [t.encode(chunks(), None, HiddenLayer(1)).hidden for t in (wide, exact)]
    assert torch.equal(*both)


def test_a_model_without_projection_and_one_with_a_linear_one():
    flat = dict(weights(OPEN_CLIP["flat"]))
    expected = tower("flat").encode(chunks(), None, HiddenLayer(1), pooled=True)
    projection = flat.pop("text_projection")

    bare = from_open_clip(flat, name="x", quick_gelu=False)
    flat["text_projection.weight"] = projection.t()
    linear = from_open_clip(flat, name="x", quick_gelu=False)

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

    a = from_open_clip(split, name="x")
    b = from_open_clip(joined, name="x", quick_gelu=True)
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


@pytest.mark.parametrize(
    ("name", "width", "depth", "expected"),
    [
        ("hub/ViT-B-32-quickgelu", 512, 12, ("quick_gelu", "its name says quickgelu", True)),
        ("apple/DFN5B-CLIP-ViT-H-14", 1024, 24, ("quick_gelu", "its name says dfn5b", True)),
        ("openai/whatever/laion2b.safetensors", 1024, 24,
         ("gelu", "nearly all models of this size have it", True)),
        ("bigG", 1280, 32, ("gelu", "nearly all models of this size have it", True)),
        ("laion/CLIP-ViT-L-14", 768, 12,
         ("gelu", "most open_clip models of this size have it; OpenAI's have quick_gelu", False)),
    ],
)  # fmt: skip
def test_the_activation_is_guessed_by_name_and_size(name, width, depth, expected):
    keys = weights(OPEN_CLIP["flat"])

    assert guess_activation(keys, name=name, width=width, depth=depth) == expected


def test_the_activation_is_guessed_by_what_else_is_in_the_file():
    flat, custom = weights(OPEN_CLIP["flat"]), weights(OPEN_CLIP["custom-text"])
    entries = dict.fromkeys(("input_resolution", "context_length", "vocab_size"), torch.zeros(()))

    def guessed(keys):
        return guess_activation(keys, name="x", width=768, depth=12)

    assert guessed(flat | entries) == ("quick_gelu", "it is OpenAI's own file", True)
    assert guessed(custom)[0::2] == ("gelu", True)
    assert guessed(flat | {"positional_embedding_res": torch.zeros(1)})[0] == "quick_gelu"


def test_an_uncertain_activation_is_told():
    with pytest.warns(ClipcondWarning) as told:
        ours = from_open_clip(weights(OPEN_CLIP["flat"]), name="model.safetensors")

    ours_told = [str(w.message) for w in told if w.category is ClipcondWarning]
    assert ours_told == [
        "'model.safetensors' does not say its activation, and models of its size have gelu or "
        "quick_gelu; gelu is used, as most open_clip models of this size have it; OpenAI's have "
        "quick_gelu. Say quick_gelu=True or False."
    ]
    assert ours.model.config.hidden_act == "gelu"


def test_a_config_says_activation_and_heads():
    flat = weights(OPEN_CLIP["flat"])

    quick = from_open_clip(flat, name="x", config={"quick_gelu": True, "text_cfg": {"heads": 4}})
    plain = from_open_clip(flat, name="x", config={"text_cfg": {"width": 128}})

    assert (quick.model.config.hidden_act, quick.model.config.num_attention_heads) == (
        "quick_gelu",
        4,
    )
    assert (plain.model.config.hidden_act, plain.model.config.num_attention_heads) == ("gelu", 2)


def refused(spoil, **choices):
    """The message for a flat state dict after `spoil`."""
    spoiled = copy.copy(weights(OPEN_CLIP["flat"]))
    spoil(spoiled)
    with pytest.raises(CheckpointError) as caught:
        from_open_clip(spoiled, name="a.safetensors", quick_gelu=False, **choices)
    return str(caught.value)


def test_damaged_files_are_refused_with_names_and_shapes():
    block = "transformer.resblocks.1."
    assert refused(lambda w: w.pop(f"{block}ln_2.bias")) == (
        "'a.safetensors' has no tensor 'transformer.resblocks.1.ln_2.bias' (expected [128])"
    )
    assert refused(lambda w: w.update({"text_projection": torch.zeros(64, 128)})) == (
        "'a.safetensors': 'text_projection' is [64, 128], expected [128, any]"
    )
    assert refused(lambda w: w.update({f"{block}attn.in_proj_weight": torch.zeros(9, 128)})) == (
        "'a.safetensors': 'transformer.resblocks.1.attn.in_proj_weight' is [9, 128], expected "
        "[384, 128]"
    )
    assert refused(lambda w: w.update({f"{block}ln_1.weight": torch.ones(128).int()})) == (
        "'a.safetensors': 'transformer.resblocks.1.ln_1.weight' is torch.int32, expected "
        "floating point"
    )
    assert refused(lambda w: w.update({"positional_embedding": torch.zeros(0, 128)})) == (
        "'a.safetensors': 'positional_embedding' is [0, 128], expected [any, 128]"
    )
    assert refused(lambda w: w.update({f"{block}ls_1.gamma": torch.ones(128)})) == (
        "'a.safetensors' has 1 tensors that a plain CLIP text model has not, such as "
        "'transformer.resblocks.1.ls_1.gamma'\n"
        "Open it with open_clip, and give the model to OpenClipTower."
    )
    assert refused(lambda w: w.update({"cls_emb": torch.ones(128)})).startswith(
        "'a.safetensors' has 1 tensors that a plain CLIP text model has not, such as 'cls_emb'"
    )
    assert refused(lambda w: w.update({"token_embedding.weight": torch.zeros(32000, 128)})) == (
        "'a.safetensors' has a vocabulary of 32000 entries, not CLIP's 49408\n"
        "Open it with open_clip, and give the model and its tokenizer to OpenClipTower."
    )
    assert refused(lambda w: w.clear()) == (
        "'a.safetensors' has no tensor 'transformer.resblocks.0.attn.in_proj_weight', with or "
        "without 'text.': it holds no text model in open_clip's layout\n"
        "It has 0 tensors, such as 'none'."
    )


def test_what_transformers_cannot_do_is_refused():
    assert refused(lambda w: None, config={"text_cfg": {"no_causal_mask": True}}) == (
        "the config of 'a.safetensors' says no_causal_mask=True, which a CLIPTextModel of "
        "transformers cannot do\n"
        "Open it with open_clip, and give the model to OpenClipTower."
    )
    assert refused(lambda w: None, config={"text_cfg": {"heads": 3}}) == (
        "'a.safetensors' is 128 wide, which 3 attention heads cannot share"
    )


def test_other_models_are_no_open_clip_models():
    with pytest.raises(TowerError) as caught:
        OpenClipTower(torch.nn.Linear(2, 2))
    assert str(caught.value) == (
        "Linear has no text transformer that can be run block by block\n"
        "Give an open_clip model (not a TorchScript one), its `.text`, or its state dict to "
        "from_open_clip."
    )


@pytest.mark.parametrize("name", HF)
def test_text_models_of_hugging_face_are_those_of_open_clip(name):
    ours = OpenClipTower(TextEncoder(name), Frames([0, 2], 1))

    found = differences(ours, hf_ids(), golden("open_clip"), name)
    assert len(found) == 4  # there is no final norm
    assert all(each <= CLOSE for each in found.values()), found
    runs = []
    for i, layer in enumerate(ours.model.transformer.encoder.layer):
        layer.register_forward_hook(lambda *_, i=i: runs.append(i))
    normed = ours.encode(hf_ids(), None, HiddenLayer(3, True)).hidden
    assert runs == [0]
    assert torch.equal(normed, ours.encode(hf_ids(), None, HiddenLayer(3, False)).hidden)


def test_of_hugging_face_only_those_with_an_encoder_layer():
    model = TextEncoder("roberta-linear")
    model.transformer.encoder = torch.nn.Identity()

    with pytest.raises(TowerError) as caught:
        OpenClipTower(model, Frames([0, 2], 1))
    assert str(caught.value) == (
        "open_clip's text model is a RobertaModel, whose blocks are not in encoder.layer; "
        "roberta, xlm-roberta and bert can be used"
    )
