"""Another tower in a pipeline: with an adapter that was aligned to both, or refused."""

import copy
import re

import pytest
import torch

from clipcond import attach, build_pipeline, detach, embedded, load_tower
from clipcond.adapters import (
    save_adapter,
    tower_fingerprint,
    unet_fingerprint,
)
from clipcond.cli import main
from clipcond.errors import CheckpointError, ClipcondWarning, PipelineError
from clipcond.pipelines.fit import ALIGN
from clipcond.towers import ChineseClipTower, OpenAIClipTower, checkpoints
from tests.adapters.made import LENGTH, adapter, record
from tests.parity.models import tokenizer, tower_g, tower_l
from tests.pipelines.models import latents, tiny_sd
from tests.towers.chinese import text_model, tower_zh
from tests.towers.chinese import tokenizer as chinese

CAT = "蓝色背景上的一只猫"
ALL_THE_SAME = "allow_unaligned=True takes it all the same."


def aligned(pipe, of=None, **fields):
    """An adapter whose record names this pipeline and this tower."""
    made = adapter()
    own = OpenAIClipTower(pipe.text_encoder, pipe.tokenizer)
    stated = {
        "tower": tower_fingerprint(of or tower_zh()),
        "teacher": tower_fingerprint(own),
        "unet": unet_fingerprint(pipe.unet),
    }
    made.record = record(**{**stated, **fields})
    return made


def refused(pipe, **choices) -> str:
    before = dict(vars(pipe))
    with pytest.raises(PipelineError) as caught:
        attach(pipe, **choices)
    assert vars(pipe) == before
    return str(caught.value)


def warned(pipe, **choices) -> str:
    with pytest.warns(ClipcondWarning) as caught:
        attach(pipe, **choices)
    assert len(caught) == 1
    assert latents(pipe, "a cat").isfinite().all()
    return str(caught[0].message)


def test_an_aligned_adapter_is_taken_without_a_word(pipe):
    made = aligned(pipe)
    attach(pipe, tower=tower_zh(), adapter=made)
    embeds, negative = pipe.encode_prompt(f"{CAT}，" * 15, "cpu", 1, True)

    assert embeds.shape == negative.shape == (1, 3 * LENGTH, 32)
    assert pipe.conditioner.adapter is made
    assert latents(pipe, CAT, negative_prompt="狗").isfinite().all()
    assert not torch.equal(latents(pipe, CAT), latents(pipe, "狗"))
    assert not torch.equal(latents(pipe, CAT), latents(pipe, "蓝色背景上的一只(猫:1.4)"))
    assert not torch.equal(latents(pipe, CAT), latents(pipe, CAT, clip_skip=2))


def test_attached_and_detached_changes_nothing(pipe):
    theirs, before = latents(pipe, "a cat"), dict(vars(pipe))
    made = aligned(pipe)
    weights = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    attach(pipe, tower=tower_zh(), adapter=made)
    ours = latents(pipe, CAT)
    handle = made.register_forward_hook(_fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        latents(pipe, "狗")
    handle.remove()

    assert torch.equal(latents(pipe, CAT), ours)
    assert all(torch.equal(made.state_dict()[name], tensor) for name, tensor in weights.items())
    detach(pipe)
    assert vars(pipe).keys() == before.keys()
    assert torch.equal(latents(pipe, "a cat"), theirs)


def test_swapping_prompt_and_negative_swaps_what_the_unet_reads(pipe):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe), clip_skip=2)
    one = pipe.encode_prompt(CAT, "cpu", 1, True, f"(狗:1.3){CAT * 10}")
    other = pipe.encode_prompt(f"(狗:1.3){CAT * 10}", "cpu", 1, True, CAT)

    # batches of another order are summed in another order
    assert torch.allclose(one[0], other[1], rtol=0, atol=5e-6)
    assert torch.allclose(one[1], other[0], rtol=0, atol=5e-6)


def test_embeddings_of_the_callers_own_are_filled_up(pipe):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe))
    long = pipe.encode_prompt(f"{CAT}，" * 15, "cpu", 1, False)[0]
    embeds, negative = pipe.encode_prompt(None, "cpu", 1, True, "狗", prompt_embeds=long)

    assert embeds.shape == negative.shape == (1, 3 * LENGTH, 32)


def test_a_foreign_tower_without_an_adapter_is_refused(pipe):
    assert refused(pipe, tower=tower_zh()) == (
        "'zh' was not trained with this pipeline's UNet (it is a ChineseClipTower): what it says "
        "means nothing to the UNet, and pictures would not follow the prompt.\n"
        f"Give an adapter that was aligned to both: adapter='...'. To train one: {ALIGN}\n"
        f"{ALL_THE_SAME}"
    )
    assert ALIGN.startswith("clipcond align ")


