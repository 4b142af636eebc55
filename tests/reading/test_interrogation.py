"""Prompts inferred from pictures: the best of all combinations, in a dialect, each text once."""

from itertools import permutations

import pytest
import torch
from PIL import Image

from clipcond.errors import CheckpointError, PictureError, ReadingError, UnknownNameError
from clipcond.reading import clip_score, interrogate, load_captioner, load_encoder
from clipcond.reading.phrase_lists import FOLDER, KINDS, WordList, word_lists
from clipcond.reading.phrase_search import PhraseSearch
from clipcond.reading.text_cache import embed_cached
from tests.reading.made import clip

RED, BLUE = (Image.new("RGB", (64, 64), c) for c in ((214, 46, 48), (44, 100, 222)))
COLOURS = ["red background", "blue background", "green background"]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("embedded")


@pytest.fixture(scope="module")
def encoder_zh():
    return load_encoder("embedded-zh")


def message_of(kind, act, *arguments, **named) -> str:
    with pytest.raises(kind) as caught:
        act(*arguments, **named)
    return str(caught.value)


def test_a_colour_is_found_in_both_languages(encoder, encoder_zh):
    found = interrogate(encoder, RED, {"backgrounds": COLOURS})
    assert (found.prompt, found.phrases) == ("red background", {"backgrounds": ("red background",)})
    assert found.score == pytest.approx(float(clip_score(encoder, RED, found.prompt)[0]))
    assert len(found.ranked["backgrounds"]) == 3
    assert found.ranked["backgrounds"][0] == ("red background", pytest.approx(found.score))
    scores = [score for _, score in found.ranked["backgrounds"]]
    assert scores == sorted(scores, reverse=True)
    assert found.caption is None

    colours = {"颜色": ["红色背景", "蓝色背景"]}
    assert interrogate(encoder_zh, RED, colours).prompt == "红色背景"


def test_the_best_of_all_combinations_is_found(encoder):
    """A beam as wide as all combinations finds what trying each one finds; greedy may not."""
    torch.manual_seed(0)
    lists = [WordList("a", ("cat", "dog", "fox"), 2), WordList("b", ("red background", "moon"), 1)]
    own = torch.nn.functional.normalize(encoder.encode_text("fox, dog, moon") * 2, dim=-1)[0]

    def score(texts):
        return encoder.embed(texts) @ own

    for least_gain in (0.0, 0.05):
        search = PhraseSearch(lists, ", ", least_gain, beam=1000)
        chosen, cosine = search.best(score)
        firsts = [p for n in range(3) for p in permutations(lists[0].phrases, n)]
        everything = [
            (a, b) for a in firsts for b in ((), ("red background",), ("moon",)) if a or b
        ]
        cosines = score([search.text(each) for each in everything])
        costs = torch.tensor([least_gain * sum(map(len, each)) for each in everything])
        best = int((cosines - costs).argmax())
        assert chosen == everything[best]
        assert cosine == pytest.approx(float(cosines[best]), abs=1e-5)
    chosen, cosine = PhraseSearch(lists, ", ", 0.0, beam=1).best(score)
    assert cosine <= float(cosines.max()) + 1e-6


@pytest.mark.parametrize("dialect", ["a1111", "comfyui", "compel", "plain", "sd_embed"])
def test_the_prompt_is_in_the_syntax_of_its_dialect(dialect):
    encoder = load_encoder("embedded")
    words = {"things": ["red background", "(red) background"]}

    found = interrogate(encoder, RED, words, dialect=dialect)

    (phrases,) = found.phrases.values()
    assert "(red) background" in phrases  # it fits best, brackets and all
    again = clip_score(encoder, RED, found.prompt, dialect=dialect)
    assert float(again[0]) == pytest.approx(found.score, abs=1e-5)
    if dialect == "a1111":
        assert r"\(red\) background" in found.prompt


def test_texts_are_encoded_once(encoder, monkeypatch):
    seen = []
    embed = type(encoder).embed
    monkeypatch.setattr(
        type(encoder),
        "embed",
        lambda e, texts, **kwargs: seen.extend(texts) or embed(e, texts, **kwargs),
    )

    first = interrogate(encoder, RED, {"all": COLOURS})
    n_first = len(seen)
    assert len(set(seen)) == n_first
    assert interrogate(encoder, RED, {"all": COLOURS}) == first
    assert len(seen) == n_first


def test_the_cache_notices_that_weights_change():
    encoder = load_encoder("embedded")
    before = embed_cached(encoder, ["a cat"]).clone()
    with torch.no_grad():
        next(encoder.tower.model.parameters()).mul_(1.5)

    after = embed_cached(encoder, ["a cat"])

    assert not torch.equal(before, after)
    assert torch.equal(after, encoder.embed(["a cat"], trimmed=True))


def test_the_cache_forgets_before_it_grows_too_large(encoder, monkeypatch):
    monkeypatch.setattr("clipcond.reading.text_cache.MOST", 3)
    rows = embed_cached(encoder, ["a cat", "a dog"])
    more = embed_cached(encoder, ["a dog", "a fox", "a cow"])

    assert torch.equal(more[0], rows[1])
    torch.testing.assert_close(more, encoder.embed(["a dog", "a fox", "a cow"]), atol=1e-6, rtol=0)


