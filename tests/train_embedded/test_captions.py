"""Captions of the embedded model: what they say is what the scene shows, in either language."""

import hashlib
import json
import random
import re
import sys

import pytest

from clipcond.prompt import parse
from tests.towers.chinese import tokenizer, tower_zh

PLAIN = {"strange": 0.0, "filler": 0.0, "jitter": False}


@pytest.fixture(scope="module")
def zh(scripts):
    import captions_zh

    return captions_zh


@pytest.fixture(scope="module")
def pairing(scripts):
    import pairs_zh

    return pairs_zh


@pytest.fixture(scope="module")
def en(scripts):
    import captions

    return captions


@pytest.fixture(scope="module")
def world(scripts):
    import world

    return world


def ids_of(text: str) -> list[int]:
    return tokenizer()(text, add_special_tokens=False).input_ids


def left_of(text: str) -> str:
    """Which of 甲 and 乙 stands left, as a reader of Chinese has it."""
    other = {"甲": "乙", "乙": "甲"}
    left, right = r"左[边侧面]?", r"右[边侧面]?"
    for pattern, is_first in (
        (rf"([甲乙])(?:在|位于)[甲乙]的?{left}", True),
        (rf"([甲乙])(?:在|位于)[甲乙]的?{right}", False),
        (rf"([甲乙])的{left}[是有]", False),
        (rf"([甲乙])的{right}[是有]", True),
        (rf"([甲乙])在{left}", True),
        (rf"{left}[是有]?([甲乙])", True),
        (r"([甲乙])", True),  # nothing is said of it: the one named first
    ):
        found = re.search(pattern, text)
        if found:
            return found[1] if is_first else other[found[1]]
    raise AssertionError(text)


def test_english_prompts_are_what_the_shipped_towers_learned_from(en):
    prompts = []
    for seed, mix in enumerate(
        [
            en.Mix(),
            en.Mix(held_out=True, strange=0),
            en.Mix(pair=0.5, sized=0.3, empty=0),
            en.Mix(weighted=0.4, long=0.4, jitter=False),
        ]
    ):
        rng = random.Random(f"pin {seed}")
        prompts += [en.sample(rng, mix).prompt for _ in range(60)]
    digest = hashlib.sha256("\n".join(prompts).encode()).hexdigest()

    assert digest == "614365d34bafc56e10be679e015511362414f51a60ce9d085bfbb87cca675f6f"


def test_pairs_are_those_that_the_shipped_adapter_learned_from(pairing):
    first = "\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairing.pairs(300, 0))
    digest = hashlib.sha256(first.encode()).hexdigest()

    assert digest == "38a6f963787bdabcd67cd78d3d0a7e353c8180fb2d3db8f2a9f37b7f4ad3d414"


def test_every_noun_has_names_of_its_own(zh, world):
    names = [name for names in zh.CHINESE.names for name in names]

    assert len(zh.NAMES) == len(zh.MEASURES) == len(world.NOUNS) == 111
    assert len(names) == len(set(names))
    assert all(1 <= len(row) <= 3 for row in zh.NAMES)
    assert set(zh.CHINESE.colours) == set(world.COLOURS)
    words = [word for row in zh.CHINESE.colours.values() for word in row]
    assert len(words) == len(set(words))


def test_captions_are_in_the_vocabulary_and_known(zh, pairing):
    rng, unknown = random.Random(0), tokenizer().unk_token_id
    known = {i for text in zh.known_words() for i in ids_of(text)}
    mix = pairing.Mix(strange=0.0, sized=0.3, filler=0.5)
    for language in (zh.CHINESE, zh.MIXED):
        for i in range(400):
            text = language.sample(rng, mix).prompt
            if i % 4 == 0:
                text = language.lengthened(text, rng, 1)
            ids = ids_of(text)
            assert unknown not in ids, text
            assert set(ids) <= known, (
                text,
                tokenizer().convert_ids_to_tokens(list(set(ids) - known)),
            )
    strangers = {i for word in zh.STRANGE for i in ids_of(word)}
    assert unknown not in strangers
    assert len(strangers - known) > len(strangers) / 2  # they are to be strange


def test_phrasings_held_out_are_in_no_training_prompt(zh, en):
    for language in (zh.CHINESE, en.ENGLISH):
        trained = {re.sub(r"\W", "", t) for t in language.templates.trained()}
        held_out = [re.sub(r"\W", "", t) for t in language.templates.held_out()]
        assert not trained & set(held_out)
        assert len(held_out) == len(set(held_out))


