"""OpenClipTower and EvaClipTower around open_clip's own models, and mapped weights beside them.

open_clip needs torchvision, which does not import beside a CPU build of torch: these tests run in
an environment of their own (extra: reference). Where CLIPCOND_REQUIRE_REFERENCE is set, as in CI,
its absence is an error, not a skip.
"""

import os

import pytest
import torch

if os.environ.get("CLIPCOND_REQUIRE_REFERENCE"):
    import open_clip
else:
    open_clip = pytest.importorskip("open_clip")

from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CustomTextCLIP
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, PreTrainedTokenizerFast

from clipcond import Conditioner
from clipcond.errors import ClipcondWarning, TowerError
from clipcond.towers import EvaClipTower, HiddenLayer, OpenClipTower, TextTower
from clipcond.towers.activation import QUICK
from clipcond.towers.eva_clip import from_eva
from clipcond.towers.open_clip import from_open_clip
from clipcond.towers.open_clip_tokens import shipped
from tests.towers import open_clip_recipe as recipe
from tests.towers.golden_layers import CLOSE, chunks, facts

VISION = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 32}
EVA_NAMES = sorted(name for name in open_clip.list_models() if name.startswith("EVA"))


def build(text_config, *, embed=128, quick_gelu=False, custom=False, seed=0):
    """A whole model with random weights, layer norms included."""
    kind = CustomTextCLIP if custom else CLIP
    model = kind(embed, VISION, text_config, quick_gelu=quick_gelu).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            parameter.normal_(
                1.0 if "ln_" in name and "weight" in name else 0.05, 0.1, generator=random
            )
        else:
            spread = 0.5 if "embedding" in name else parameter.shape[-1] ** -0.5
            parameter.normal_(0, spread, generator=random)
    return model


PLAIN = {"width": 128, "heads": 2, "layers": 3}
MODELS = {
    "flat": lambda: build(PLAIN),
    "flat-quickgelu": lambda: build(PLAIN, quick_gelu=True),
    "custom-text": lambda: build(PLAIN, custom=True, embed=96),
    "no-causal-mask": lambda: build({**PLAIN, "no_causal_mask": True}, custom=True),  # MobileCLIP
    "short-context": lambda: build({**PLAIN, "context_length": 32}, custom=True),  # PE-Core
    "class-token": lambda: build(
        {**PLAIN, "embed_cls": True, "context_length": 76, "output_tokens": True}, custom=True
    ),  # CoCa
    "last": lambda: build({**PLAIN, "pool_type": "last", "proj_bias": True}, custom=True),  # SigLIP
    "first": lambda: build({**PLAIN, "pool_type": "first"}),
    "eos": lambda: build({**PLAIN, "pool_type": "eos", "eos_id": 49407}),  # worldwide
    "no-projection": lambda: build({**PLAIN, "proj_type": "none"}, custom=True),
    "other-blocks": lambda: build({**PLAIN, "qk_norm": True, "scale_fc": True}, custom=True),
    "positions-first": lambda: positions_first(build(PLAIN, seed=3)),  # open_clip before 2.27
}


def positions_first(model):
    """Blocks that pass [L n D], as they did."""
    model.transformer.batch_first = False
    for block in model.transformer.resblocks:
        block.attn.batch_first = False
    return model


def ids_for(tower, n=3, seed=0):
    """Chunks of random text: full, short, empty."""
    random = torch.Generator().manual_seed(seed)
    special = tower.special
    n_entries = len(tower._table())
    ids = torch.randint(3, n_entries - 3, (n, special.context_length), generator=random)
    for row, length in zip(ids, (special.room, 7, 0), strict=True):
        row[0], row[length + 1], row[length + 2 :] = special.bos, special.eos, special.pad
    return ids


def text_of(model):
    return model.text if hasattr(model, "text") else model


def their_pooled(model, ids):
    given = model.encode_text(ids) if hasattr(model, "encode_text") else model(ids)
    return given[0] if isinstance(given, tuple) else given


def their_layers(model, ids):
    """Outputs of all blocks [n L D], last first, by open_clip's own way to ask for them."""
    found = model.forward_intermediates(
        text=ids, text_indices=len(text_of(model).transformer.resblocks), text_output_fmt="NLC"
    )
    return found["text_intermediates"][::-1]


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_and_pooled_are_those_of_open_clip(name):
    model = MODELS[name]()
    if name == "class-token":
        text_of(model).output_tokens = False
    tower = OpenClipTower(model)
    ids = ids_for(tower)
    hidden, pooled = their_layers(model, ids), their_pooled(model, ids)

    assert isinstance(tower, TextTower)
    for depth in range(1, tower.depth + 1):
        for normed in (True, False):
            for with_pooled in (True, False):
                ours = tower.encode(ids, None, HiddenLayer(depth, normed), pooled=with_pooled)
                theirs = hidden[depth - 1]
                theirs = text_of(model).ln_final(theirs) if normed else theirs
                assert torch.equal(ours.hidden, theirs)  # the same modules: no tolerance
                assert (ours.pooled is not None) == with_pooled
                if with_pooled:
                    assert (ours.pooled - pooled).abs().max() <= CLOSE


