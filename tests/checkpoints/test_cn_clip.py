"""Files of ChineseCLIP: cn_clip's own layout against cn_clip itself, and transformers' folders."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ChineseCLIPTextModel, PretrainedConfig

from clipcond import Conditioner, load_tower
from clipcond.checkpoints.extraction import extract
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.errors import CheckpointError
from clipcond.towers import ChineseClipTower, HiddenLayer
from clipcond.towers.chinese_clip import ChineseTextEncoder
from tests.data.make_chinese_clip import ROWS, SIZES, WIDTH, drawn, seed_of
from tests.parity.golden import cases_of, tensors_of
from tests.towers.chinese import text_model, tokenizer, tower_zh, whole_model
from tests.towers.test_chinese_clip import rows

GOLDEN = cases_of("chinese_clip")
TENSORS = tensors_of("chinese_clip")
IDS = torch.tensor([case["ids"] for case in GOLDEN["texts"]])
MASK = (IDS != 0).long()
CLOSE = 1e-5  # absolute: cn_clip multiplies and masks in another order


def official(size: str, prefix: str = "") -> dict[str, torch.Tensor]:
    """The state_dict of cn_clip's model, vision half included."""
    weights = drawn(GOLDEN["shapes"][size], seed_of(size))
    return {prefix + name: torch.from_numpy(values) for name, values in weights.items()}


def compare(tower, size: str) -> None:
    hidden, pooled = TENSORS[f"{size}/hidden"], TENSORS[f"{size}/pooled"]
    for depth in range(1, tower.depth + 1):
        ours = tower.encode(IDS, MASK, HiddenLayer(depth), pooled=depth == 1)
        assert (ours.hidden[:, ROWS] - hidden[-depth]).abs().max() <= CLOSE
        if depth == 1:
            assert (ours.pooled - pooled).abs().max() <= CLOSE


def test_the_golden_data_is_all_there():
    assert set(TENSORS) == {f"{size}/{of}" for size in SIZES for of in ("hidden", "pooled")}
    for size, (layers, width, _) in SIZES.items():
        assert TENSORS[f"{size}/hidden"].shape == (layers, 3, len(ROWS), WIDTH)
        assert TENSORS[f"{size}/pooled"].shape == (3, width)
    assert [int(mask.sum()) for mask in MASK] == [5, 2, 52]  # short, empty, cut


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("prefix", ["", pytest.param("module.", marks=pytest.mark.slow)])
def test_the_official_layout_gives_what_cn_clip_gives(tmp_path, size, prefix):
    save_file(official(size, prefix), tmp_path / "clip_cn.safetensors")
    weights = load_file(tmp_path / "clip_cn.safetensors")

    tower = open_state_dict(weights, name="clip_cn")

    assert isinstance(tower, ChineseClipTower)
    assert (tower.name, tower.special.context_length) == ("clip_cn", 52)
    assert not tower.model.training
    assert not any(p.requires_grad for p in tower.model.parameters())
    compare(tower, size)


def test_the_ids_of_its_own_vocabulary():
    tower = open_state_dict(official("RBT3"), name="clip_cn")

    for case in GOLDEN["texts"]:
        (chunk, *_) = Conditioner(tower, dialect="plain").chunks(case["text"])
        n_text = chunk.content
        assert list(chunk.input_ids[: n_text + 1]) == case["ids"][: n_text + 1]


def test_a_pickle_as_cn_clip_saves_it(tmp_path):
    path = tmp_path / "clip_cn_rn50.pt"
    torch.save({"epoch": 3, "state_dict": official("RBT3", "module.")}, path)
    weights = torch.load(path, weights_only=True)["state_dict"]

    compare(open_state_dict(weights, name=str(path)), "RBT3")


def test_a_pooler_is_ignored_and_a_checkpoint_of_flash_attention_is_read():
    weights = official("RBT3", "module.")
    weights["module.bert.pooler.dense.weight"] = torch.zeros(WIDTH, WIDTH)
    for i in range(3):
        stem = f"module.bert.encoder.layer.{i}.attention"
        for kind in ("weight", "bias"):
            parts = [weights.pop(f"{stem}.self.{of}.{kind}") for of in ("query", "key", "value")]
            weights[f"{stem}.self.Wqkv.{kind}"] = torch.cat(parts)
            weights[f"{stem}.self.out_proj.{kind}"] = weights.pop(f"{stem}.output.dense.{kind}")

    compare(open_state_dict(weights, name="flash"), "RBT3")


def test_half_precision_as_published():
    weights = {name: tensor.half() for name, tensor in official("RBT3").items()}

    exact, half = (
        open_state_dict(weights, name="half", dtype=dtype)
        for dtype in (torch.float32, torch.float16)
    )

    assert (exact.dtype, half.dtype) == (torch.float32, torch.float16)
    a, b = (tower.encode(IDS, MASK, HiddenLayer()).hidden for tower in (exact, half))
    torch.testing.assert_close(b.float(), a, rtol=0, atol=0.1)


def test_without_a_projection_pooled_is_cls():
    weights = official("RBT3")
    del weights["text_projection"]

    ours = open_state_dict(weights, name="bare").encode(IDS, MASK, HiddenLayer(), pooled=True)

    assert torch.equal(ours.pooled, ours.hidden[:, 0])