def test_a_foreign_tower_can_be_tried_all_the_same(pipe):
    message = warned(pipe, tower=tower_zh(), allow_unaligned=True)

    assert message == refused(pipe, tower=tower_zh()).splitlines()[0]
    assert pipe.conditioner.adapter is None


def test_a_tower_that_is_deeper_or_reads_other_words_is_foreign(pipe):
    tower = tower_l()
    deeper = OpenAIClipTower(copy.deepcopy(tower.model), tokenizer(), name="deeper")
    layers = deeper._parts().encoder.layers
    layers.append(copy.deepcopy(layers[-1]))
    assert "UNet (it has 5 blocks, the pipeline's own has 4)" in refused(pipe, tower=deeper)

    other = tower_l()
    other.tokenizer = copy.copy(other.tokenizer)
    other.tokenizer.encode = lambda text: [7, 8, 9]
    assert "UNet (it has another vocabulary)" in refused(pipe, tower=other)


def test_a_fine_tuned_tower_needs_no_adapter(pipe):
    tower = OpenAIClipTower(copy.deepcopy(tower_l().model), tokenizer(), name="tuned")
    with torch.no_grad():
        for parameter in tower.model.parameters():
            parameter.add_(0.1 * parameter.std() * torch.randn_like(parameter))
    attach(pipe, tower=tower)

    assert latents(pipe, "a cat").isfinite().all()


def test_a_tower_of_the_same_shape_that_was_trained_apart_is_told(pipe):
    tower = OpenAIClipTower(copy.deepcopy(tower_l().model), tokenizer(), name="apart")
    with torch.no_grad():
        table = tower._table()
        table.copy_(0.5 * torch.randn(table.shape, generator=torch.Generator().manual_seed(0)))
    message = warned(pipe, tower=tower)

    assert re.fullmatch(
        r"'apart' has the shape of the pipeline's own text tower, but seems to have been trained "
        r"apart from it \(cosine of their token embeddings -?0\.0\d\): pictures may not follow the "
        r"prompt",
        message,
    )


def test_an_adapter_of_another_tower_is_refused(pipe):
    made = aligned(pipe, tower="0" * 64, tower_name="OFA-Sys/x")
    found = tower_fingerprint(tower_zh())
    message = refused(pipe, tower=tower_zh(), adapter=made)

    assert message == (
        "The adapter was aligned to another tower, 'OFA-Sys/x': its hash begins with "
        f"000000000000, that of 'zh' with {found[:12]}.\n"
        f"Use that tower, or align an adapter to this one: {ALIGN}\n{ALL_THE_SAME}"
    )
    told = warned(pipe, tower=tower_zh(), adapter=made, allow_unaligned=True)
    assert told == message.splitlines()[0]


def test_a_tower_cast_to_bfloat16_is_not_recognised_and_told_so(pipe):
    tower = copy.deepcopy(tower_zh())
    tower.model.to(torch.bfloat16)
    message = refused(pipe, tower=tower, adapter=aligned(pipe))

    assert "Use that tower (in bfloat16 it is not recognised: open it in float32, " in message


def test_an_adapter_of_another_family_is_refused(pipe):
    message = refused(pipe, tower=tower_zh(), adapter=aligned(pipe, family="sd2"))

    assert message == (
        "The adapter was aligned to a UNet of family 'sd2', but this pipeline's is 'sd1': the same "
        "tower needs another adapter for it.\n"
        f"Use an adapter aligned to this UNet. To train one: {ALIGN}\n{ALL_THE_SAME}"
    )


def test_an_adapter_without_a_record_is_refused(pipe):
    made = adapter()

    assert refused(pipe, tower=tower_zh(), adapter=made) == (
        "The adapter has no alignment record: nothing says to which tower and UNet it was "
        "aligned.\nSave it with its record (clipcond.adapters.save_adapter) and give the file.\n"
        f"{ALL_THE_SAME}"
    )
    assert warned(pipe, tower=tower_zh(), adapter=made, allow_unaligned=True).startswith(
        "The adapter has no alignment record"
    )


@pytest.mark.parametrize("allow_unaligned", [False, True])
@pytest.mark.parametrize(
    ("sizes", "tower", "message"),
    [
        (
            {},
            tower_g,
            "The adapter reads a tower 32 wide, but 'G' is 40 wide.\n"
            "Use the tower that it was aligned to, 'zh'.",
        ),
        (
            {"width": 48},
            tower_zh,
            "The text embeddings are 48 wide, but this pipeline's UNet reads 32.\n"
            f"Use an adapter aligned to this UNet. To train one: {ALIGN}",
        ),
    ],
)
def test_shapes_that_cannot_work_are_always_refused(pipe, sizes, tower, message, allow_unaligned):
    made = adapter(**sizes)
    made.record = record()
    choices = {"tower": tower(), "adapter": made, "allow_unaligned": allow_unaligned}

    assert refused(pipe, **choices) == message


