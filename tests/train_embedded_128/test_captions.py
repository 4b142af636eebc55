"""Captions tell what is drawn, in both languages; what is held out stays held out."""

import random
import re
from dataclasses import replace

import pytest
import torch
from train_embedded_128 import adapter_stage, pool, text_states, typing_errors
from train_embedded_128.captioning import Habits
from train_embedded_128.captions import ENGLISH, LARGE, SMALL, plain
from train_embedded_128.captions_zh import CHINESE, CLAIMS, MIXED, STYLES, WORDS
from train_embedded_128.colouring import COLOURS
from train_embedded_128.nouns import NOUNS, plural
from train_embedded_128.world import SIZES, Mix, Places, Scene, Thing, colour_name

from clipcond import Conditioner, parse
from clipcond.tokenizers.clip_bpe import shipped_clip
from clipcond.towers import OpenAIClipTower
from examples.tiny_models import text_encoder

PLAIN = Habits(filler=0, strange=0, weighted=0, misspelt=0, unknown=0)
N = 400


def said(language, sprites, habits=PLAIN, mix=None, n=N, seed=0):
    rng = random.Random(seed)
    places = Places(sprites.offers, mix or Mix())
    return [language.describe(places.draw(rng), rng, habits) for _ in range(n)]


def spoken(samples):
    """Those that say their scene."""
    return [s for s in samples if not s.silent]


def test_english_names_every_kind_number_colour_and_size(sprites):
    numbers = {2: "two|2|a pair of", 3: "three|3"}
    for each in spoken(said(ENGLISH, sprites)):
        text = each.prompt
        for thing, n in each.scene.counts:
            names = NOUNS[thing.noun].names
            wanted = [plural(name) for name in names] if n > 1 else names
            assert any(re.search(rf"\b{re.escape(w)}\b", text) for w in wanted), text
            if n > 1:
                assert re.search(rf"\b({numbers[n]})\b", text), text
            if thing.colour >= 0:
                assert colour_name(thing.colour).replace("gray", "gr") in text
            small, _, large = SIZES[len(each.scene.things)]
            words = {small: SMALL, large: LARGE}.get(thing.size, ())
            assert not words or any(word in text for word in words), text
        if each.named:
            assert each.scene.background.replace("gray", "gr") in text
        else:
            assert each.scene.background == "white"


def test_chinese_names_every_kind_number_and_colour(sprites):
    numbers = {2: "两2二", 3: "三3"}
    for each in spoken(said(CHINESE, sprites)):
        text = each.prompt
        for thing, n in each.scene.counts:
            noun = NOUNS[thing.noun]
            assert any(name in text for name in (*noun.chinese, *noun.names)), text
            if n > 1:
                assert any(
                    f"{number}{m}" in text for number in numbers[n] for m in (noun.measure, "个")
                )
            if thing.colour >= 0:
                colour = colour_name(thing.colour)
                assert any(word in text for word in (*WORDS[colour], colour)), text
            small, _, large = SIZES[len(each.scene.things)]
            words = {small: CLAIMS[-1], large: CLAIMS[1]}.get(thing.size, ())
            assert not words or any(word[0] in text for word in words), text


def test_places_are_told_as_they_are(sprites):
    pairs = Mix(pair=1.0, styled=0, coloured=0, sized=0, degraded=0, empty=0)
    for language, above, beside in (
        (ENGLISH, r"above|top|over|below|under", r"left|right"),
        (CHINESE, r"上|下|顶", r"左|右"),
    ):
        for each in said(language, sprites, mix=pairs):
            names = [NOUNS[t.noun] for t in each.scene.things]
            text = each.prompt
            for noun in names:
                for name in (*noun.names, *noun.chinese):
                    text = text.replace(name, "")
            text = re.sub("背景上|底上|上有|色上", "", text)
            if each.scene.arrangement == "above":
                assert re.search(above, text), each.prompt
                assert not re.search(beside, text), each.prompt
            else:
                assert not re.search(r"above|on top of|below|under|上面|下面|上方", text), (
                    each.prompt
                )


@pytest.mark.parametrize("language", [ENGLISH, CHINESE, MIXED])
def test_styles_are_said_where_they_are_and_only_there(language, sprites):
    marks = {
        "3d": "3d|三维|立体",
        "flat": "flat|扁平|平面",
        "pixel": "pixel|8-bit|retro game|像素|马赛克",
    }
    marks |= {"emoji": "emoji|表情"}
    for each in spoken(said(language, sprites, mix=Mix(styled=0.6, empty=0), n=600)):
        for style, words in marks.items():
            there = re.search(words, each.prompt.lower()) is not None
            assert there == (each.scene.style == style), (each.prompt, each.scene.style)


def test_evaluation_speaks_in_other_phrasings_and_other_mistakes(sprites):
    for language in (ENGLISH, CHINESE):
        trained = {t for pool_of in language.templates.values() for t in pool_of}
        assert not trained & {t for pool_of in language.held_out.values() for t in pool_of}
    rng = random.Random(0)
    mistakes = [
        {typing_errors.misspelt("strawberry", rng, held_out=side) for _ in range(300)}
        for side in (False, True)
    ]
    assert min(map(len, mistakes)) > 5
    assert not mistakes[0] & mistakes[1]


def test_mistakes_are_within_one_edit_and_no_other_word():
    rng = random.Random(1)
    words = {name for noun in NOUNS for name in noun.names}
    for noun in NOUNS:
        name = noun.names[0]
        made = typing_errors.misspelt(name, rng)
        assert made == name or made not in words
        assert abs(len(made) - len(name)) <= 1
        different = [i for i, (a, b) in enumerate(zip(name, made, strict=False)) if a != b]
        if len(made) == len(name) and different:
            assert len(different) <= 2


