"""Scenes, their split, and whether pictures show what scenes say."""

import random

import pytest
import torch
from train_embedded_128.colouring import COLOURS, main_part, nearest_colour, recolour
from train_embedded_128.judging import border_colours, halves
from train_embedded_128.nouns import NOUNS, plural
from train_embedded_128.render import SHADE, Renderer, as_tensors, seeded
from train_embedded_128.world import (
    BACKGROUNDS,
    SIZE,
    SIZES,
    STYLES,
    Mix,
    Places,
    Scene,
    Thing,
    is_held_out,
)


@pytest.fixture(scope="module")
def renderer(sprites):
    return Renderer(sprites)


def drawn(renderer, *scenes, seed=0):
    return renderer.draw(as_tensors(scenes), seeded("cpu", seed))


def inked(images, background):
    """Pixels away from the background's colour."""
    colour = torch.tensor(COLOURS[background]).view(3, 1, 1) / 127.5 - 1
    return (images - colour).abs().amax(1) > 0.25


def test_there_are_200_nouns_and_all_names_differ():
    names = [name for noun in NOUNS for name in noun.names]
    chinese = [name for noun in NOUNS for name in noun.chinese]

    assert len(NOUNS) >= 200
    assert len(set(names)) == len(names)
    assert len(set(chinese)) == len(chinese)
    assert len({noun.emoji for noun in NOUNS}) == len(NOUNS)
    words = ("mouse", "fire truck", "cherry", "box", "wolf", "tomato", "key")
    assert [plural(word) for word in words] == (
        "mice|fire trucks|cherries|boxes|wolves|tomatoes|keys".split("|")
    )


def test_the_same_seed_draws_the_same_and_another_differs(sprites, renderer):
    places = Places(sprites.offers)
    scenes = [places.draw(random.Random(3)) for _ in range(3)]

    assert scenes == [places.draw(random.Random(3)) for _ in range(3)]
    assert torch.equal(drawn(renderer, *scenes), drawn(renderer, *scenes))
    assert not torch.equal(drawn(renderer, *scenes), drawn(renderer, *scenes, seed=1))


def test_training_and_evaluation_share_no_scene(sprites):
    sides = [Places(sprites.offers, Mix(held_out=side)) for side in (False, True)]
    for side, places in zip((False, True), sides, strict=True):
        rng = random.Random(0)
        scenes = [places.draw(rng) for _ in range(200)]
        scenes += [places.near(scene, rng) for scene in scenes]
        assert {is_held_out(s) for s in scenes if s.things} == {side}
    two = (Thing(0), Thing(1))
    assert is_held_out(Scene("red", two)) == is_held_out(Scene("blue", two[::-1], "above"))


def test_backgrounds_keep_their_names_in_every_shade(renderer):
    for background in BACKGROUNDS:
        images = drawn(renderer, *[Scene(background)] * 40)
        assert set(border_colours(images)) == {background}
    corners = torch.cartesian_prod(*[torch.tensor([-SHADE, SHADE])] * 3)
    for name, colour in COLOURS.items():
        shades = (torch.tensor(colour) + corners).clamp(0, 255)
        assert set(nearest_colour(shades)) == {name}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_counts_are_drawn(renderer, n):
    places = {1: ["one"], 2: ["beside", "above"], 3: ["row", "triangle"]}[n]
    square = next(i for i, noun in enumerate(NOUNS) if noun.names[0] == "square")
    for arrangement in places:
        scene = Scene("white", (Thing(square, size=SIZES[n][1]),) * n, arrangement, "flat")
        ink = inked(drawn(renderer, *[scene] * 6), "white").float()
        whole = Scene("white", (Thing(square, size=SIZES[n][1]),), "one", "flat")
        one = inked(drawn(renderer, *[whole] * 6), "white").float().mean()
        assert ink.mean() / one == pytest.approx(n, rel=0.12)


def test_the_first_is_left_or_above(renderer, sprites):
    offers = sprites.offers
    red, blue = (list(COLOURS).index(c) for c in ("red", "blue"))
    nouns = [i for i in range(len(NOUNS)) if {red, blue} <= set(offers.colours(i))][:2]
    things = Thing(nouns[0], red, SIZES[2][1]), Thing(nouns[1], blue, SIZES[2][1])
    for arrangement in ("beside", "above"):
        images = drawn(renderer, *[Scene("white", things, arrangement)] * 4)
        first, second = halves(images, above=arrangement == "above").unbind(1)
        assert (first[:, 0] - first[:, 2]).mean() > 0.2  # more red than blue
        assert (second[:, 2] - second[:, 0]).mean() > 0.2


