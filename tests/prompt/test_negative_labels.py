"""The label of a negative prompt is warned of wherever it is, and a sentence with one is not."""

from clipcond.prompt import SYNTAXES, parse
from clipcond.prompt.lookalikes import with_lookalikes
from tests.failures import failures_of

LABELLED = [
    *(("a cat Negative: dog", "Negative:"), ("a cat NEGATIVE: dog", "NEGATIVE:")),
    *(("a cat Negative Prompt: dog", ""), ("red hat (blue) Neg: dog", "Neg:")),
    *(("一只猫 负面：狗", "负面："), ("一只猫 负向: 狗", "负向:"), ("猫（负面：狗）", "负面：")),
    *(("cat (negative: dog)", "negative:"), ("cat [Negative: 1girl]", "Negative:")),
    *(("cat | negative: dog", "negative:"), ("cat / negative: dog", "negative:")),
    *(("cat - negative: dog", "negative:"), ("cat • Negative: dog", "Negative:")),
    *(("cat, Negative prompt - dog", "Negative prompt - "), ("cat negative prompt—dog", "")),
    *(("cat; negative prompt = dog", "negative prompt = "), ("Негатив: собака", "Негатив: ")),
    *(("кот Негатив: собака", "Негатив:"), ("кот, негатив: собака", "")),
    *(("негативный промпт: собака", ""), ("Chat Négatif : chien", "Négatif :")),
    *(("a cat neg: dog", "neg:"), ("a cat neg:dog", "neg:"), ("a cat! neg : dog", "neg :")),
    *(("a cat uc: x", "uc:"), ("a cat UC: lowres", "UC:"), ("a cat neg: 1girl", "neg:")),
    *(("a cat negative: dog", "negative:"), ("a cat neg prompt: dog", "neg prompt:")),
    *(("a (cat:1.2) neg_prompt: (dog:1.2)", "neg_prompt:"), ("a cat negprompt: dog", "")),
    *(("chat négatif : chien", "négatif :"), ("Katze negativ: Hund", "negativ:")),
    *(
        ("кот негатив: собака", "негатив:"),
        ("a cat nég: dog", "nég:"),
        ("a cat neg: film grain", "neg:"),
    ),
    *(("一只猫 neg: 草", "neg:"), ("一只猫neg：草", "neg："), ("猫、neg：草", "neg：")),
    *(("a cat uc: lowres", "uc:"), ("rainy street negative: blurry, bad hands", "negative:")),
    *(("a city at night UC: worst quality", "UC:"), ("rainy street neg prompt: fog", "")),
    *(("beautiful landscape uc: bad hands", "uc:"), ("cat in rain negative: dog, text", "")),
    *(("Black Cat neg: dog", "neg:"),),
    *(("white positive: x, a cat neg: lowres", "neg:"),),
    *(("一只猫 uc：草", "uc："), ("猫，uc：草", "uc："), ("a cat, uc: x", "uc:")),
]
BOTH = [
    *("Prompt: a cat Negative: dog", "Positive: a cat Negative: dog", "prompt: cat neg: dog"),
    *("正面：一只猫 负面：狗", "提示词: 猫 负向: 狗", "正向：猫 反向：狗", "正面：猫。反面：狗"),
    *("positive: cat; negative: dog", "Позитив: кот Негатив: собака", "긍정: 고양이 부정: 개"),
]
ORDINARY = [
    *(
        "negative space: white",
        "film negative",
        "photo negative: inverted colors",
        "(negative:1.2)",
    ),
    *(
        "double negative: cat",
        "the test is Negative: no virus",
        "Rh Negative: rare",
        "负面情绪：悲伤",
    ),
    *("a film Negative: 35mm", "negative emotions: anger", "blood type Negative", "硬币的反面：龙"),
    *("a positive and a negative charge", "space, negative - positive", "(negative space:1.3)"),
    *("a non-negative: number", "Negatives: the film", "positive: the answer", "反向旋转：快"),
    *("blood type O neg: rare", "Rh neg: rare", "a student at UC: Davis", "a poster UC: Berkeley"),
    *(
        "a large format negative: trees",
        "the mood seems negative: rain",
        "the luc: x",
        "hiv neg: y",
    ),
    *(
        "a cat neg",
        "a cat neg: 1.5",
        "a glass negative: leaves",
        "a cat, negligee: red",
    ),
    *("a yin yang, white positive: sun, black negative: moon", "un cliché négatif: plage"),
    *("White Positive: sun, Black Negative: moon", "her score negative: minus five"),
    *("photo of a covid test showing negative: one red line", "a car battery neg: black cable"),
    *("University of Cincinnati UC: bearcats", "Unity Council UC: vote now"),
    *("cell phone battery neg: black cable", "a blood sample neg: red", "rainy street neg: fog"),
    *("negative prompt-based art", "+ and - signs: x", "(Negative:0.8)", "negentropy: order"),
]


def labels(prompt: str, syntax: str) -> list[str]:
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    codes = ("negative-label", "pasted-parameters")
    return [issue.words[0] for issue in found if issue.code in codes]


def test_labels_of_a_negative_prompt():
    def check(case):
        prompt, label = case
        for syntax in sorted(SYNTAXES):
            (found,) = labels(prompt, syntax)
            assert label in (found, "")

    assert not failures_of(check, LABELLED)


def test_labels_of_both_prompts():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            first, second = labels(prompt, syntax)
            assert prompt.startswith(first)
            assert second[:3].strip().lower() in prompt[5:].lower()

    assert not failures_of(check, BOTH)


def test_sentences_are_not_labels():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            assert labels(prompt, syntax) == []

    assert not failures_of(check, ORDINARY)
