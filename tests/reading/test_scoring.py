"""CLIPScore by its formula, and the parts of prompts in every syntax."""

import warnings

import pytest
import torch
from PIL import Image

from clipcond.conditioning.explaining import Explainer
from clipcond.errors import (
    ClipcondWarning,
    PictureError,
    PromptError,
    PromptWarning,
    ReadingError,
)
from clipcond.reading import (
    ImageIndex,
    ZeroShotClassifier,
    clip_score,
    interrogate,
    load_encoder,
    score_parts,
)
from clipcond.reading.phrases import phrases_of, plain_text

RED, BLUE = Image.new("RGB", (128, 128), (214, 46, 48)), Image.new("RGB", (200, 90), (44, 100, 222))


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("embedded")


@pytest.fixture(scope="module")
def read(encoder):
    def parsed(prompt, dialect="a1111"):
        reader = Explainer((encoder.tower,), dialect).reader
        return reader.parse(reader.read(prompt))

    return parsed


def test_a_score_is_the_papers_formula(encoder):
    prompts = ["red background", "blue background", "a cat"]
    images = [RED, BLUE, BLUE]

    scores = clip_score(encoder, images, prompts)

    cosines = (encoder.encode_image(images) * encoder.encode_text(prompts)).sum(1)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, 2.5 * cosines.clamp(min=0), atol=1e-6, rtol=0)
    both, alone = clip_score(encoder, [RED, BLUE], "a cat"), clip_score(encoder, RED, "a cat")
    # a product of more rows may round otherwise: of pictures, unlike prompts, no bits are promised
    torch.testing.assert_close(both[:1], alone, atol=1e-6, rtol=0)


def test_a_negative_cosine_scores_0(encoder, monkeypatch):
    text = -encoder.encode_image(RED)
    monkeypatch.setattr(encoder, "embed", lambda texts: text)

    assert clip_score(encoder, RED, "a cat").tolist() == [0.0]


def test_a_prompt_longer_than_a_chunk_counts_whole(encoder):
    prompt = " ".join(["red"] * 100) + " blue background"

    score = clip_score(encoder, BLUE, prompt).item()

    cosine = (encoder.encode_image(BLUE) @ encoder.encode_text(prompt).T).item()
    assert score == pytest.approx(2.5 * cosine, abs=1e-6)
    assert clip_score(encoder, BLUE, " ".join(["red"] * 100)).item() < score


def test_syntax_is_left_out_in_a_dialect_and_text_without(encoder):
    weighted, plain = "a (cat:1.3), [red] background", "a cat, red background"

    in_a1111 = clip_score(encoder, RED, weighted, dialect="a1111")
    assert torch.equal(in_a1111, clip_score(encoder, RED, plain))
    assert not torch.equal(clip_score(encoder, RED, weighted), in_a1111)


def test_of_a_prompt_over_time_the_last_text_counts(encoder):
    with pytest.warns(PromptWarning, match="changes while denoising"):
        score = clip_score(encoder, RED, "[blue:red:0.5] background", dialect="a1111")

    assert torch.equal(score, clip_score(encoder, RED, "red background"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("prompt", "said", "parts"),
    [
        ("a cat AND red background", "a cat, red background", ["a cat", "red background"]),
        (
            "a cat :1.2 AND red background :0.5",
            "a cat, red background",
            ["a cat", "red background"],
        ),
        ("a cat AND blue :-0.5 AND a dog, red", "a cat, a dog, red", ["a cat", "a dog", "red"]),
        ("blue :0 AND red background", "red background", ["red background"]),
        ("a (cat:1.3) AND AND red", "a cat, red", ["a cat", "red"]),
        ("red background, (blue:-1) (dog:0)", "red background,", ["red background"]),
        ("A CAT AND RED", "A CAT AND RED", ["A CAT AND RED"]),
    ],
)
def test_all_that_a_picture_should_show_is_scored(encoder, prompt, said, parts):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "nothing is behind AND|AND is a word")
        score = clip_score(encoder, RED, prompt, dialect="a1111")
        found = score_parts(encoder, RED, prompt)

    assert torch.equal(score, clip_score(encoder, RED, said))
    assert [part.text for part in found.parts] == parts
    assert [prompt[part.start : part.stop] for part in found.parts if "(" not in prompt] == [
        each for each in parts if "(" not in prompt
    ]
    assert found.score == pytest.approx(score.item(), abs=1e-6)


def test_of_a_mixture_all_is_scored_that_has_a_weight_above_0(encoder):
    blend = '("a cat", "red background", "a dog").blend(1, 0.5, -0.3)'
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipcondWarning)
        score = clip_score(encoder, RED, blend, dialect="compel")
    assert torch.equal(score, clip_score(encoder, RED, "a cat red background"))


