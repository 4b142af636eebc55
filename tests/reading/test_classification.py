"""ZeroShotClassifier: templates, added labels, and its measures on a labelled folder."""

import json

import pytest
import torch
from PIL import Image

from clipcond.errors import ClipcondWarning, PictureError, ReadingError, UnknownNameError
from clipcond.reading import TEMPLATES, ZeroShotClassifier, evaluate, load_encoder
from clipcond.reading.confusion import draw_confusion
from clipcond.reading.evaluation import labels_of
from clipcond.reading.templates import find_templates
from tests.reading.made import FAMILIES, picture

COLOURS = {"red": (214, 46, 48), "blue": (44, 100, 222), "green": (46, 160, 67)}
RED, BLUE, GREEN = (Image.new("RGB", (80, 64), colour) for colour in COLOURS.values())


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("embedded")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("siglip")
    for make in FAMILIES["siglip"]:
        make().save_pretrained(folder)
    return load_encoder(folder)


def test_the_likeliest_label_comes_first_and_all_sum_up_to_1(encoder):
    classify = ZeroShotClassifier(encoder, ["red background", "blue background"])

    found = classify([RED, BLUE], top_k=2)

    assert [row[0][0] for row in found] == ["red background", "blue background"]
    assert all(sum(p for _, p in row) == pytest.approx(1, abs=1e-5) for row in found)
    assert all(row[0][1] >= row[1][1] for row in found)
    assert classify(RED) == classify([RED])
    assert len(classify([RED], top_k=9)[0]) == 2


def test_the_default_is_the_lectures_template(encoder):
    classify = ZeroShotClassifier(encoder, ["cat", "owl"])

    assert torch.equal(
        classify.embeds, encoder.encode_text(["A photo of a cat", "A photo of a owl"])
    )


def test_a_chinese_tower_or_label_gets_a_chinese_template(encoder):
    zh = load_encoder("embedded-zh")

    assert torch.equal(
        ZeroShotClassifier(zh, ["猫", "dog"]).embeds,
        zh.encode_text(["一张猫的照片", "一张dog的照片"]),
    )
    with pytest.warns(ClipcondWarning, match="cannot read '红色'"):
        mixed = ZeroShotClassifier(encoder, ["cat", "红色"])
    assert torch.equal(mixed.embeds, encoder.embed(["A photo of a cat", "一张红色的照片"]))
    assert [row[0][0] for row in ZeroShotClassifier(zh, ["红色背景", "蓝色背景"])([RED, BLUE])] == [
        "红色背景",
        "蓝色背景",
    ]


def test_an_ensemble_is_the_mean_of_unit_vectors(encoder):
    templates = ["a {} on a mat", "art of {{}}: {}"]

    embeds = ZeroShotClassifier(encoder, ["cat"], templates).embeds

    mean = encoder.embed(["a cat on a mat", "art of {cat}: cat"]).mean(0)
    torch.testing.assert_close(embeds[0], mean / mean.norm(), atol=1e-6, rtol=0)


def test_the_papers_ensembles_are_whole():
    sizes = {name: len(texts) for name, texts in TEMPLATES.items()}

    assert sizes == {
        "photo": 1, "openai-7": 7, "openai-80": 80, "chinese": 1, "chinese-7": 7, "bare": 1,
    }  # fmt: skip
    for texts in TEMPLATES.values():
        assert len(set(texts)) == len(texts)
        assert all(text.count("{}") == 1 for text in texts)
    for text in ("a photo of the hard to see {}.", "itap of my {}.", "the embroidered {}."):
        assert text in TEMPLATES["openai-80"]
    assert set(TEMPLATES["openai-7"]) < set(TEMPLATES["openai-80"])


def test_an_added_label_gives_what_it_gives_from_the_start(encoder):
    classify = ZeroShotClassifier(encoder, ["red background"])
    before = classify.embeds
    classify.add("blue background")

    whole = ZeroShotClassifier(encoder, ["red background", "blue background"])
    assert classify.labels == whole.labels == ("red background", "blue background")
    assert torch.equal(classify.embeds, whole.embeds)
    assert torch.equal(classify.embeds[:1], before)
    assert classify([RED, BLUE]) == whole([RED, BLUE])


def test_labels_are_encoded_once(encoder, monkeypatch):
    classify = ZeroShotClassifier(encoder, ["cat", "dog"])
    monkeypatch.setattr(encoder.tower, "encode", None)

    assert len(classify([RED])[0]) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels are a list of one or more texts"),
        ("cat", "labels are a list of one or more texts, not 'cat'"),
        (["cat", "cat"], "the label 'cat' is there twice"),
        (["cat", " "], "a label is a text, not ' '"),
        (["cat", 3], "a label is a text, not 3"),
    ],
)
def test_labels_that_are_refused(encoder, labels, message):
    with pytest.raises(ReadingError, match=message):
        ZeroShotClassifier(encoder, labels)


def test_a_refused_label_changes_nothing(encoder):
    classify = ZeroShotClassifier(encoder, ["cat"])
    with pytest.raises(ReadingError, match="twice"):
        classify.add("cat")

    assert classify.labels == ("cat",)
    assert len(classify.embeds) == 1


