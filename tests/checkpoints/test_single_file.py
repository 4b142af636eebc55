"""One tower out of a single file: the right one, exact, and nothing else."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from clipcond import Conditioner, load_tower
from clipcond.errors import CheckpointError, ClipcondWarning, UnknownNameError
from clipcond.towers import HiddenLayer
from tests.checkpoints.made_files import IDS, WIDTH_G, bare, clip, shapes, sparse, unet, wrapped

SD1, SDXL = "cond_stage_model.transformer.", "conditioner.embedders."
SD3 = "text_encoders."


@pytest.fixture(scope="module")
def first():
    return clip()


@pytest.fixture(scope="module")
def second():
    return clip(WIDTH_G, 3, "gelu", projection=96, seed=6)


@pytest.fixture
def saved(tmp_path):
    def save(weights, name="model.safetensors", metadata=None):
        path = tmp_path / name
        save_file(weights, path, metadata)
        return path

    return save


def assert_same(tower, model, depth=None):
    """Every layer and the pooled output are those of transformers' model, bit for bit."""
    with torch.no_grad():
        theirs = model(IDS, output_hidden_states=True)
    n_layers = model.config.num_hidden_layers
    assert tower.depth == (depth or n_layers)
    for i in range(1, tower.depth + 1):
        ours = tower.encode(IDS, None, HiddenLayer(tower.depth + 1 - i, False))
        assert torch.equal(ours.hidden, theirs.hidden_states[i])
    pooled = tower.encode(IDS, None, HiddenLayer(1, True), pooled=True)
    if depth is None:
        assert torch.equal(pooled.hidden, theirs.last_hidden_state)
        # each of a batch of one: a larger batch rounds the projection otherwise
        rows = [model(row[None]) for row in IDS]
        theirs = torch.cat([row[0 if hasattr(row, "text_embeds") else 1] for row in rows])
        assert torch.equal(pooled.pooled, theirs)


@pytest.mark.parametrize("prefix", [SD1, f"{SDXL}0.transformer.", f"{SD3}clip_l.transformer."])
def test_the_first_tower_of_a_checkpoint(first, saved, prefix):
    path = saved({**unet(768), **wrapped(first, prefix)})

    tower = load_tower(path)

    assert_same(tower, first)
    assert tower.name == str(path)
    assert tower.dtype == torch.float32
    assert tower.special.pad == tower.special.eos == 49407
    assert not any(p.requires_grad for p in tower.model.parameters())


def test_the_second_tower_of_sd3(second, saved):
    tower = load_tower(saved(wrapped(second, f"{SD3}clip_g.transformer.")))

    assert_same(tower, second)
    assert tower.special.pad == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_what_precision_a_file_has_and_a_tower_gets(first, saved, dtype):
    path = saved(wrapped(first, SD1, dtype))

    assert load_tower(path).dtype == torch.float32
    tower = load_tower(path, dtype=dtype)
    state = {k.removeprefix("text_model."): t for k, t in tower.model.state_dict().items()}
    for key, tensor in bare(first, dtype).items():
        assert torch.equal(state[key], tensor)


@pytest.mark.parametrize("prefix", ["", "text_model."])
def test_a_file_of_transformers_alone(first, saved, prefix):
    path = saved({prefix + k: t for k, t in bare(first).items()}, metadata={"activation": "gelu"})

    assert load_tower(path).model.config.hidden_act == "gelu"


def test_positions_that_old_files_keep(first, saved):
    positions = {f"{SD1}text_model.embeddings.position_ids": torch.arange(77)[None]}

    assert_same(load_tower(saved({**wrapped(first, SD1), **positions})), first)


def test_vision_half_and_other_things_are_left_out(second, saved):
    other = {"vision_model.post_layernorm.weight": torch.ones(3), "logit_scale": torch.ones(())}
    path = saved({**wrapped(second), **other})

    assert_same(load_tower(path, activation="gelu"), second)


def test_long_clip_is_only_longer(saved):
    model = clip(context=248)
    tower = load_tower(saved(wrapped(model)), activation="quick_gelu")

    assert tower.special.context_length == 248
    ids = torch.tensor([[49406, *range(320, 540), *[49407] * 27]])
    ours = tower.encode(ids, None, HiddenLayer(1, True)).hidden
    assert torch.equal(ours, model(ids).last_hidden_state)


# --- which tower ---


def test_one_of_two_towers(first, second, saved):
    path = saved(
        {
            **wrapped(first, f"{SD3}clip_l.transformer."),
            **wrapped(second, f"{SD3}clip_g.transformer."),
        }
    )

    assert_same(load_tower(path, part=1), first)
    assert_same(load_tower(path, part=2), second)
    assert_same(load_tower(f"{path}#2"), second)
    held = "#1 64 wide, 3 layers; #2 128 wide, 3 layers"
    assert failure(path) == (
        f"{str(path)!r} holds 2 text towers: {held}\n"
        f"Say which: part=1 or part=2, or 'model.safetensors#1'."
    )
    assert failure(path, part=3) == (
        f"{str(path)!r} has no text tower #3\nIt holds 2 text towers: {held} (kind clip, clip)."
    )
    assert failure(f"{path}#1", kind="chinese_clip") == (
        f"{str(path)!r} has no text tower #1 of kind 'chinese_clip'\n"
        f"It holds 2 text towers: {held} (kind clip, clip)."
    )


def test_a_file_whose_name_ends_in_a_number(first, saved):
    assert_same(load_tower(saved(wrapped(first, SD1), "model.safetensors#2")), first)