def test_cocas_extra_output_does_not_disturb():
    tower = OpenClipTower(MODELS["class-token"]())
    pooled = their_pooled(tower.model, ids_for(tower))

    ours = tower.encode(ids_for(tower), None, HiddenLayer(1), pooled=True).pooled

    assert (ours - pooled).abs().max() <= CLOSE
    assert not tower.special.mask_padding


@pytest.mark.parametrize("name", ["flat", "flat-quickgelu", "custom-text", "short-context"])
def test_mapped_weights_give_what_the_model_gives(name):
    model = MODELS[name]()
    live = OpenClipTower(model)
    mapped = from_open_clip(model.state_dict(), name=name, quick_gelu="quick" in name)
    ids = ids_for(live)

    assert mapped.special == live.special
    for depth in (1, 2, 3):
        for normed in (True, False):
            ours, theirs = (
                tower.encode(ids, None, HiddenLayer(depth, normed), pooled=True)
                for tower in (mapped, live)
            )
            assert (ours.hidden - theirs.hidden).abs().max() <= CLOSE
            assert (ours.pooled - theirs.pooled).abs().max() <= CLOSE


@pytest.mark.parametrize("name", EVA_NAMES)
def test_all_eva_text_towers_in_their_own_proportions(name):
    """A quarter as wide, and of two blocks, to be quick."""
    config = open_clip.get_model_config(name)
    text_config, embed = config["text_cfg"], config["embed_dim"] // 4
    assert text_config["width"] == 64 * text_config["heads"]
    quarter = {
        **text_config,
        "width": text_config["width"] // 4,
        "heads": text_config["heads"] // 4,
    }
    model = build({**quarter, "layers": 2}, embed=embed, custom=config["custom_text"])
    live, mapped = EvaClipTower(model), from_eva(model.state_dict(), name=name)
    ids = chunks()[:2]

    assert config.get("quick_gelu", False) is False
    assert mapped.model.text_projection.weight.shape == (embed, live.width)
    pooled = their_pooled(model, ids)
    for depth, hidden in enumerate(their_layers(model, ids), 1):
        ours = mapped.encode(ids, None, HiddenLayer(depth, False), pooled=True)
        same = live.encode(ids, None, HiddenLayer(depth, False), pooled=True)
        assert torch.equal(same.hidden, hidden)
        assert (same.pooled - pooled).abs().max() <= CLOSE
        assert (ours.hidden - hidden).abs().max() <= CLOSE
        assert (ours.pooled - pooled).abs().max() <= CLOSE


def test_there_are_seven_of_them():
    assert len(EVA_NAMES) == 7


def test_no_model_in_the_layout_of_eva_has_quick_gelu():
    """What guess_activation is sure of."""
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        if config.get("custom_text") and config["text_cfg"].get("vocab_size") == 49408:
            assert not config.get("quick_gelu", False), name


def test_names_that_say_quick_gelu_do():
    tags = [
        (f"{model}-{tag}".lower(), bool(facts_of_tag.get("quick_gelu")))
        for model in open_clip.list_models()
        for tag in open_clip.list_pretrained_tags_by_model(model)
        for facts_of_tag in [open_clip.get_pretrained_cfg(model, tag)]
    ]
    told = [(name, quick) for name, quick in tags if QUICK.search(name)]

    assert len(told) > 30
    assert {name for name, quick in told if not quick} == set()
    untold = {name for name, quick in tags if quick and not QUICK.search(name)}
    assert untold == {
        "vit-b-32-laion400m_e31",  # the only ones of laion400m
        "vit-b-32-laion400m_e32",
        "vit-h-14-worldwide-metaclip2_worldwide",  # of another vocabulary: not opened
    }


# --- text models of Hugging Face ---


class WordTokenizer:
    """In the shape of open_clip's HFTokenizer, which can only be had from the hub."""

    context_length = 20
    strip_sep_token = False
    tokenizer_mode = ""

    def __init__(self):
        words = ["<s>", "<pad>", "</s>", "<unk>", *",.abcdefghijklmnopqrstuvwxyz"]
        backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
        backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
            unk_token="<unk>",
        )  # fmt: skip
        self.clean_fn = str.lower