def test_a_caption_begins_the_prompt(encoder):
    found = interrogate(encoder, BLUE, captioner=lambda picture: "  a\n cat ")

    (_, backgrounds) = word_lists(encoder)
    texts = [f"a cat, {each}" for each in backgrounds.phrases]
    best = int((encoder.encode_text(texts) @ encoder.encode_image(BLUE)[0]).argmax())
    assert (found.caption, found.prompt) == ("a cat", texts[best])
    assert found.phrases == {"backgrounds": (backgrounds.phrases[best],)}
    assert found.score == pytest.approx(float(clip_score(encoder, BLUE, found.prompt)[0]))
    nouns = interrogate(encoder, RED, "nouns", captioner=lambda picture: "red background")
    assert nouns.prompt.startswith("red background")
    assert set(nouns.phrases) == {"nouns"}
    said = message_of(ReadingError, interrogate, encoder, RED, captioner=lambda picture: " ")
    assert said == "the captioner said nothing of the picture"


def test_lists_of_the_user_are_read_from_files(tmp_path, encoder):
    mine = tmp_path / "mine.txt"
    mine.write_text(
        "\ufeffred background # a comment\n\n  blue   background\nred background\n", "utf-8"
    )

    (found,) = word_lists(encoder, mine)

    assert (found.kind, found.phrases) == ("mine", ("red background", "blue background"))
    both = word_lists(encoder, [mine, "nouns"])
    assert [each.kind for each in both] == ["mine", "nouns"]
    assert interrogate(encoder, RED, mine).phrases == {"mine": ("red background",)}


def test_wrong_lists_are_refused(tmp_path, encoder):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    lists = word_lists

    assert "Did you mean 'nouns'?" in message_of(UnknownNameError, lists, encoder, "noun")
    said = message_of(CheckpointError, lists, encoder, tmp_path / "none.txt")
    assert said == f"{str(tmp_path / 'none.txt')!r} cannot be read: No such file or directory"
    said = message_of(ReadingError, lists, encoder, tmp_path / "empty.txt")
    assert said == "the list 'empty' cannot be used: it is empty"
    assert "is not UTF-8 at byte 3" in message_of(
        ReadingError, lists, encoder, tmp_path / "latin.txt"
    )
    strange = {"strange": ["ukiyo-e", "baroque"]}
    assert message_of(ReadingError, lists, encoder, strange) == (
        "the list 'strange' cannot be used: 'embedded' can read none of its 2 phrases"
    )
    assert message_of(ReadingError, lists, encoder, []) == "no list of words was given"


def test_wrong_use_is_refused(tmp_path, encoder):
    assert message_of(ReadingError, interrogate, encoder, RED, beam=0) == (
        "beam is a whole number from 1, not 0"
    )
    assert message_of(ReadingError, interrogate, encoder, [RED, RED]) == (
        "interrogate takes one picture, not 2"
    )
    (tmp_path / "text.png").write_text("no picture")
    assert "is no picture" in message_of(PictureError, interrogate, encoder, tmp_path / "text.png")
    with pytest.raises(UnknownNameError):
        interrogate(encoder, RED, dialect="a1112")


def test_one_phrase_is_a_prompt(encoder):
    assert interrogate(encoder, RED, {"only": ["blue background"]}).prompt == "blue background"


def test_our_lists_are_whole():
    """In both languages, each phrase once, and no letter of another language."""
    for language in ("en", "zh"):
        for kind in KINDS:
            phrases = (FOLDER / f"{language}-{kind}.txt").read_text("utf-8").splitlines()
            assert len(phrases) > 20
            assert len(set(phrases)) == len(phrases)
            assert all(each == each.strip() and each for each in phrases)
            assert all(each.isascii() == (language == "en") for each in phrases)


def test_lists_of_the_embedded_towers_can_be_read(encoder, encoder_zh):
    lengths = []
    for own, language in ((encoder, "en"), (encoder_zh, "zh")):
        for each in word_lists(own):
            path = FOLDER / f"embedded-{language}-{each.kind}.txt"
            assert list(each.phrases) == path.read_text("utf-8").splitlines()
            lengths.append(len(each.phrases))
    assert lengths[:2] == lengths[2:]  # of nouns and backgrounds, in both languages
    assert lengths[0] >= 111
    assert lengths[1] >= 8


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    """A small random BLIP with its processor, as transformers saves them."""
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration

    folder = tmp_path_factory.mktemp("blip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "red", "cat", "wall"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tiny = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    tiny["num_attention_heads"] = 2
    torch.manual_seed(0)
    config = BlipConfig(
        text_config=tiny
        | {
            "vocab_size": len(words),
            "encoder_hidden_size": 16,
            "bos_token_id": 5,
            "sep_token_id": 3,
            "eos_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config=tiny | {"image_size": 16, "patch_size": 8},
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    image = {"image_processor_type": "BlipImageProcessor", "size": {"height": 16, "width": 16}}
    import json

    (folder / "preprocessor_config.json").write_text(json.dumps(image))
    return folder


def test_a_captioner_of_transformers_says_what_it_says_there(blip):
    from transformers import AutoTokenizer, BlipForConditionalGeneration

    caption = load_captioner(blip)(RED)

    model = BlipForConditionalGeneration.from_pretrained(blip).eval()
    assert caption
    tokens = AutoTokenizer.from_pretrained(blip)
    pixels = torch.tensor([214.0, 46.0, 48.0])[:, None, None].expand(3, 16, 16) / 255
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    ids = model.generate(pixel_values=((pixels - mean) / std)[None], max_new_tokens=40)
    assert caption == tokens.decode(ids[0], skip_special_tokens=True).strip()


def test_models_that_caption_nothing_are_refused(tmp_path):
    clip().save_pretrained(tmp_path)

    assert message_of(CheckpointError, load_captioner, tmp_path) == (
        f"{str(tmp_path)!r} says model_type 'clip'; captioners known: blip\n"
        "Such as 'Salesforce/blip-image-captioning-base'; or give a function from a picture to a "
        "text."
    )