@pytest.mark.parametrize("allow_unaligned", [False, True])
def test_a_wide_tower_hears_of_adapters(pipe, allow_unaligned):
    assert refused(pipe, tower=tower_g(), allow_unaligned=allow_unaligned) == (
        "The text embeddings are 40 wide, but this pipeline's UNet reads 32.\n"
        "Use the text tower that the UNet was trained with, or an adapter for this one. "
        f"To train one: {ALIGN}"
    )


def test_an_adapter_without_its_tower(pipe):
    assert refused(pipe, adapter=aligned(pipe)) == (
        "An adapter was given without the tower that it reads.\n"
        "Say tower=...: it was aligned to 'zh'."
    )
    assert refused(pipe, tower=tower_zh(), adapter=7) == (
        "adapter=7 is no adapter.\nGive the path of its file, or an Adapter."
    )


@pytest.mark.parametrize("part", ["unet", "text_encoder", "both"])
def test_a_fine_tuned_unet_of_the_family_is_taken_with_a_word(pipe, part):
    made = aligned(pipe)
    with torch.no_grad():
        if part != "text_encoder":
            pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_v.weight.add_(0.1)
        if part != "unet":
            next(pipe.text_encoder.parameters()).add_(0.1)
    others = {"unet": "UNet", "text_encoder": "text tower", "both": "UNet and text tower"}[part]

    assert warned(pipe, tower=tower_zh(), adapter=made) == (
        f"the adapter was aligned to another {others} of the same family ('sd1'): what was trained "
        "on top of that family is mostly kept, but pictures may follow the prompt less well"
    )


def test_nothing_is_told_of_what_bfloat16_does_not_tell(pipe):
    made = aligned(pipe)
    attach(pipe.to(torch.bfloat16), tower=tower_zh(), adapter=made)

    assert latents(pipe, CAT).dtype == torch.bfloat16


def test_a_pipeline_without_a_text_encoder(pipe):
    made = aligned(pipe)
    theirs = latents(attach(pipe, tower=tower_zh(), adapter=made), CAT)
    pipe.text_encoder = pipe.tokenizer = None

    assert torch.equal(latents(attach(pipe, tower=tower_zh(), adapter=made), CAT), theirs)
    assert "(it is a ChineseClipTower)" in refused(pipe, tower=tower_zh())


@pytest.fixture
def zh_folder(tmp_path):
    """The same Chinese tower as a folder with its vocabulary."""
    folder = tmp_path / "zh"
    text_model().save_pretrained(folder)
    chinese().save_pretrained(folder)
    return folder


def test_a_tower_by_name_follows_the_pipeline(pipe, zh_folder, tmp_path):
    path = tmp_path / "zh.safetensors"
    tower = load_tower(zh_folder)
    made = aligned(pipe, tower)
    save_adapter(made, made.record, path)
    attach(pipe, tower=str(zh_folder), adapter=str(path))
    exact = latents(pipe, CAT)

    pipe.to(torch.bfloat16)
    half = latents(pipe, CAT)
    assert pipe.conditioner.towers[0].dtype == half.dtype == torch.bfloat16
    assert pipe.encode_prompt(CAT, "cpu", 1, False)[0].dtype == torch.bfloat16
    assert (half.float() - exact).abs().max() < 0.2 * exact.abs().max()
    assert pipe.conditioner.adapter.dtype == torch.float32


def test_a_tower_of_the_users_stays_where_it_is(pipe):
    tower = tower_zh()
    attach(pipe.to(torch.bfloat16), tower=tower, adapter=aligned(tiny_sd()))
    latents(pipe, CAT)

    assert tower.dtype == torch.float32