def test_weights_are_those_of_the_sizes(sprites):
    weighted = [s for s in said(ENGLISH, sprites, replace(PLAIN, weighted=1.0)) if not s.silent]
    found = 0
    for each in weighted:
        weights = [p.weight for p in parse(each.prompt).segments if p.weight != 1]
        scales = sorted({round(s, 3) for s in each.scale} - {1.0})
        assert sorted({round(w**0.5, 3) for w in weights if not is_style(each, w)}) == scales
        found += len(scales)
    assert found > 100


def is_style(each, weight):
    segments = [p.text for p in parse(each.prompt).segments if p.weight == weight]
    tags = ENGLISH.styles[each.scene.style or "3d"]["tag"] if each.scene.style else ()
    every = [tag for style in ENGLISH.styles.values() for tag in style["tag"]]
    return all(text in every for text in segments) or any(text in tags for text in segments)


def test_bad_pictures_are_called_bad(sprites):
    for each in said(ENGLISH, sprites, mix=Mix(degraded=0.5)):
        said_so = any(word in each.prompt for word in ENGLISH.degraded.get(each.scene.degraded, ()))
        assert said_so == bool(each.scene.degraded), each.prompt
    assert any(each.silent for each in said(ENGLISH, sprites, mix=Mix(degraded=0.5)))


def test_existing_phrasings_are_kept(sprites):
    scene = Scene("blue", (Thing(0),))
    rng = random.Random(0)
    texts = {ENGLISH.describe(scene, rng, PLAIN).prompt for _ in range(600)}
    assert {"a cat on a blue background", "blue background, cat", "kitten on blue"} <= texts
    texts = {CHINESE.describe(scene, rng, PLAIN).prompt.rstrip("。") for _ in range(900)}
    assert {"蓝色背景上的一只猫", "一只猫，蓝色背景"} <= texts


def test_plain_english_is_the_same_for_the_same_scene(sprites):
    for one, other in zip(said(CHINESE, sprites), said(ENGLISH, sprites), strict=True):
        if one.scene == other.scene and (one.named, one.silent) == (other.named, other.silent):
            assert plain(one) == plain(other)
    three = Scene("orange", (Thing(0, list(COLOURS).index("black")),) * 3, "row", "3d")
    rng = random.Random(0)
    assert (
        plain(CHINESE.describe(three, rng, PLAIN)) == "three black cats on an orange background, 3d"
    )


def test_a_pool_is_the_same_for_the_same_seed(sprites):
    first, again, other = (
        pool.draw_part(sprites.offers, 16, 1, seed, Mix()).state() for seed in ("a", "a", "b")
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["ids"], other["ids"])
    assert first["ids"].shape == (16, 1, 77)
    long = pool.draw_part(sprites.offers, 4, 3, "a", Mix())
    assert long.ids.shape == (4, 3, 77)


def test_members_of_a_family_differ_in_meaning(sprites):
    records = pool.draw_part(sprites.offers, 80, 1, "families", Mix(degraded=0))
    for keys in records.key.view(-1, pool.FAMILY):
        assert len(keys.unique()) == pool.FAMILY


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_text_states_are_the_conditioners(clip_skip):
    torch.manual_seed(0)
    tower = text_encoder(32).eval()
    with torch.no_grad():
        for name, parameter in tower.named_parameters():
            if "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1 - 0.1)
    conditioner = Conditioner(OpenAIClipTower(tower, shipped_clip()), clip_skip=clip_skip)
    for prompt in ("a dog", "a (cat:1.4) on (red:0.6)", "a cat BREAK a (dog:1.3)"):
        chunks = pool.english_chunks(prompt)
        ids = torch.tensor([[c.input_ids for c in chunks]])
        weights = torch.tensor([[c.weights for c in chunks]])
        ours = text_states.embeds(tower, ids, weights, torch.tensor([clip_skip]))
        # one sum over a chunk in another order
        assert torch.allclose(ours, conditioner(prompt).embeds, rtol=0, atol=2e-6)


def test_pairs_say_one_scene_in_both_languages(sprites):
    rng, places = random.Random(0), Places(sprites.offers, adapter_stage.MIX)
    pairs = [adapter_stage.chinese_pair(places, rng) for _ in range(200)]
    assert sum(not pair["tower"].isascii() for pair in pairs) > 120
    for pair in pairs:
        chunks = len(pool.english_chunks(pair["teacher"]))
        assert chunks == 1 + ("BREAK" in pair["teacher"])
    assert STYLES.keys() == ENGLISH.styles.keys()


def test_rows_of_strange_words_are_not_learned(sprites):
    records = pool.draw_part(sprites.offers, 200, 1, "rows", Mix())
    tokenizer = shipped_clip()
    known = pool.known_rows({1: records})
    for word in ("cat", "tomatoes", "red", "blurry", "left", "3d", "<|endoftext|>"):
        assert known[tokenizer(word).input_ids[1:-1]].all(), word
    assert len(ENGLISH.strange) > 30
    for word in ENGLISH.strange:
        assert not known[tokenizer(word).input_ids[1:-1]].all(), word
    for word in ("xylophone", "cathedral"):
        assert not known[tokenizer(word).input_ids[1:-1]].all()
    known = pool.known_chinese({1: records})
    bert = pool._bert()
    for word in ("猫", "蓝色", "左边", "两只", "三维", "模糊", "cat"):
        assert known[bert(word).input_ids[1:-1]].all(), word
    assert not known[bert("森林").input_ids[1:-1]].all()