def hf_text(name):
    kind, pooler, projection, seed = recipe.HF[name]
    config = AutoConfig.for_model(kind, **recipe.HF_CONFIG)
    text = HFTextEncoder("", recipe.HF_EMBED, config, pooler, projection).eval()
    drawn = recipe.draw({n: tuple(p.shape) for n, p in text.named_parameters()}, seed)
    text.load_state_dict(drawn, strict=False)
    return text.requires_grad_(False)


@pytest.mark.parametrize("name", recipe.HF)
def test_text_models_of_hugging_face(name):
    text = hf_text(name)
    tower = OpenClipTower(text, WordTokenizer())
    ids = recipe.hf_ids()
    theirs = text.transformer(
        input_ids=ids, attention_mask=(ids != 1).long(), output_hidden_states=True
    ).hidden_states
    mask = (ids != 1).long()

    assert (tower.width, tower.depth) == (32, 3)
    assert (tower.special.bos, tower.special.eos, tower.special.pad) == (0, 2, 1)
    assert (tower.special.context_length, tower.special.mask_padding) == (20, True)
    assert tower.tokenizer.encode("A,b") == [6, 4, 7]
    for depth in (1, 2, 3):
        for normed in (True, False):  # there is no final norm
            ours = tower.encode(ids, mask, HiddenLayer(depth, normed), pooled=True)
            assert torch.equal(ours.hidden, theirs[-depth])
            assert (ours.pooled - text(ids)).abs().max() <= CLOSE


def test_conditioner_over_a_text_model_of_hugging_face():
    tower = OpenClipTower(hf_text("xlm-roberta-mlp"), WordTokenizer())
    for clip_skip in (1, 2):
        conditioner = Conditioner(tower, clip_skip=clip_skip)

        guided = conditioner.guided("abc " * 50, "(blur:1.2)")

        assert guided.positive.embeds.shape == guided.negative.embeds.shape
        assert guided.positive.embeds.shape[1] >= 200
        assert torch.isfinite(guided.positive.embeds).all()
        plain, heavy = conditioner("cat").embeds, conditioner("(cat:1.3)").embeds
        assert (plain - heavy).abs().max() > 0.01


def test_a_text_model_of_hugging_face_must_be_in_eval_mode():
    tower = OpenClipTower(hf_text("roberta-linear").train(), WordTokenizer())

    with pytest.raises(TowerError) as caught:
        tower.encode(recipe.hf_ids(), None, HiddenLayer(1))
    assert str(caught.value) == "the model is in training mode: call model.eval() first"


def test_what_a_mask_hides_is_not_seen_by_a_text_model_of_hugging_face():
    tower = OpenClipTower(hf_text("xlm-roberta-mlp"), WordTokenizer())
    ids = recipe.hf_ids()[:1]
    mask, changed = torch.ones_like(ids), ids.clone()
    mask[:, 3], changed[:, 3] = 0, 9
    others = [i for i in range(20) if i != 3]

    a, b = (tower.encode(i, mask, HiddenLayer(1)).hidden[:, others] for i in (ids, changed))

    assert torch.equal(a, b)
    assert not torch.equal(a, tower.encode(ids, None, HiddenLayer(1)).hidden[:, others])


# --- the tower around the model ---


@pytest.mark.parametrize("name", ["flat", "no-causal-mask", "class-token", "positions-first",
                                  "other-blocks"])  # fmt: skip
def test_what_a_mask_hides_is_not_seen(name):
    tower = OpenClipTower(MODELS[name]())
    ids = ids_for(tower)[:2]
    mask, changed = torch.ones_like(ids), ids.clone()
    mask[:, 3], changed[:, 3] = 0, 9
    others = [i for i in range(ids.shape[1]) if i != 3]

    a, b = (tower.encode(i, mask, HiddenLayer(1)).hidden[:, others] for i in (ids, changed))

    assert torch.equal(a, b)
    assert torch.isfinite(a).all()
    assert not torch.equal(a, tower.encode(ids, None, HiddenLayer(1)).hidden[:, others])


@pytest.mark.parametrize("custom", [False, True])
def test_a_masked_forward_is_that_of_transformers(custom):
    model = build(PLAIN, custom=custom)
    live = OpenClipTower(model)
    mapped = from_open_clip(model.state_dict(), name="x", quick_gelu=False)
    ids = ids_for(live)
    mask = torch.ones_like(ids)
    mask[:, 2:5] = 0

    ours, theirs = (t.encode(ids, mask, HiddenLayer(2)).hidden for t in (live, mapped))

    assert (ours - theirs).abs().max() <= CLOSE


