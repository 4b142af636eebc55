"""The Chinese tower's training: what it may change, and the folder that it leaves."""

import json
import random

import pytest
import torch
from transformers import BertTokenizer, ChineseCLIPTextModel

from clipcond import Conditioner, load_tower
from clipcond.towers import ChineseClipTower, HiddenLayer
from tests.conditioning.conditioners import warnings_of
from tests.towers.chinese import tokenizer

PROMPTS = ["一只猫，蓝色背景", "（熊猫：1.3）在火车的左边", "masterpiece, 最高质量, 一只cat"]
N_IMAGE = 128


@pytest.fixture(scope="module")
def train_zh(scripts):
    import train_zh

    return train_zh


@pytest.fixture(scope="module")
def model(train_zh):
    """A fresh one, layer norms drawn too."""
    torch.manual_seed(0)
    model = train_zh.TextContrast(tokenizer(), N_IMAGE)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" in name and parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@pytest.fixture(scope="module")
def folder(train_zh, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zh") / "tower"
    train_zh.save_tower(model.tower, tokenizer(), folder)
    return folder


def test_the_folder_is_a_tower(folder, train_zh, model):
    tower = load_tower(folder)

    assert isinstance(tower, ChineseClipTower)
    assert (tower.width, tower.depth) == (train_zh.WIDTH, train_zh.LAYERS)
    assert tower.special.context_length == train_zh.POSITIONS == 52
    ids, mask, _ = train_zh.tensors(PROMPTS, tokenizer())
    with torch.no_grad():
        states = model.tower.text_model(ids, mask, output_hidden_states=True).hidden_states
        pooled = train_zh.encode(model.tower, ids, mask)
    for clip_skip in (1, 2):
        ours = tower.encode(ids, mask, HiddenLayer(clip_skip), pooled=True)
        # float16 on disk: 2 ** -11 of values near 3
        assert torch.allclose(
            ours.hidden[mask.bool()], states[-clip_skip][mask.bool()], rtol=0, atol=0.01
        )
        assert torch.allclose(ours.pooled, pooled, rtol=0, atol=0.01)
        conditioner = Conditioner(tower, clip_skip=clip_skip)
        assert conditioner(PROMPTS).embeds.shape == (3, 52, train_zh.WIDTH)


def test_transformers_reads_it_and_its_tokenizer_decodes_what_it_encodes(folder):
    theirs = ChineseCLIPTextModel.from_pretrained(folder, add_pooling_layer=False).float().eval()
    words = BertTokenizer.from_pretrained(folder)
    ours = load_tower(folder)

    encoded = words(PROMPTS[0], return_tensors="pt")
    assert words.decode(encoded.input_ids[0]) == "[CLS] 一 只 猫 ， 蓝 色 背 景 [SEP]"
    assert words.unk_token_id not in encoded.input_ids
    assert ours.tokenizer.encode(PROMPTS[0]) == encoded.input_ids[0, 1:-1].tolist()
    assert words("一只CAT").input_ids == words("一只cat").input_ids
    with torch.no_grad():
        states = theirs(**encoded, output_hidden_states=True).hidden_states
    for clip_skip in (1, 2):
        hidden = ours.encode(
            encoded.input_ids, encoded.attention_mask, HiddenLayer(clip_skip)
        ).hidden
        assert torch.allclose(hidden, states[-clip_skip], rtol=0, atol=1e-5)


def test_the_folder_is_small_and_says_little(folder):
    config = json.loads((folder / "config.json").read_text())

    assert config["model_type"] == "chinese_clip_text_model"
    assert config["architectures"] == ["ChineseCLIPTextModel"]
    assert not any(str(value).startswith("/") for value in config.values())
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12e6


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_a1111s_weights_find_a_mean_to_restore(folder, clip_skip):
    conditioner = Conditioner(load_tower(folder), clip_skip=clip_skip)
    plain, weighted = conditioner("一只猫"), conditioner("一只（猫：1.3）")

    assert warnings_of(lambda: conditioner("一只（猫：1.3），蓝色背景")) == []
    # float32, over 52 x 128 numbers
    assert abs(weighted.embeds.mean() - plain.embeds.mean()) < 1e-6
    assert not torch.equal(weighted.embeds, plain.embeds)


def test_rows_of_other_words_are_zero_and_stay_so(train_zh):
    torch.manual_seed(0)
    model = train_zh.TextContrast(tokenizer(), N_IMAGE)
    table = model.tower.text_model.embeddings.word_embeddings.weight
    unused = train_zh.known_rows(tokenizer()) == 0
    assert 500 < (~unused).sum() < 2500

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    ids, mask, _ = train_zh.tensors(["一只猫，森林", "一只狗，城堡"], tokenizer())
    model(torch.randn(2, N_IMAGE), ids, mask)["loss"].backward()
    optimizer.step()

    assert not table[unused].any()
    assert table[~unused].any(dim=1).all()


@pytest.mark.slow
def test_a_few_steps_tell_prompts_apart(train_zh):
    torch.manual_seed(0)
    model = train_zh.TextContrast(tokenizer(), N_IMAGE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    images = torch.randn(8, N_IMAGE)
    names = "猫 狗 苹果 火车 月亮 鱼 伞 鼓".split()
    losses = []
    for step in range(25):
        prompts = [f"{name}，红色背景" for name in names]
        random.Random(step).shuffle(prompts)
        ids, mask, order = train_zh.tensors(prompts, tokenizer())
        asked = [names.index(prompts[i].split("，")[0]) for i in order]
        losses.append(model(images[asked], ids, mask)["loss"])
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()

    assert losses[0] > 1.5
    assert losses[-1] < 0.2 * losses[0]


def test_parts_of_a_batch_are_cut_without_loss(train_zh, model):
    prompts = ["猫", "一只猫和一只狗，" * 5, "蓝色背景", "火车，红色背景，杰作", "狗"]
    ids, mask, order = train_zh.tensors(prompts, tokenizer())

    assert mask.sum(1).tolist() == sorted(mask.sum(1).tolist())
    assert [int(m.sum()) for m in mask] == [
        min(52, len(tokenizer()(prompts[i]).input_ids)) for i in order
    ]
    with torch.no_grad():
        whole = train_zh.encode(model.tower, ids, mask, n_parts=1)
        # other lengths round differently in the last places
        assert torch.allclose(train_zh.encode(model.tower, ids, mask), whole, rtol=0, atol=1e-5)


def test_every_batch_of_scenes_has_no_two_alike_and_captions_are_drawn_anew(train_zh):
    batches = train_zh.scene_batches(4, 24)
    again = train_zh.scene_batches(4, 24)

    assert batches == again
    for batch in batches:
        assert len(batch) == 24
        keys = {(s.scene.background, *((t.noun, t.size) for t in s.scene.things)) for s in batch}
        assert len(keys) >= 23  # the two halves are drawn apart
    rng = random.Random(0)
    captions = {train_zh.caption(batches[0][0], rng, is_long=False) for _ in range(30)}
    assert len(captions) > 25


def test_words_the_tower_never_learned_are_told(folder):
    tower = load_tower(folder)
    (message,) = warnings_of(lambda: Conditioner(tower)("一只猫在森林"))

    assert "森" in message
