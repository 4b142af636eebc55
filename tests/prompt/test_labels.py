"""Labels of prompts in chats, lists, programs and tags are warned of; sentences are not."""

import pytest

from clipcond.prompt import SYNTAXES
from tests.failures import failures_of
from tests.prompt.test_remedies import issues

NEGATIVE = [
    *(("**Negative Prompt:** dog", "**Negative Prompt:**"), ("**Negative:** dog", "**Negative:**")),
    *(("a cat **Negative prompt**: dog", "**Negative prompt**:"), ("*neg:* dog", "*neg:*")),
    *(
        ("cat\n__Negative Prompt:__ dog", "__Negative Prompt:__"),
        ("**负面提示词：** 狗", "**负面提示词：**"),
    ),
    *(
        ('a cat, negative_prompt="dog"', "negative_prompt="),
        ("neg_prompt = 'dog'", "neg_prompt = "),
    ),
    *(("a cat negative prompt=(dog)", "negative prompt="), ("負面提示詞：狗", "負面提示詞：")),
    *(("反咒：狗", "反咒："), ("猫，否定词：狗", "否定词："), ("一只猫 負向：狗", "負向：")),
    *(
        ("猫。反向描述词：狗", "反向描述词："),
        ("猫、負面：狗", "負面："),
        ("猫 负面咒语：狗", "负面咒语："),
    ),
    *(
        ("猫\n排除词：狗", "排除词："),
        ("ネガティブ呪文：犬", "ネガティブ呪文："),
        ("<negative>dog", "<negative>"),
    ),
    *(
        ("<negative_prompt>dog", "<negative_prompt>"),
        ("cat [negative prompt] dog", "[negative prompt]"),
    ),
]
POSITIVE = [
    *(("**Prompt:** a cat", "**Prompt:**"), ("**Positive prompt**: a cat", "**Positive prompt**:")),
    *(("- **Prompt:** a cat", "- **Prompt:**"), ("__prompt:__ a cat", "__prompt:__")),
    *(('prompt = "a cat"', "prompt ="), ("咒语：猫", "咒语："), ("提示詞：貓", "提示詞：")),
    *(("正面提示詞：貓", "正面提示詞："), ("呪文：猫", "呪文："), ("关键词：猫，树", "关键词：")),
    *(
        ("Positive: a cat", "Positive:"),
        ("POSITIVE: a cat", "POSITIVE:"),
        ("Prompt - a cat", "Prompt - "),
    ),
    *(
        ("1. Prompt: a cat", "1. Prompt:"),
        ("Prompt 2: a cat", "Prompt 2:"),
        ("Prompt\na cat", "Prompt\n"),
    ),
    *(("Final prompt: a cat", "Final prompt:"), ("Midjourney Prompt: a cat", "Midjourney Prompt:")),
    *(("Here's your prompt: a cat", "Here's your prompt:"), ("Prompt > a cat", "Prompt >")),
    (
        "Sure! Here is a detailed prompt for SDXL: a cat",
        "Sure! Here is a detailed prompt for SDXL:",
    ),
    *(
        ("<prompt>a cat", "<prompt>"),
        ("[Prompt] a cat", "[Prompt]"),
        ("a cat</answer>", "</answer>"),
    ),
]
PASTED = [
    *(
        '{"positive": "cat", "negative": "dog"}',
        '{"text":"a cat","neg":"dog"}',
        "{'prompt': 'cat'}",
    ),
    *('[{"inputs": "cat"}]', '{\n "prompt_2": "cat", "steps": 20}', 'pipe("a cat", width=512)'),
    *('image = pipe(prompt="a cat").images[0]', '{"caption": "a cat"}', '{"prompt": ["a", "b"]}'),
    *('TI hashes: "easynegative: c74b"', "VAE hash: 735e4c3a44", "Hires steps: 10"),
    *("Variation seed: 123", "Token merging ratio: 0.5", 'Hashes: {"model": "1"}'),
]
ORDINARY = [
    *("positive: the answer", "Positive: the test result", "**bold** text", "a prompt reply"),
    *("prompt engineering slide", "**Note:** a cat", "a cat says prompt - reply", "否定的な表情"),
    *("负面情绪：悲伤", "咒语书：古老的", "关键词云", "呪文を唱える魔女", "a JSON file {x: 1}"),
    *(
        "反面的龙",
        "text: hello",
        '{"loss": 0.5}',
        "here is a cat: big",
        "writing prompt: a day",
    ),
    *("the water pipe (old)", "Prompt", "prompt, reply", "<3", "*neg*"),
]


def labels(prompt: str, syntax: str, code: str) -> list[str]:
    found = issues(prompt, syntax, None)
    return [issue.words[0] for issue in found if issue.code == code]


def test_labels_of_a_negative_prompt():
    def check(case):
        prompt, label = case
        for syntax in sorted(SYNTAXES):
            assert labels(prompt, syntax, "negative-label") == [label], syntax

    assert not failures_of(check, NEGATIVE)


def test_labels_of_a_prompt():
    """Left out, as the remedy says, no label is left."""

    def check(case):
        prompt, label = case
        for syntax in sorted(SYNTAXES):
            assert labels(prompt, syntax, "pasted-parameters") == [label], syntax
            there = prompt.replace(label, "", 1)
            assert labels(there, syntax, "pasted-parameters") == []

    assert not failures_of(check, POSITIVE)


def test_both_labels_and_closing_tags():
    both = "**Prompt:** a cat **Negative prompt:** dog"
    for syntax in sorted(SYNTAXES):
        assert labels(both, syntax, "pasted-parameters") == ["**Prompt:**"]
        assert labels(both, syntax, "negative-label") == ["**Negative prompt:**"]
        tags = labels("<prompt>cat</prompt>", syntax, "pasted-parameters")
        assert tags == ["<prompt>", "</prompt>"]


def test_what_programs_write():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            assert labels(prompt, syntax, "pasted-parameters") == [prompt], syntax

    assert not failures_of(check, PASTED)


def test_sentences_are_not_labels():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            codes = {i.code for i in issues(prompt, syntax, None)}
            assert not codes & {"negative-label", "pasted-parameters"}, syntax

    assert not failures_of(check, ORDINARY)


@pytest.mark.parametrize("unit", ["**neg ", "{'a': ", "<prompt", "反", "prompt ", "here is a "])
def test_labels_are_looked_for_in_linear_time(unit):
    issues(unit * (60_000 // len(unit)), "a1111", None)