@pytest.mark.parametrize("name", ["flat", "custom-text", "class-token"])
def test_blocks_above_the_requested_one_do_not_run(name):
    tower = OpenClipTower(MODELS[name]())
    runs = []
    for i, block in enumerate(text_of(tower.model).transformer.resblocks):
        block.register_forward_hook(lambda *_, i=i: runs.append(i))

    tower.encode(ids_for(tower), None, HiddenLayer(3))
    assert runs == [0]
    tower.encode(ids_for(tower), None, HiddenLayer(2), pooled=True)
    assert runs == [0, 0, 1, 2]


def test_the_model_is_untouched_afterwards():
    tower = OpenClipTower(MODELS["custom-text"]())
    ids = ids_for(tower)
    mask = torch.ones_like(ids)
    mask[:, 3] = 0
    before = {name: vars(m).copy() for name, m in tower.model.named_modules()}

    tower.encode(ids, mask, HiddenLayer(2))
    with pytest.raises(TowerError):
        tower.encode(ids[:, :20], mask, HiddenLayer(2))

    for name, module in tower.model.named_modules():
        assert vars(module) == before[name]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


@pytest.mark.parametrize("clip_skip", [1, 2])
@pytest.mark.parametrize("name", ["flat", "custom-text", "no-causal-mask", "class-token", "last"])
def test_conditioner_with_weights_and_a_200_token_prompt(name, clip_skip):
    tower = OpenClipTower(MODELS[name]())
    conditioner = Conditioner(tower, clip_skip=clip_skip, dialect="plain")

    guided = conditioner.guided(recipe.LONG, recipe.POSITIVE)

    assert guided.positive.embeds.shape[1] == 3 * tower.special.context_length
    assert guided.negative.embeds.shape == guided.positive.embeds.shape
    rows = torch.tensor([chunk.input_ids for chunk in conditioner.chunks(recipe.LONG)])
    hidden = text_of(tower.model).ln_final(their_layers(tower.model, rows)[clip_skip - 1])
    assert (guided.positive.embeds[0] - hidden.flatten(0, 1)).abs().max() <= CLOSE

    weighing = Conditioner(tower, clip_skip=clip_skip)
    plain, heavy = weighing("a cat").embeds, weighing("a (cat:1.3)").embeds
    assert (plain - heavy).abs().max() > 0.01


def test_half_precision_with_float32_norms():
    model = MODELS["flat"]()
    open_clip.model.convert_weights_to_lp(model, torch.float16)
    tower = OpenClipTower(model)

    assert model.ln_final.weight.dtype == torch.float32
    assert tower.dtype == torch.float16


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_torchscript_model_is_refused():
    scripted = torch.jit.script(MODELS["flat"]())

    with pytest.raises(TowerError, match="no text transformer that can be run block by block"):
        OpenClipTower(scripted)


def test_only_full_chunks_are_taken():
    tower = OpenClipTower(MODELS["flat"](), name="flat")

    with pytest.raises(TowerError) as caught:
        tower.encode(ids_for(tower)[:, :20], None, HiddenLayer(1))
    assert str(caught.value) == "open_clip's text models take 77 ids at a time, not 20"


# --- tokenizers ---


def test_ids_of_the_golden_strings_and_pads_are_open_clips():
    theirs, ours = open_clip.SimpleTokenizer(), shipped(77)
    for text in facts()["strings"]:
        assert ours.encode(text) == theirs.encode(text) == facts()["strings"][text]
    assert open_clip.tokenize("a cat")[0, 4:].unique().tolist() == [ours.source.pad_token_id] == [0]


def test_a_tokenizer_of_open_clips_is_used_itself():
    keeps_capitals = open_clip.SimpleTokenizer(clean="whitespace")
    tower = OpenClipTower(MODELS["flat"](), keeps_capitals)

    assert tower.tokenizer.encode("A Cat") == keeps_capitals.encode("A Cat")
    assert tower.tokenizer.encode("A Cat") != OpenClipTower(MODELS["flat"]()).tokenizer.encode(
        "A Cat"
    )
    larger = open_clip.SimpleTokenizer(additional_special_tokens=["<x>"])
    with pytest.raises(TowerError, match="a vocabulary of 49409 entries, not CLIP's 49408"):
        OpenClipTower(MODELS["flat"](), larger)


def test_a_model_with_another_vocabulary_wants_its_tokenizer():
    model = build({**PLAIN, "vocab_size": 29, "context_length": 20})
    with pytest.raises(TowerError, match="'CLIP' has a vocabulary of 29 entries"):
        OpenClipTower(model)

    tower = OpenClipTower(model, WordTokenizer())
    assert tower.encode(ids_for(tower), None, HiddenLayer(1)).hidden.shape == (3, 20, 128)


def test_the_default_activation_is_open_clips_and_told():
    with pytest.warns(ClipcondWarning, match="gelu is used"):
        from_open_clip(MODELS["flat"]().state_dict(), name="ViT-B-32")