@pytest.mark.parametrize("colour", list(COLOURS))
def test_a_thing_has_the_colour_that_it_is_given(colour, sprites):
    offers, index = sprites.offers, list(COLOURS).index(colour)
    nouns = [i for i in range(len(NOUNS)) if index in offers.colours(i)]
    assert nouns
    rows = [int(offers.rows[n, index + 1, s]) for n in nouns for s in offers.sets(n, index)]
    pictures = sprites.pictures[rows].float()
    solid = pictures[:, 3:] > 250
    colours = (pictures[:, :3] * solid).flatten(2).sum(2) / solid.flatten(2).sum(2)
    names = nearest_colour(colours)
    assert names.count(colour) / len(names) > 0.9


def test_recolouring_leaves_the_rest_and_the_outline(sprites):
    some = sprites.pictures[:20].float() / 255
    part, _ = main_part(some)
    (made,) = recolour(some, ["blue"])
    rest = ~part[:, None].expand(-1, 3, -1, -1)

    assert torch.equal(made[:, 3], some[:, 3])
    # divided by alpha and multiplied again
    assert torch.allclose(made[:, :3][rest], some[:, :3][rest], rtol=0, atol=1e-4)


def test_styles_are_by_their_artists(renderer, sprites):
    offers = sprites.offers
    missing = [i for i in range(len(NOUNS)) if len(offers.sets(i)) < 4]
    assert missing
    for style, artists in STYLES.items():
        scenes = as_tensors([Scene("white", (Thing(i),), style=style) for i in range(40)])
        sets = renderer.choose_sets(scenes, seeded("cpu", style))
        for noun, which in enumerate(sets.tolist()):
            assert which in offers.sets(noun)
            assert which in [
                ["noto", "noto-v1", "fluent-3d", "fluent-flat"].index(a) for a in artists
            ]
    pixels = drawn(renderer, Scene("red", (Thing(3),), style="pixel"))
    blocks = pixels.view(1, 3, SIZE // 4, 4, SIZE // 4, 4)
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))


def test_a_heavier_thing_is_larger(renderer):
    scene = Scene("white", (Thing(1),), style="flat")
    shares = []
    for scale in (0.6, 1.0, 1.3):
        tensors = as_tensors([scene] * 4, [[scale]] * 4)
        shares.append(inked(renderer.draw(tensors, seeded("cpu", 0)), "white").float().mean())
    assert shares[0] < shares[1] < shares[2]


def test_some_things_that_are_alone_wander(sprites):
    thing = [Scene("white", (Thing(0),))] * 300
    pair = [Scene("white", (Thing(0, -1, SIZES[2][1]),) * 2, "beside")] * 8
    small = [Scene("white", (Thing(0, -1, SIZES[1][0]),))] * 60
    still, moving = Renderer(sprites), Renderer(sprites, wander=True)

    def boxes(renderer, scenes):
        tensors = as_tensors(scenes)
        alone = (tensors.noun >= 0).sum(1) == 1
        return renderer._wandered(tensors.box, alone, seeded("cpu", "wander"))[:, 0]

    found = boxes(moving, thing)
    moved = found[:, 0] != SIZES[1][1]
    assert 0.2 < moved.float().mean() < 0.4
    assert (found[~moved] == torch.tensor([float(SIZES[1][1]), 64, 64])).all()
    size, centres = found[moved, :1], found[moved, 1:]
    assert (size >= 0.65 * SIZES[1][1]).all()
    assert (centres - size / 2 >= -1e-3).all()
    assert (centres + size / 2 <= 128 + 1e-3).all()
    assert centres.std(0).min() > 10
    assert (boxes(moving, small)[:, 0] == SIZES[1][0]).all()  # a size that was asked for stays
    assert torch.equal(boxes(moving, pair), as_tensors(pair).box[:, 0])
    images = [each.draw(as_tensors(pair), seeded("cpu", 1)) for each in (still, still)]
    assert torch.equal(*images)