def test_templates_say_who_stands_left(zh):
    templates = zh.CHINESE.templates
    words = {"n": "甲", "m": "乙", "a": "甲", "b": "乙", "c": "红色"}
    pairs = (*templates.ordered, *templates.placed, *templates.pair_white)
    for template in (*pairs, *templates.held_out_ordered, *templates.held_out_placed):
        text = template.format(**words)
        assert left_of(text) == "甲", text
        assert text.count("甲") == text.count("乙") == 1
    for template in (*templates.placed, *templates.held_out_placed):
        assert "左" in template or "右" in template
    assert left_of("乙在甲的左边") == "乙"  # the referee can tell


@pytest.mark.parametrize("seed", range(4))
def test_a_pair_means_one_scene(zh, pairing, en, world, seed):
    rng = random.Random(seed)
    mix = pairing.Mix(sized=0.5, weighted=0.4, empty=0.05, **PLAIN)
    for _ in range(150):
        english, chinese = pairing.both(rng, mix)
        assert english.scene == chinese.scene
        assert english.said == chinese.said
        readings = ((english, en.ENGLISH, False), (chinese, zh.CHINESE, True))
        weights = []
        for sample, language, fullwidth in readings:
            parsed = parse(sample.prompt, fullwidth=fullwidth)
            assert not parsed.issues, sample.prompt
            weights.append([s.weight for s in parsed.segments if s.weight != 1.0])
            _check(sample, language, world)
        assert (
            weights[0]
            == weights[1]
            == [said.weight for said in english.said if said.weight not in (None, 1.0)]
        )


def test_the_english_side_of_a_pair_says_the_scene_alone(pairing, world):
    mix = pairing.Mix(pair=0.7, sized=0.3, weighted=0.3, filler=0.5, strange=0.3, long=0.3)
    left_open = 0
    for seed in range(400):
        english, chinese = pairing.both(random.Random(seed), mix)
        nouns = [thing.noun for thing in english.scene.things]
        colour = english.scene.background if chinese.named else None
        said = pairing.plain(colour, nouns, english.said)
        assert english.prompt in (
            said,
            f"{said} BREAK {pairing.FILLED}",
            f"{pairing.FILLED} BREAK {said}",
        )
        assert len(said.split()) <= 16
        is_long = english.prompt != said
        assert is_long == ("BREAK" in chinese.prompt or len(chinese.prompt) > 60), chinese.prompt
        left_open += not chinese.named
        if not chinese.named:
            assert "background" not in english.prompt
            assert not any(word in chinese.prompt for word in ("背景", "底", "白色")), (
                chinese.prompt
            )
    assert left_open
    apple, dog = (
        next(i for i, noun in enumerate(world.NOUNS) if noun.names[0] == name)
        for name in ("apple", "dog")
    )
    claims = [pairing.Said(size=1), pairing.Said(weight=1.3)]

    assert pairing.plain("blue", [apple, dog], claims) == (
        "a large apple left of a (dog:1.30) on a blue background"
    )
    assert pairing.plain(None, [apple], claims[:1]) == "a large apple"
    assert pairing.plain("red", [], []) == "red background"


def test_halves_have_the_things_on_one_side_of_break_and_the_background_on_the_other(zh, pairing):
    mix, things_first = pairing.Mix(sized=0.3, weighted=0.3, **PLAIN), 0
    for seed in range(200):
        english, chinese = pairing.halves(random.Random(seed), mix)
        nouns = [thing.noun for thing in chinese.scene.things]
        said = pairing.plain(chinese.scene.background, nouns, chinese.said)
        assert english.prompt == f"{said} BREAK {pairing.FILLED}"
        assert english.scene == chinese.scene
        sides = re.split(r"\W*BREAK\W*", chinese.prompt)
        assert len(sides) == 2
        words = [chinese.scene.background, *zh.CHINESE.colours[chinese.scene.background]]
        places = {template.format(c=word) for template in zh.EMPTY for word in words}
        (place,) = [i for i, side in enumerate(sides) if side.strip("。") in places]
        things_first += place
        names = [[*zh.CHINESE.names[n], zh.NOUNS[n].names[0]] for n in nouns]
        assert all(any(name in sides[1 - place] for name in row) for row in names), chinese.prompt
    assert 100 < things_first < 180