def test_no_tower(saved):
    path = saved(unet(768))
    assert failure(path) == (
        f"{str(path)!r} holds no text tower\n"
        "It holds a UNet or transformer (SD1, 4 channels in), a VAE."
    )
    path = saved({"a": torch.zeros(1)})
    assert failure(path) == f"{str(path)!r} holds no text tower\nIt holds 1 tensor, such as 'a'."


def test_conditioner_with_a_tower_of_a_file(first, saved):
    conditioner = Conditioner(load_tower(saved(wrapped(first, SD1))), clip_skip=2)
    long = "a (red:1.3) cat, " + "word " * 200

    assert conditioner(long).embeds.shape == (1, 77 * 3, 64)
    assert conditioner.guided("a cat", long).negative.embeds.shape == (1, 77 * 3, 64)


# --- activation ---


def test_an_activation_that_nothing_shows(first, saved):
    path = saved(wrapped(first))

    assert failure(path) == (
        f"{str(path)!r}: nothing shows the activation of #1 64 wide, 3 layers: no model 64 wide "
        "with 3 layers is known\nSay activation='gelu' or activation='quick_gelu'."
    )
    assert_same(load_tower(path, activation="quick_gelu"), first)
    with pytest.raises(UnknownNameError, match=r"no activation 'quickgelu'\. Did you mean 'quick_"):
        load_tower(path, activation="quickgelu")


def test_a_guess_is_told(tmp_path):
    model = CLIPTextModelWithProjection(
        CLIPTextConfig(hidden_size=512, num_hidden_layers=12, intermediate_size=64,
                       num_attention_heads=8, projection_dim=512, vocab_size=49408)
    )  # fmt: skip
    path = tmp_path / "b.safetensors"
    save_file(wrapped(model), path)

    with pytest.warns(ClipcondWarning) as caught:
        tower = load_tower(path, dtype=torch.float16)
    assert str(caught[0].message) == (
        "the activation of b.safetensors #1 CLIP-B, 512 wide, 12 layers is taken to be quick_gelu "
        "(its shape is that of OpenAI's ViT-B); activation= says otherwise"
    )
    assert tower.model.config.hidden_act == "quick_gelu"


def test_a_width_that_shows_no_heads(saved):
    path = saved(wrapped(clip(96), SD1))
    assert failure(path) == (
        f"{str(path)!r}: a width of 96 does not show how many heads #1 96 wide, 3 layers has\n"
        "Put the model's config.json next to the file."
    )


# --- what is broken ---


def failure(source, **choices) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_tower(source, **choices)
    return str(caught.value)


KEY = f"{SD1}text_model.encoder.layers.1.mlp.fc1.bias"
TOWER = "The tower is #1 64 wide, 3 layers, in the layout of SD1."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({KEY: None}, f"it has no tensor {KEY!r} (expected [128])"),
        ({KEY: torch.zeros(127)}, f"{KEY!r} is [127], expected [128]"),
        ({KEY: torch.zeros(128, dtype=torch.int8)}, f"{KEY!r} is int8, expected floating point"),
        (
            {f"{SD1}text_model.encoder.layers.0.mlp.fc1.scale_weight": torch.zeros(1)},
            "it has 1 tensor that no such tower has, such as "
            f"'{SD1}text_model.encoder.layers.0.mlp.fc1.scale_weight'",
        ),
        (
            {f"{SD1}text_model.final_layer_norm.weight": None},
            f"it has no tensor '{SD1}text_model.final_layer_norm.weight' (expected [64])",
        ),
        (
            {f"{SD1}text_model.embeddings.token_embedding.weight": torch.zeros(300, 64)},
            "its vocabulary has 300 entries, CLIP's has 49408",
        ),
    ],
)  # fmt: skip
def test_a_tower_that_is_not_whole(first, saved, change, message):
    weights = {**wrapped(first, SD1), **change}
    path = saved({key: tensor for key, tensor in weights.items() if tensor is not None})

    assert failure(path) == f"{str(path)!r}: {message}\n{TOWER}"


# --- memory ---

MEASURE = """
import sys, torch
from clipcond import load_tower

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

def peak(dtype, part):
    before = status("VmRSS:")
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    tower = load_tower(sys.argv[1], dtype=dtype, part=part)
    size = sum(p.nbytes for p in tower.model.parameters())
    return (status("VmHWM:") - before) / size, size

load_tower("embedded")
for dtype in (torch.float16, torch.float32):
    for part in map(int, sys.argv[2:]):
        print(*peak(dtype, part))
"""


def peaks(path, *parts):
    argv = [sys.executable, "-c", MEASURE, str(path), *map(str, parts)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
@pytest.mark.slow
def test_of_a_big_file_only_the_tower_is_read(tmp_path):
    with torch.device("meta"):
        config = CLIPTextConfig(
            hidden_size=512,
            num_hidden_layers=12,
            intermediate_size=2048,
            num_attention_heads=8,
            projection_dim=512,
            vocab_size=49408,
        )
        model = CLIPTextModelWithProjection(config)  # fmt: skip
    tensors = wrapped(model, f"{SDXL}0.transformer.")
    path = sparse(tmp_path / "xl.safetensors", shapes(tensors), 7 * 10**9)

    for ratio, size in peaks(path, 1):
        print(f"peak: {ratio:.2f} of {size / 1e6:.0f} MB")
        assert size > 120e6
        assert ratio < 1.3
