"""Every stage at tiny scale from generated sprites; a run that was stopped gives the same."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from train_embedded_128 import __main__ as command
from train_embedded_128 import (
    clip_stage,
    decoder_stage,
    evaluate_features,
    export,
    loop,
    measuring,
    models,
    unet_stage,
    vae_stage,
    vision_stage,
)
from train_embedded_128.first_edition import TOKENIZER
from train_embedded_128.render import as_tensors
from train_embedded_128.settings import GPU, RATES, SHARES, TINY, TINY_BATCHES, Sizes, Work
from train_embedded_128.world import Scene, Thing
from transformers import CLIPTokenizer

from clipcond import build_pipeline, load_tower
from clipcond.checkpoints import places
from clipcond.model_defaults import own_defaults
from clipcond.reading import load_encoder, opening


@pytest.fixture
def work(pack, tmp_path):
    steps = {
        "judge": 2,
        "vae": 2,
        "clip": 2,
        "unet": 2,
        "decoder": 2,
        "vision": 2,
        "chinese": 2,
        "adapter": 1,
    }
    return Work(
        tmp_path / "runs",
        pack,
        tmp_path / "out",
        workers=1,
        sizes=TINY,
        batches=replace(TINY_BATCHES, pool=24, pairs=8),
        steps=steps,
    )


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 4)


def line_loss(model, now):
    x = torch.randn(8, 4, generator=now.generator)
    return {"l2": F.mse_loss(model.layer(x), x.flip(1))}


def test_a_stopped_run_gives_what_an_undisturbed_one_gives(work):
    work = replace(work, steps={"clip": 40})
    whole = loop.train(loop.Stage("clip", work), Line(), line_loss)
    work = replace(work, runs=work.runs / "stopped")
    stage = loop.Stage("clip", work)
    for stop_after in (7, 23, None):
        stopped = loop.train(stage, Line(), line_loss, stop_after=stop_after)

    assert torch.equal(whole.layer.weight, stopped.layer.weight)
    other = loop.train(
        loop.Stage("clip", replace(work, runs=work.runs / "x", seed=1)), Line(), line_loss
    )
    assert not torch.equal(whole.layer.weight, other.layer.weight)


def test_a_stage_takes_its_share_of_the_time(work):
    work = replace(work, steps={}, minutes=1.5 / 60 / SHARES["vae"])
    stage = loop.Stage("vae", work)
    loop.train(stage, Line(), line_loss)
    state = torch.load(stage.folder / "last.pt", weights_only=True)

    assert state["step"] <= state["steps"]
    assert state["steps"] > loop.MEASURED[1] * 4
    rates = [loop.rate_at(1.0, step, 1000) for step in range(1000)]
    assert max(rates) == 1.0
    assert rates[-1] < 0.02
    unknown = [loop.rate_at(1.0, step, None) for step in range(loop.MEASURED[1])]
    assert unknown == rates[: loop.MEASURED[1]]


def test_a_loss_that_is_not_finite_ends_the_run(work):
    with pytest.raises(SystemExit, match="clip: a loss is not finite at step 0"):
        loop.train(
            loop.Stage("clip", work),
            Line(),
            lambda m, now: {"l": m.layer.weight.sum() * float("nan")},
        )


def test_rates_grow_with_batches_but_not_without_bound(work):
    assert work.rate("clip") < RATES["clip"]
    large = replace(work, batches=GPU)
    assert RATES["clip"] < large.rate("clip") <= 2.5 * RATES["clip"]
    assert sum(SHARES.values()) < 1


def test_the_english_parts_fit_into_42_mb():
    sizes, tokenizer = Sizes(), CLIPTokenizer.from_pretrained(TOKENIZER)
    parts = (
        models.clip(sizes, tokenizer, torch.zeros(len(tokenizer))),
        models.autoencoder(sizes),
        models.unet(sizes),
    )
    weights = sum(2 * p.numel() for part in parts for p in part.parameters())
    files = sum(path.stat().st_size for path in TOKENIZER.iterdir())
    assert weights + files + 200_000 < 42e6  # with headers and configs


@pytest.mark.slow
def test_all_stages_run_and_leave_a_model_that_draws(work, capsys, monkeypatch):
    recipe = command.Recipe(work)
    for stage in (
        "pool",
        "judge",
        "vae",
        "clip",
        "unet",
        "decoder",
        "vision",
        "chinese",
        "export",
        "adapter",
    ):
        recipe.run(stage)
    capsys.readouterr()
    recipe.run("unet")  # it is done
    assert capsys.readouterr().out == ""

    pipe = build_pipeline(str(work.out / "model"))
    images = measuring.pictures(pipe, ["a cat on a red background"] * 2, 0, steps=2)
    assert images.shape == (2, 3, 128, 128)
    assert pipe.conditioner.towers[0].width == TINY.text_width
    export.write_defaults(work.out, 4.5)
    pipe = build_pipeline(str(work.out / "model"))
    assert own_defaults(pipe.text_encoder)["guidance_scale"] == 4.5
    assert pipe.conditioner.clip_skip == 2
    tower = load_tower(str(work.out / "zh" / "tower"))
    adapted = build_pipeline(
        str(work.out / "model"), tower=tower, adapter=str(work.out / "zh" / "adapter.safetensors")
    )
    assert measuring.pictures(adapted, ["一只猫"], 0, steps=2).isfinite().all()
    assert tower.width == TINY.chinese_width
    assert {p.dtype for p in adapted.conditioner.adapter.parameters()} == {torch.float16}
    assert (adapted.conditioner.clip_skip, tower.name) == (2, str(work.out / "zh" / "tower"))
    assert adapted.conditioner.adapter.record.tower_name == "embedded-zh"  # no folder of here

    monkeypatch.setattr(places, "EMBEDDED", work.out)  # as if these files had shipped
    monkeypatch.setattr(opening, "EMBEDDED", work.out)
    for name in ("embedded", "embedded-zh"):
        encoder = load_encoder(name)  # with a scale and colours of its own: no warning
        assert 1 < encoder.logit_scale < 100
        assert encoder.encode_image(Image.new("RGB", (50, 40))).isfinite().all()
    tiny = partial(build_pipeline, str(work.out / "model"))
    monkeypatch.setattr(evaluate_features, "build_pipeline", tiny)
    parts = ["regions", "recall", "drawn_again", "best_of"]
    runs = ["--runs", str(work.runs), "--sprites", str(work.sprites), "--tiny"]
    evaluate_features.main([*runs, "--n", "1", "--steps", "1", "--parts", *parts])
    found = json.loads((work.runs / "features.json").read_text(encoding="utf-8"))
    assert [*found] == parts
    shares = [share for part in found.values() for row in part.values() for share in row.values()]
    assert len(shares) > 35
    assert all(0 <= share <= 1 for share in shares)


def test_folders_are_cut_and_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "MOST_BYTES", 5000)
    folder = tmp_path / "embedded"
    (folder / "zh").mkdir(parents=True)
    data = torch.arange(4000).numpy().tobytes()
    (folder / "zh" / "weights").write_bytes(data)
    parts = export.pack_folder(folder, tmp_path / "parts")
    assert len(parts) > 3
    assert max(p.stat().st_size for p in parts) <= 5000
    export.join_folder(tmp_path / "parts", tmp_path / "joined")
    assert (tmp_path / "joined" / "zh" / "weights").read_bytes() == data
    with pytest.raises(SystemExit, match=r"holds no embedded\.tar\.00"):
        export.join_folder(tmp_path, tmp_path / "nothing")


def test_edges_cost_more_where_they_are_lost():
    wanted = torch.zeros(1, 3, 32, 32)
    wanted[..., 16:] = 1
    soft = F.avg_pool2d(F.pad(wanted, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    assert vae_stage.edge_loss(wanted, wanted) == 0
    assert vae_stage.edge_loss(wanted + 0.3, wanted) < 1e-6  # brightness is no edge
    assert vae_stage.edge_loss(soft, wanted) > 0.02


def test_things_count_more_than_their_background():
    images = torch.full((1, 3, 32, 32), 0.5)
    images[..., 8:16, 8:16] = -0.5
    weights = decoder_stage.weights_of(images)[0, 0]
    assert weights.mean() == pytest.approx(1)
    assert weights[10, 10] == pytest.approx(5 * weights[0, 0].item())
    assert torch.equal(weights > 1, images[0, 0] < 0)


def test_weights_of_timesteps_keep_the_noisy_end():
    weights = unet_stage.loss_weights(models.schedule(), "cpu")
    assert weights[-1] == 1.0
    assert weights.min() == pytest.approx(0.3)
    assert weights[0] == weights.min()


def test_spoilt_pictures_keep_their_range_and_seed():
    images = torch.rand(8, 3, 128, 128) * 2 - 1
    made = [clip_stage.spoil(images, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert made[0].abs().max() <= 1
    kept = (made[0] == images).flatten(1).all(1)
    assert 0 < kept.sum() < 8 or (made[2] == images).flatten(1).all(1).any()
    more = [vision_stage.spoil_more(images, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(more[0], more[1])
    assert not torch.equal(more[0], more[2])
    assert more[0].abs().max() <= 1


def test_a_tower_that_leaves_out_no_patch_is_that_of_transformers():
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    clip = models.clip(TINY, tokenizer, torch.ones(len(tokenizer))).eval()
    images = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        whole, part = clip_stage.seen(clip, images), vision_stage.seen_in_part(clip, images, None)
        fewer = vision_stage.seen_in_part(clip, images, torch.Generator().manual_seed(0))
    torch.testing.assert_close(part, whole)
    assert fewer.shape == whole.shape
    assert (fewer - whole).abs().max() > 1e-4


def test_which_scenes_show_one_noun():
    scenes = as_tensors(
        [
            Scene("red", (Thing(3),)),
            Scene("red", (Thing(3), Thing(5)), "beside"),
            Scene("red", (Thing(3), Thing(3)), "row"),
            Scene("red", ()),
        ]
    )
    assert vision_stage.lone_nouns(scenes).tolist() == [3, -1, 3, -1]


def test_measuring_sees_what_is_there():
    images = torch.ones(2, 3, 128, 128)
    images[1, :, 40:80, 40:80] = -1
    assert measuring.something_drawn(images).tolist() == [False, True]
    rows = measuring.rows()
    assert len({row.name for row in rows}) == len(rows)


def test_languages_are_asked_for_the_same_scenes(sprites):
    (row,) = [row for row in measuring.rows() if row.name == "colour"]
    asked = {lang: measuring.asked(row, 6, sprites.offers, lang) for lang in measuring.LANGUAGES}
    scenes = {lang: [scene for _, scene in both] for lang, both in asked.items()}
    assert scenes["en"] == scenes["zh"] == scenes["mixed"]
    assert all(isinstance(s, Scene) and isinstance(s.things[0], Thing) for s in scenes["en"])
    assert all(scene.things[0].colour >= 0 for scene in scenes["en"])
    assert [p for p, _ in asked["en"]] != [p for p, _ in asked["zh"]]
