"""The independent judge: trained on renderings of every artist, used only to measure pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torch.nn import functional as F

from .colouring import nearest_colour
from .loop import Losses, Now, Stage, train
from .models import Judge
from .pool import Records
from .render import STYLE_NAMES, Renderer, Scenes, seeded
from .settings import Sizes, Work
from .sprites import ALL_SETS, Sprites
from .world import SIZE, STYLES

VIEW = SIZE // 2
BORDER = 3  # pixels
IGNORED = -1
CHECKED = 1500  # renderings of each artist


def whole(images: Tensor) -> Tensor:
    """Pictures [n 3 SIZE SIZE] at half their size."""
    return F.avg_pool2d(images, 2)


def halves(images: Tensor, *, above: bool) -> Tensor:
    """The middles of both halves of pictures: [n 2 3 VIEW VIEW], left or upper first."""
    if above:
        images = images.transpose(2, 3)
    middle = images[:, :, VIEW // 2 : VIEW // 2 + VIEW]
    both = torch.stack([middle[..., :VIEW], middle[..., VIEW:]], dim=1)
    return both.transpose(3, 4) if above else both


def border_colours(images: Tensor) -> list[str]:
    """The background of each picture [n 3 SIZE SIZE]: the nearest colour to its border's median."""
    edges = [images[:, :, :BORDER], images[:, :, -BORDER:]]
    sides = [images[..., :BORDER], images[..., -BORDER:]]
    pixels = torch.cat([part.flatten(2) for part in edges + sides], dim=2)
    return nearest_colour((pixels.median(2).values + 1) * 127.5)


def style_labels(scenes: Scenes, sets: Tensor) -> Tensor:
    """The style that a scene by an artist has; IGNORED where it has no name: [n]."""
    by_set = [
        next((i for i, s in enumerate(STYLE_NAMES) if s != "pixel" and name in STYLES[s]), IGNORED)
        for name in ALL_SETS
    ]
    found = torch.tensor(by_set, device=sets.device)[sets]
    pixel = STYLE_NAMES.index("pixel")
    return torch.where(scenes.style == pixel, pixel, found)


def views_and_labels(
    renderer: Renderer, scenes: Scenes, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Render scenes; every kind of thing in a view of its own, with what it shows."""
    sets = renderer.choose_sets(scenes, generator)
    images = renderer.draw(scenes, generator, sets)
    style = style_labels(scenes, sets)
    n = (scenes.noun >= 0).sum(1)
    same = (scenes.noun == scenes.noun[:, :1]) | (scenes.noun < 0)
    one_kind = (n > 0) & same.all(1) & (scenes.degraded == 0)
    pair = (n == 2) & ~one_kind & (scenes.degraded == 0)
    above = scenes.box[:, 0, 2] < scenes.box[:, 1, 2]
    views, rows = [whole(images[one_kind])], [scenes[one_kind]]
    slots, styles, counts = [torch.zeros_like(n[one_kind])], [style[one_kind]], [n[one_kind] - 1]
    for is_above in (False, True):
        where = pair & (above == is_above)
        for slot in (0, 1):
            views.append(halves(images[where], above=is_above)[:, slot])
            rows.append(scenes[where])
            slots.append(torch.full_like(n[where], slot))
            styles.append(style[where])
            counts.append(torch.full_like(n[where], IGNORED))
    slot = torch.cat(slots)
    labels = {"style": torch.cat(styles), "count": torch.cat(counts)}
    labels["noun"] = torch.cat([r.noun for r in rows]).gather(1, slot[:, None])[:, 0]
    labels["colour"] = torch.cat([r.colour for r in rows]).gather(1, slot[:, None])[:, 0]
    return torch.cat(views), labels


def judge_stage(work: Work, sprites: Sprites, pool: dict[int, Records]) -> Judge:
    """Train the judge, print its accuracy by artist, and save it."""
    torch.manual_seed(work.seed)
    renderer, scenes = Renderer(sprites, ALL_SETS, wander=True), pool[1].scenes
    model = Judge(work.sizes)
    if "judge" in work.compiled:
        model.compile()

    def loss_of(judge: nn.Module, now: Now) -> Losses:
        generator = now.generator
        rows = torch.randint(
            len(scenes), (work.batches.judge,), generator=generator, device=work.device
        )
        views, labels = views_and_labels(renderer, scenes[rows], generator)
        found = judge(views)
        return {
            name: F.cross_entropy(
                found[name], labels[name], ignore_index=IGNORED, label_smoothing=0.03
            ).nan_to_num(0.0)
            * (1.0 if name == "noun" else 0.3)
            for name in Judge.heads
        }

    train(Stage("judge", work, ema=0.99), model, loss_of)
    save_model(model, work.runs / "judge" / "judge.safetensors")
    for name, accuracy in judge_accuracy(model, sprites, scenes, work.device).items():
        print(f"judge on {name}: {accuracy}", flush=True)
    return model


@torch.no_grad()
def judge_accuracy(
    judge: Judge, sprites: Sprites, scenes: Scenes, device: str
) -> dict[str, dict[str, float]]:
    """The judge's accuracy on fresh renderings of each artist who has anything, by head."""
    found: dict[str, dict[str, float]] = {}
    for i, name in enumerate(ALL_SETS):
        if not (sprites.rows[:, 0, i] >= 0).any():
            continue
        renderer, generator = (
            Renderer(sprites, [name], wander=True),
            seeded(device, "judge check", name),
        )
        renderer.allowed[:] = torch.tensor([each == name for each in ALL_SETS], device=device)
        right: dict[str, list[Tensor]] = {head: [] for head in Judge.heads}
        for rows in torch.arange(min(CHECKED, len(scenes)), device=device).split(128):
            some = scenes[rows]
            has = (renderer._rows(some)[..., i] >= 0) | (some.noun < 0)
            some = some[has.all(1)]
            if not len(some):
                continue
            views, labels = views_and_labels(renderer, some, generator)
            for head, logits in judge(views).items():
                asked = labels[head] != IGNORED
                right[head].append((logits.argmax(1) == labels[head])[asked])
        shares = {head: torch.cat(parts).float() for head, parts in right.items() if parts}
        found[name] = {h: round(x.mean().item(), 4) for h, x in shares.items() if len(x)}
    return found


def load_judge(runs: Path, sizes: Sizes) -> Judge:
    """The trained judge of a run."""
    judge = Judge(sizes)
    load_model(judge, runs / "judge" / "judge.safetensors")
    return judge.eval()
