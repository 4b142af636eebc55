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