def test_build_pipeline(sd_folder, zh_folder, tmp_path):
    path = tmp_path / "zh.safetensors"
    made = aligned(tiny_sd(), load_tower(zh_folder))
    save_adapter(made, made.record, path)
    for given in (str(path), made):
        pipe = build_pipeline(sd_folder, tower=str(zh_folder), adapter=given)
        assert pipe.encode_prompt(CAT, "cpu", 1, False)[0].shape == (1, LENGTH, 32)
        assert isinstance(pipe.conditioner.towers[0], ChineseClipTower)
    half = build_pipeline(sd_folder, tower=str(zh_folder), adapter=path, dtype="bfloat16")
    assert half.conditioner.towers[0].dtype == torch.bfloat16
    assert latents(half, CAT).isfinite().all()

    with pytest.raises(PipelineError, match="was not trained with this pipeline's UNet"):
        build_pipeline(sd_folder, tower=str(zh_folder))
    with pytest.warns(ClipcondWarning, match="was not trained with this pipeline's UNet"):
        build_pipeline(sd_folder, tower=str(zh_folder), allow_unaligned=True)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A tiny tower and adapter in the place of the embedded Chinese ones: no vocabulary beside."""
    text_model().save_pretrained(tmp_path / "tower")
    monkeypatch.setitem(checkpoints.NAMES, "embedded-zh", lambda: tmp_path / "tower")
    path = tmp_path / "adapter.safetensors"
    monkeypatch.setitem(embedded.ADAPTERS, "embedded-zh", path)
    pipe = build_pipeline()
    made = adapter(width=pipe.unet.config.cross_attention_dim)
    own = record(
        tower=tower_fingerprint(load_tower("embedded-zh")),
        teacher=tower_fingerprint(pipe.conditioner.towers[0]),
        unet=unet_fingerprint(pipe.unet),
        width=made.config.width,
    )
    save_adapter(made, own, path)
    return path


def test_the_embedded_chinese_tower_brings_its_adapter(stand_in, pipe):
    built = build_pipeline(tower="embedded-zh", clip_skip=2)
    ids = built.conditioner.chunks(CAT)[0].input_ids

    assert built.conditioner.adapter.config.width == 128
    assert built.conditioner.clip_skip == 2
    assert "".join(built.conditioner.towers[0].tokenizer.pieces(ids[1:10])).replace(" ", "") == CAT
    image = built(CAT, num_inference_steps=2).images[0]
    assert image.size == (64, 64)

    by_hand = attach(build_pipeline(), tower="embedded-zh", clip_skip=2)
    found = by_hand.encode_prompt(CAT, "cpu", 1, False)[0]
    assert torch.equal(found, built.encode_prompt(CAT, "cpu", 1, False)[0])
    # into another model it has none
    assert "'embedded-zh' was not trained with this pipeline's UNet" in refused(
        pipe, tower="embedded-zh"
    )


def test_generate_with_the_embedded_chinese_tower(stand_in, tmp_path, capsys):
    out = tmp_path / "out.png"
    arguments = ["generate", CAT, "--tower", "embedded-zh", "--steps", "1", "-o", str(out)]
    assert main(arguments) == 0
    first = out.read_bytes()
    assert b"Tower: embedded-zh" in first
    assert main([*arguments, "--adapter", str(stand_in)]) == 0
    assert b"Adapter: adapter" in out.read_bytes()
    assert main(["inspect", CAT, "--tower", "embedded-zh"]) == 0
    assert "猫" in capsys.readouterr().out


def test_generate_refuses_and_can_be_told_otherwise(zh_folder, tmp_path, capsys, monkeypatch):
    wide = tmp_path / "wide"
    config = copy.deepcopy(text_model().config)
    config.hidden_size = 128
    torch.manual_seed(0)
    type(text_model())(config).save_pretrained(wide)
    chinese().save_pretrained(wide)
    out = tmp_path / "out.png"
    arguments = ["generate", CAT, "--tower", str(wide), "--steps", "1", "-o", str(out)]

    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert f"clipcond: {str(wide)!r} was not trained with this pipeline's UNet" in told
    assert "clipcond align" in told
    assert not out.exists()
    assert main([*arguments, "--allow-unaligned"]) == 0
    assert "was not trained with this pipeline's UNet" in capsys.readouterr().err
    assert out.exists()


def test_the_embedded_chinese_files_lie_where_they_are_looked_for():
    folder = embedded.folder().parent / "zh"

    assert embedded.adapter_file("embedded-zh") == folder / "adapter.safetensors"
    assert embedded.adapter_file("embedded") is None
    if (folder / "tower").is_dir():
        assert checkpoints.NAMES["embedded-zh"]() == folder / "tower"
        return
    with pytest.raises(CheckpointError) as caught:
        load_tower("embedded-zh")
    assert str(caught.value) == (
        "the embedded Chinese tower did not come with this clipcond: there is no "
        f"{str(folder / 'tower' / 'config.json')!r}\n"
        "Install a release of clipcond, or name another tower."
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_everything_moves_to_cuda(pipe, zh_folder):
    made = aligned(pipe, load_tower(zh_folder))
    attach(pipe, tower=str(zh_folder), adapter=made)
    exact = latents(pipe, CAT)
    pipe.to("cuda", torch.float16)
    moved = latents(pipe, CAT)

    assert moved.device.type == pipe.conditioner.towers[0].device.type == "cuda"
    assert (moved.float().cpu() - exact).abs().max() < 0.05 * exact.abs().max()
    assert made.device.type == "cpu"


def _fail(*_):
    raise RuntimeError("in the middle")