def test_of_several_conditions_over_time_the_last_texts_count(encoder):
    prompt = "a [dog:cat:0.5] AND [blue:red:0.5] background"
    with pytest.warns(PromptWarning, match="its text of the last step is scored") as caught:
        score = clip_score(encoder, RED, prompt, dialect="a1111")
    assert len(caught) == 1
    assert torch.equal(score, clip_score(encoder, RED, "a cat, red background"))
    for prompt in ("a cat :0 AND a dog :-1", "a cat :-1 AND "):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClipcondWarning)
            with pytest.raises(PromptError, match="no text that could be scored"):
                clip_score(encoder, RED, prompt, dialect="a1111")


def test_as_many_prompts_as_pictures(encoder):
    with pytest.raises(PromptError):
        clip_score(encoder, [RED, BLUE, RED], ["a cat", "a dog"])
    with pytest.raises(PromptError, match="2 pictures, but 1 prompts"):
        clip_score(encoder, [RED, BLUE], ["a cat"])
    both = clip_score(encoder, [RED, BLUE], "a cat")
    assert torch.equal(both, clip_score(encoder, [RED, BLUE], ["a cat", "a cat"]))
    for empty in ("", "()", "  "):
        with pytest.raises(PromptError, match="no text that could be scored"):
            clip_score(encoder, RED, empty, dialect="a1111")
    with pytest.raises(PictureError):
        clip_score(encoder, "none.png", "a cat")


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a cat", ["a cat"]),
        ("a (red:1.3) cat, blue background", ["a red cat", "blue background"]),
        ("a cat BREAK [blue background]", ["a cat", "blue background"]),
        ("一只猫，蓝色背景。模糊", ["一只猫", "蓝色背景", "模糊"]),
        ("a cat. A dog; 3.5 apples!", ["a cat", "A dog", "3.5 apples"]),
        ("(cat:1.2)(dog)", ["cat dog"]),
        ("a cat,, ,\n. dog", ["a cat", "dog"]),
        ("\\(a\\) cat, dog", ["(a) cat", "dog"]),
        ("🐱, 🐶", ["🐱", "🐶"]),
    ],
)
def test_parts_are_what_signs_and_breaks_set_apart(read, prompt, parts):
    parsed = read(prompt)
    found = phrases_of(parsed)

    assert [part.text for part in found] == parts
    for part in found:
        shown = prompt[part.start : part.stop]
        assert set(part.text.replace(" ", "")) <= set(shown) or "\\" in prompt


def test_plain_text_is_left_to_the_letter(read):
    assert plain_text(read("a (cat:1.3) ,  dog", "plain")) == "a (cat:1.3) ,  dog"
    assert plain_text(read("a (cat:1.3) ,  dog")) == "a cat ,  dog"
    assert plain_text(read("x BREAK y")) == "x y"


def test_the_part_that_the_picture_lacks(encoder):
    found = score_parts(encoder, RED, "red background, (blue background:1.2)")

    assert found.weakest.text == "blue background"
    red, blue = found.parts
    alone = (
        clip_score(encoder, RED, ["red background"]),
        clip_score(encoder, RED, ["blue background"]),
    )
    assert [red.score, blue.score] == pytest.approx([each.item() for each in alone], abs=1e-6)
    assert (blue.start, blue.stop) == (17, 32)
    embeds = encoder.encode_text(["red background, blue background", "red background"])
    whole, rest = (2.5 * encoder.encode_image(RED) @ embeds.T)[0].tolist()
    assert blue.gain == pytest.approx(whole - rest, abs=1e-6)
    assert blue.gain < red.gain
    assert found.score == pytest.approx(max(whole, 0), abs=1e-6)


def test_a_prompt_of_one_part_has_no_gain(encoder):
    found = score_parts(encoder, RED, "red background")

    assert found.parts[0].gain is None
    assert found.weakest is found.parts[0]
    assert found.parts[0].score == found.score


def test_words_that_are_not_read_are_warned_of(encoder):
    with pytest.warns(ClipcondWarning, match="cannot read 'xylophone'"):
        score_parts(encoder, RED, "a xylophone, red background")


@pytest.mark.parametrize("given", [None, "embedded", 3])
def test_what_is_no_encoder_is_refused(given, tmp_path):
    for read in (
        lambda: ImageIndex(given),
        lambda: ImageIndex.open(tmp_path, given),
        lambda: ZeroShotClassifier(given, ["cat"]),
        lambda: clip_score(given, RED, "a cat"),
        lambda: score_parts(given, RED, "a cat"),
        lambda: interrogate(given, RED),
    ):
        with pytest.raises(ReadingError, match="encoder is a DualEncoder") as raised:
            read()
        assert "load_encoder('embedded')" in str(raised.value) or given != "embedded"
