"""An aligned tower conditions the UNet as the teacher does, and its record tells the training."""

import subprocess
import sys
import warnings

import pytest
import torch
from PIL import Image

from clipcond import Conditioner
from clipcond.adapters import load_adapter, tower_fingerprint
from clipcond.cli.entry import main
from clipcond.errors import (
    CheckpointError,
    ClipcondWarning,
    PairsError,
    PipelineError,
    TrainingError,
    UnknownNameError,
)
from clipcond.training import AlignSettings, LoopSettings, align
from clipcond.training.teacher import Teacher
from clipcond.training.tower_files import save_tower
from tests.pipelines.models import tiny_sd
from tests.training.made import QUIET, lines, settings, teacher, tower_zh, write
from tests.training.xl import teacher_xl

pytestmark = pytest.mark.usefixtures("measure_little")
PROMPTS = [line.split("\t") for line in lines()]


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """(teacher, adapter, record) after both stages."""
    folder, pupil = tmp_path_factory.mktemp("aligned"), teacher()
    chosen = settings(
        text_steps=80, unet_steps=30, text_lr=1e-2, unet_lr=3e-4, hidden=32, clip_skips=(1,)
    )
    output = folder / "zh.safetensors"
    align(pupil, tower_zh(), write(folder), output, settings=chosen, loop=QUIET)
    return pupil, *load_adapter(output)


def predicted(teacher, conditioner, prompts) -> torch.Tensor:
    """What the UNet says to these prompts at three timesteps, the same noise for all."""
    embeds = conditioner(prompts, clip_skip=1).embeds
    noise = torch.randn(1, *teacher.latent_shape(), generator=torch.Generator().manual_seed(1))
    noise = noise.expand(len(prompts), -1, -1, -1)
    found = [
        teacher.predict(noise, torch.full((len(prompts),), t), embeds, None) for t in (50, 500, 950)
    ]
    return torch.stack(found)


@pytest.mark.slow
def test_the_unet_hears_the_same(aligned):
    pupil, adapter, _ = aligned
    own = Conditioner(*pupil.towers)
    adapted = Conditioner(tower_zh(), adapter=adapter)
    english, chinese = zip(*PROMPTS, strict=True)
    wanted = predicted(pupil, own, list(english))

    def apart(prompts) -> float:
        return float((predicted(pupil, adapted, prompts) - wanted).square().mean())

    same_for_all = float((wanted - wanted.mean(dim=1, keepdim=True)).square().mean())
    turned = [*chinese[7:], *chinese[:7]]  # another colour and another animal
    assert apart(list(chinese)) < 0.25 * same_for_all
    assert apart(turned) > 1.5 * same_for_all


@pytest.mark.slow
def test_the_record_tells_what_was_done(aligned):
    pupil, adapter, record = aligned

    assert record == adapter.record
    assert (record.tower, record.tower_name) == (tower_fingerprint(tower_zh()), "zh")
    assert (record.teacher, record.unet) == pupil.hashes
    assert (record.family, record.width) == ("sd1", 32)
    assert record.tower_clip_skips == record.teacher_clip_skips == (1,)
    assert (record.data, record.n_pairs) == ("pairs.tsv", 24)
    assert record.stages == {"text": 80, "unet": 30}
    assert set(record.losses) == {"text.read", "text.noise", "unet.read", "unet.noise"}
    assert record.losses["unet.noise"] < record.losses["text.noise"] < 0.6
    assert 0 < record.minutes < 60