def test_shares_say_how_often_a_pair_is_of_which_kind(zh, pairing):
    found = list(pairing.pairs(600, 8, shares=pairing.Shares(mixed=0.3, english=0.2, halves=0.1)))
    bare = [pair["tower"].replace("BREAK", "") for pair in found]
    fillers = "|".join(re.escape(tag) for tag in (*zh.FILLER, *zh.STRANGE) if tag.isascii())
    bare = [re.sub(fillers, "", text) for text in bare]
    english = [not re.search("[一-鿿]", text) for text in bare]
    mixed = [bool(re.search("[a-z]{3}", text)) for text in bare]

    assert 0.1 < sum(english) / 600 < 0.25
    assert 0.35 < sum(mixed) / 600 < 0.65
    halves = [pair for pair in found if pair["teacher"].endswith(f"BREAK {pairing.FILLED}")]
    assert len(halves) > 40


def _check(sample, language, world) -> None:
    """The prompt names each thing, its size, and the background unless that is white."""
    text, scene = sample.prompt, sample.scene
    colour = [scene.background, *language.colours[scene.background]]
    assert scene.background == "white" or any(word in text for word in colour), text
    for thing, said in zip(scene.things, sample.said, strict=True):
        names = [*language.names[thing.noun], world.NOUNS[thing.noun].names[0]]
        assert any(name in text for name in names), (text, names)
        if said.size:
            assert any(word[0] in text for word in language.sizes[said.size]), text
        assert thing.size == said.pixels(len(scene.things))


def test_a_heavier_thing_is_larger(pairing):
    said = [
        pairing.ENGLISH.describe("red", [3], random.Random(i), pairing.Mix(weighted=1.0))
        for i in (0, 1)
    ]
    by_weight = sorted(said, key=lambda sample: sample.said[0].weight)

    assert by_weight[0].scene.things[0].size < by_weight[1].scene.things[0].size


def test_a_large_panda_is_not_the_big_panda_of_the_zoo(zh):
    assert zh.CHINESE.sized("大", "熊猫") == "大大的熊猫"
    assert zh.CHINESE.sized("大", "猫") == "大猫"


def test_long_prompts_take_the_chunks_they_should(zh, pairing):
    from clipcond import Conditioner

    conditioner, rng = Conditioner(tower_zh()), random.Random(1)
    for n_chunks, least in ((1, 0.97), (2, 0.9), (3, 0.9)):
        texts = [zh.CHINESE.sample(rng, pairing.Mix(strange=0.0)).prompt for _ in range(60)]
        longer = [zh.CHINESE.lengthened(text, rng, n_chunks) for text in texts]
        right = [len(conditioner.chunks(text)) == n_chunks for text in longer]
        assert sum(right) / len(right) >= least
    for text in texts:
        prompt = zh.CHINESE.behind_filler(text, rng)
        assert prompt.endswith(text)
        assert len(ids_of(prompt.removesuffix(text))) >= conditioner.towers[0].special.room


def test_people_type_it_in_many_ways(zh, pairing):
    rng = random.Random(2)
    mix = pairing.Mix(weighted=0.5, long=0.3)
    text = "\n\n".join(zh.CHINESE.sample(rng, mix).prompt for _ in range(600))

    for typed in "， 、 （ ( ： BREAK 。 masterpiece 最高质量 best+quality".split():
        assert typed.replace("+", " ") in text
    assert re.search(r"一[只个辆块朵条](?:[a-z]{3,})", text)  # 一只cat
    assert re.search(r"（[^（）]+：[\d.]+）", text)
    assert re.search(r"\([^()]+:[\d.]+\)", text)
    assert re.search(r"[：:][０-９]．", text)


def test_the_command_writes_pairs(zh, pairing, tmp_path, monkeypatch, capsys):
    path = tmp_path / "pairs.jsonl"
    monkeypatch.setattr(sys, "argv", ["pairs_zh.py", "--n", "30", "--seed", "5", "-o", str(path)])
    pairing.main()

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows == list(pairing.pairs(30, 5))
    assert rows != list(pairing.pairs(30, 6))
    assert all(set(row) == {"teacher", "tower"} and all(row.values()) for row in rows)
    assert capsys.readouterr().out == f"30 pairs in {path}\n"