def test_templates_that_are_refused(encoder):
    with pytest.raises(UnknownNameError, match="Did you mean 'openai-80'"):
        ZeroShotClassifier(encoder, ["cat"], "openai80")
    for templates in (["a cat"], [], [3]):
        with pytest.raises(ReadingError, match=r"templates are texts with \{\} for the label"):
            find_templates(templates)
    with pytest.raises(ReadingError, match="top_k is a whole number from 1"):
        ZeroShotClassifier(encoder, ["cat"])([RED], top_k=0)


def test_words_that_are_not_read_are_warned_of_but_for_the_template(encoder):
    with pytest.warns(ClipcondWarning, match="cannot read 'xylophone'"):
        ZeroShotClassifier(encoder, ["xylophone"])


def test_siglips_probabilities_are_each_of_one_label(siglip):
    images = [picture(40, 40, seed) for seed in range(2)]
    one, both = (ZeroShotClassifier(siglip, labels) for labels in (["cat"], ["cat", "red house"]))

    assert [dict(row)["cat"] for row in one(images)] == pytest.approx(
        [dict(row)["cat"] for row in both(images)]
    )
    assert any(abs(sum(p for _, p in row) - 1) > 0.01 for row in both(images))


@pytest.fixture
def labelled(tmp_path):
    """Two red pictures and a blue one in red's folder, one in blue's, one that cannot be read."""
    places = {
        "red/a.png": RED, "red/b.png": RED, "red/c.png": BLUE, "blue/a.png": BLUE, "top.png": RED,
    }  # fmt: skip
    for name, image in places.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image.save(tmp_path / name)
    (tmp_path / "blue" / "bad.jpg").write_text("a cat")
    return tmp_path


NAMES = {"red": "red background", "blue": "blue background"}


def test_measures_of_a_labelled_folder(encoder, labelled):
    classify = ZeroShotClassifier(
        encoder, ["red background", "green background", "blue background"]
    )

    found = evaluate(classify, labelled, names=NAMES)

    assert found.confusion.tolist() == [[2, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert (found.n_pictures, found.acc1, found.acc5) == (4, 0.75, None)
    assert found.mean_per_class_recall == pytest.approx((2 / 3 + 1) / 2)
    assert found.recall() == {"red background": 2 / 3, "blue background": 1.0}
    assert [path.name for path, _ in found.bad] == ["bad.jpg"]
    assert labels_of(labelled) == ["blue", "red"]
    json.dumps(found.recall())


def test_the_five_likeliest(encoder, labelled):
    others = [f"a {thing}" for thing in ("cat", "dog", "fox", "frog", "bee", "owl")]
    classify = ZeroShotClassifier(encoder, ["red background", "blue background", *others])

    found = evaluate(classify, labelled, names=NAMES)

    truth = ["blue background", *["red background"] * 3]
    tops = [dict(row) for row in classify([BLUE, RED, RED, BLUE], top_k=5)]
    expected = sum(label in row for label, row in zip(truth, tops, strict=True)) / 4
    assert found.acc5 == expected
    assert found.acc1 <= found.acc5


def test_folders_that_cannot_be_measured(encoder, labelled, tmp_path_factory):
    classify = ZeroShotClassifier(encoder, ["red background"])
    with pytest.raises(ReadingError, match=r"the folder 'blue' .* is no label of the classifier"):
        evaluate(classify, labelled, names=NAMES)
    flat = tmp_path_factory.mktemp("flat")
    RED.save(flat / "a.png")
    with pytest.raises(ReadingError, match="has no subfolder with pictures"):
        evaluate(classify, flat)
    with pytest.raises(PictureError, match="there is no folder"):
        evaluate(classify, flat / "none")
    (flat / "red background").mkdir()
    (flat / "red background" / "a.png").write_text("no picture")
    with pytest.raises(ReadingError, match="none of the 1 pictures"):
        evaluate(classify, flat)


def test_the_confusion_is_drawn():
    counts = torch.tensor([[3, 1], [0, 0]])

    image = draw_confusion(counts, ["cat", "dog"])

    cells = image.crop((image.width - 70, image.height - 70, image.width, image.height))
    colours = {colour for _, colour in cells.getcolors(10_000)}
    right, none = cells.getpixel((2, 2)), cells.getpixel((2, 40))
    assert right[2] > right[0] + 50  # blue: right
    assert none == cells.getpixel((40, 40))  # a label without pictures
    wrong = cells.getpixel((36, 2))
    assert wrong[0] > wrong[2]  # red: wrong
    assert len(colours) > 4
    large = draw_confusion(torch.eye(1000, dtype=torch.long), [str(i) for i in range(1000)])
    assert max(large.size) < 4100


def test_labels_without_letters_in_pillows_font_are_numbered(tmp_path):
    with pytest.warns(ClipcondWarning, match="font_file='...'"):
        numbered = draw_confusion(torch.eye(2, dtype=torch.long), ["猫", "dog"])
    assert (
        numbered.tobytes() == draw_confusion(torch.eye(2, dtype=torch.long), ["1", "dog"]).tobytes()
    )
    with pytest.raises(ReadingError, match="cannot be read"):
        draw_confusion(torch.eye(1, dtype=torch.long), ["猫"], tmp_path / "none.ttf")