def test_what_is_no_cn_clip_checkpoint():
    with pytest.raises(CheckpointError) as caught:
        open_state_dict({"visual.proj": torch.zeros(2)}, name="clip.pt")
    assert str(caught.value) == ("'clip.pt' holds no text tower\nIt holds a vision tower.")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("encoder.layer.1.output.dense.bias", "(expected [128])"),
        ("embeddings.position_embeddings.weight", "(expected [any, 128])"),
        ("embeddings.token_type_embeddings.weight", "(expected [2, 128])"),
        ("encoder.layer.0.intermediate.dense.bias", "(expected [256])"),
    ],
)
def test_a_missing_tensor(key, expected):
    weights = official("RBT3")
    del weights[f"bert.{key}"]

    with pytest.raises(CheckpointError) as caught:
        open_state_dict(weights, name="clip.pt")
    assert str(caught.value).splitlines()[0] == (
        f"'clip.pt': it has no tensor 'bert.{key}' {expected}"
    )


def test_a_tensor_of_another_shape():
    weights = official("B/16")
    key = "bert.encoder.layer.7.attention.self.key.weight"
    weights[key] = weights[key][:, :-1].contiguous()

    with pytest.raises(CheckpointError, match=r"layer\.7.* is \[128, 127\]"):
        open_state_dict(weights, name="clip.pt")


# --- folders, as transformers saves them ---


def saved(model, path, **tokenizer_choices):
    model.save_pretrained(path)
    tokenizer().save_pretrained(path, **tokenizer_choices)
    return path


def test_a_folder_with_both_halves(tmp_path):
    tower = load_tower(saved(whole_model(), tmp_path))

    ours = tower.encode(*rows(), HiddenLayer(2), pooled=True)

    expected = tower_zh().encode(*rows(), HiddenLayer(2), pooled=True)
    assert torch.equal(ours.hidden, expected.hidden)
    assert torch.equal(ours.pooled, expected.pooled)
    assert tower.special == tower_zh().special
    assert not any("vision" in name for name, _ in tower.model.named_parameters())


def test_a_folder_of_the_text_model_alone(tmp_path):
    tower = load_tower(saved(text_model(), tmp_path / "text_encoder"), dtype=torch.float32)

    ours = tower.encode(*rows(), HiddenLayer(1), pooled=True)

    ids, mask = rows()
    theirs = text_model()(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(ours.hidden, theirs)
    assert torch.equal(ours.pooled, theirs[:, 0])


def test_a_folder_by_kind_and_precision(tmp_path):
    saved(whole_model(), tmp_path)

    assert load_tower(tmp_path, kind="chinese_clip", dtype=torch.bfloat16).dtype == torch.bfloat16
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 5
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"has no tensor 'encoder.layer.4"):
        load_tower(tmp_path)
    config["text_config"]["num_hidden_layers"] = 3
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="has 16 tensors beyond the model"):
        load_tower(tmp_path)


def test_a_published_folder_has_a_vocabulary_and_no_tokenizer_config(tmp_path):
    whole_model().save_pretrained(tmp_path)
    entries = sorted(tokenizer().get_vocab().items(), key=lambda entry: entry[1])
    text = "\n".join(entry for entry, _ in entries)
    (tmp_path / "vocab.txt").write_text(text, encoding="utf-8")

    tower = load_tower(tmp_path)

    assert tower.tokenizer.encode("一只Cat") == tower_zh().tokenizer.encode("一只Cat")
    ours = Conditioner(tower, clip_skip=2)("一只红色的猫")
    assert torch.equal(ours.embeds, Conditioner(tower_zh(), clip_skip=2)("一只红色的猫").embeds)


# --- written out ---


@pytest.mark.slow
@pytest.mark.parametrize("target", ["zh.safetensors", "zh"])
def test_extracted_it_is_the_same_tower(tmp_path, target):
    size = next(iter(SIZES))
    save_file(official(size), tmp_path / "clip_cn.safetensors")

    extract(load_tower(tmp_path / "clip_cn.safetensors"), tmp_path / target)

    compare(load_tower(tmp_path / target), size)


@pytest.mark.slow
def test_an_extracted_folder_is_one_of_transformers(tmp_path):
    extract(load_tower(saved(whole_model(), tmp_path / "whole")), tmp_path / "half")

    half = ChineseCLIPTextModel.from_pretrained(tmp_path / "half", add_pooling_layer=False)

    ids, mask = rows()
    ours = half(input_ids=ids, attention_mask=mask).last_hidden_state
    theirs = whole_model().text_model(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(ours[mask == 1], theirs[mask == 1])  # what is masked nobody reads
    assert half.config.architectures == ["ChineseCLIPTextModel"]


def test_what_transformers_has_no_class_for_is_not_extracted(tmp_path):
    half = ChineseTextEncoder(text_model())
    half.config = PretrainedConfig()  # of no model type
    tower = ChineseClipTower(half, tokenizer())

    with pytest.raises(CheckpointError) as caught:
        extract(tower, tmp_path / "x.safetensors")
    assert str(caught.value) == (
        f"{tower.name!r} is no tower that a text model of transformers' CLIP or ChineseCLIP can "
        f"hold"
    )