def test_towers_and_unet_stay_what_they_were(tmp_path):
    pupil, tower = teacher(), tower_zh()
    modules = [pupil.unet, pupil.towers[0].model, tower.model]
    before = [{k: v.clone() for k, v in module.state_dict().items()} for module in modules]
    chosen = settings(text_steps=2, unet_steps=2)
    align(pupil, tower, write(tmp_path), tmp_path / "a.safetensors", settings=chosen, loop=QUIET)

    for module, state in zip(modules, before, strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


@pytest.mark.slow
def test_sdxl_with_its_pooled_vector(tmp_path):
    pupil = teacher_xl()
    chosen = settings(text_steps=80, unet_steps=3, text_lr=1e-2, clip_skips=(1,), hidden=32)
    output = tmp_path / "xl.safetensors"
    record = align(pupil, tower_zh(), write(tmp_path), output, settings=chosen, loop=QUIET)

    adapter, _ = load_adapter(output)
    assert (record.family, record.width) == ("sdxl", 72)
    assert (adapter.config.width, adapter.config.pooled_width) == (72, 40)
    assert record.losses["text.pooled"] < 0.85
    found = Conditioner(tower_zh(), adapter=adapter)("一只猫")
    assert found.embeds.shape == (1, 77, 72)
    assert found.pooled.shape == (1, 40)


@pytest.mark.slow
def test_swapped_columns_are_warned_of(tmp_path):
    """A tower that cannot read most of its texts would be trained on nothing."""
    chosen, output = settings(text_steps=1, unet_steps=0), tmp_path / "zh.safetensors"
    rows = [f"a {noun}\t一只{name}" for noun, name in (("cat", "猫"), ("dog", "狗"))] * 8
    swapped = ["\t".join(reversed(row.split("\t"))) for row in rows]
    (tmp_path / "swapped").mkdir()

    with pytest.warns(ClipcondWarning, match="are the columns the other way round") as caught:
        align(None, "embedded-zh", write(tmp_path / "swapped", swapped), output, settings=chosen,
              loop=QUIET)  # fmt: skip
    said = [str(each.message) for each in caught if "other way round" in str(each.message)]
    assert "'embedded' cannot read words in 16 of 16 of the teacher's texts" in said[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "(?s).*other way round")
        align(None, "embedded-zh", write(tmp_path, rows), output, settings=chosen, loop=QUIET,
              overwrite=True)  # fmt: skip


def test_the_linear_baseline(tmp_path):
    chosen = settings(adapter="linear", text_steps=20, unet_steps=0, text_lr=5e-3)
    output = tmp_path / "linear.safetensors"
    record = align(teacher(), tower_zh(), write(tmp_path), output, settings=chosen, loop=QUIET)

    assert load_adapter(output)[0].config.kind == "linear"
    assert record.losses["text.read"] < 1


def test_latents_from_pictures(tmp_path):
    for i in range(len(PROMPTS)):
        Image.new("RGB", (9 + i, 12), (10 * i, 90, 90)).save(tmp_path / f"{i}.png")
    (tmp_path / "0.png").write_bytes(b"no picture")
    pairs = write(tmp_path, [f"{line}\t{i}.png" for i, line in enumerate(lines())])
    chosen = settings(text_steps=0, unet_steps=3)
    output, folder = tmp_path / "a.safetensors", tmp_path / "run"
    record = align(
        teacher(), tower_zh(), pairs, output, settings=chosen, loop=QUIET, run=folder, keep=True
    )

    assert record.data == "pairs.tsv, 23 with pictures"
    assert record.n_pairs == 23  # the broken one is skipped
    import numpy as np

    (path,) = folder.glob("latents-*.npy")
    latents = np.load(path)
    assert latents.shape == (22, 4, 4, 4)  # one more is held out
    assert np.isfinite(latents).all()


def test_prompts_that_cannot_be_read_are_named(tmp_path):
    long = "cat " * 400
    more = ["a (cat:1.2.3)\t猫", f"{long}\t猫", "a (cat:100000)\t猫", "a cat\t(猫:1000)"]
    pairs = write(tmp_path, [*lines(), *more])

    with pytest.raises(PairsError) as caught:
        align(teacher(), tower_zh(), pairs, tmp_path / "a.safetensors", loop=QUIET, max_bad=3)
    message = str(caught.value).splitlines()
    assert message[0] == f"{str(pairs)!r}: 4 of 28 lines cannot be used; 3 may be"
    assert message[1].startswith("  line 25: its prompt cannot be read: ")
    assert message[2] == "  line 26: its prompt takes 6 chunks, at most 4 are trained"
    assert message[4] == "  line 28: its prompt cannot be read: a weight in it is beyond 100"


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"text_steps": 0, "unet_steps": 0}, TrainingError, "both stages have 0 steps"),
        ({"drop": 1.0}, TrainingError, "drop is a share from 0 to below 1, not 1.0"),
        ({"text_batch": 0}, TrainingError, "text_batch is at least 1, not 0"),
        (
            {"teacher_clip_skips": (1, 2, 3)},
            TrainingError,
            "2 clip skips of the tower, but 3 of the teacher: they pair one to one",
        ),
    ],
)
def test_settings_that_make_no_sense(choices, error, message):
    with pytest.raises(error, match=message):
        AlignSettings(**choices)


def test_other_refusals(tmp_path):
    with pytest.raises(UnknownNameError, match="no precision 'fp8'"):
        LoopSettings(precision="fp8")
    with pytest.raises(PipelineError) as caught:
        Teacher.from_pipeline(tiny_sd(text_encoder=None))
    assert str(caught.value) == (
        "StableDiffusionPipeline cannot teach: it has no UNet that reads its own CLIP towers as "
        "they are.\nTake a Stable Diffusion 1.x, 2.x or XL pipeline."
    )
    output = tmp_path / "a.safetensors"
    output.write_bytes(b"an adapter")
    with pytest.raises(CheckpointError, match="is there already"):
        align("nowhere", "nothing", "none.tsv", output)
    assert output.read_bytes() == b"an adapter"


@pytest.mark.slow
def test_the_command(tmp_path, capsys, sd_folder):
    save_tower(tower_zh(), tmp_path / "zh")
    pairs, output = write(tmp_path), tmp_path / "zh.safetensors"
    command = [
        "align", "--teacher", str(sd_folder), "--tower", str(tmp_path / "zh"),
        "--pairs", str(pairs), "-o", str(output), "--text-steps", "2", "--unet-steps", "1",
        "--text-batch", "4", "--unet-batch", "2", "--hidden", "16", "--clip-skip", "2",
        "--teacher-clip-skip", "1", "--device", "cpu",
    ]  # fmt: skip

    assert main(command) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == str(output)
    assert "text 2 of 2, 0 s left, read " in printed.err
    _, record = load_adapter(output)
    assert (record.tower_clip_skips, record.teacher_clip_skips) == ((2,), (1,))
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"clipcond: {str(output)!r} is there already\nName another, or say --overwrite.\n"
    )
    assert main([*command[:-6], "--adapter", "lora", "--overwrite"]) == 2
    assert "no kind of adapter 'lora'" in capsys.readouterr().err


def test_help_needs_no_torch():
    code = "import sys\nfrom clipcond.cli import main\nmain(['align', '--help'])\n"
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
