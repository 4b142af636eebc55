"""Square brackets around several words or Chinese are warned of where they are text."""

import pytest

from tests.failures import failures_of
from tests.prompt.test_misreadings import issues, proposed, texts

GROUPS = [
    *(("a cat, [blue background]", "blue background"), ("[red dog]", "red dog")),
    *(("[dog, fox]", "dog, fox"), ("[blue sky], a cat", "blue sky"), ("[long_hair].", "long_hair")),
    *(("a king, [1girl, solo]; night", "1girl, solo"), ("[1girl], night", "1girl")),
    *(("a\n[tall blue trees]\nb", "tall blue trees"), ("[half-open door]", "half-open door")),
    *(("a cat, [rainy street]", "rainy street"), ("[big old hat], x", "big old hat")),
    *(
        ("1girl, solo, [smiling softly]", "smiling softly"),
        ("[long pause], masterpiece", "long pause"),
    ),
    *(("[狗]", "狗"), ("【狗】", "狗"), ("草地，[黑狗]", "黑狗"), ("猫，[草地]，雪", "草地")),
    *(
        ("一只猫，[狗]", "狗"),
        ("一只猫，【狗】", "狗"),
        ("［蓝天］，猫", "蓝天"),
        ("[강아지]", "강아지"),
    ),
]
NEAR_WEIGHTS = [
    ("（猫：1.3）[狗]", "狗"),
    ("（猫：1.3）【狗】", "狗"),
    ("（猫：1.3）和【白狗】。", "白狗"),
    *(("（猫：1.3）一只[红色的]猫", "红色的"), ("（猫：1.3）猫[狗]", "狗")),
]
ORDINARY = [
    *("a cat with a sign, [adopt me]", "[breaking news]", "[user joined]", "[signature here]"),
    *(
        "[best before]",
        "[white to move]",
        "[limited edition]",
        "[closed for winter]",
        "[long pause]",
    ),
    *("[smiling softly], she turned", "[failed to start]", "[color plate]", "[black screen]"),
    *("真开心[太阳]，出去玩啦[玫瑰]", "[心]", "[爱你]", "[转发]", "[置顶]", "[红包]恭喜发财"),
    *("[语音]", "[哈哈]", "[哈哈]，明天见", "猫[狗]", "一只[红色的]猫", "[好的]，收到，[抱抱]"),
    *("[a cat]", "[the end], x", "[oshi no ko], x", "[Oshi no Ko]", "[by krenz], x"),
    *("a house [an old one] with a garden", "a man [not pictured], smiling", "[no audio]"),
    *("[music playing]", "[see page two]", "[official video]", "[Blue Sky]", "x [two words](y)"),
    *("girl, (white hair), [blue eyes]", "(고양이), [강아지]", "【新品】", "［注］", "[宋]苏轼"),
    *("你好【世界】", "你好[微笑]", "【重要】お知らせ", "[画风:水彩]", "[图片]", "a [x y] b"),
]


@pytest.mark.parametrize("syntax", ["comfyui", "compel", "diffusers"])
def test_groups_of_several_words(syntax):
    def check(case):
        prompt, words = case
        *weights, issue = issues(prompt, syntax)
        assert len(weights) == prompt.count("1.3")
        shown = issue.words[0]
        assert issue.message == f"{shown!r} is a weight in dialect 'a1111', but not here"
        assert (shown[1:-1], issue.position) == (words, prompt.index(shown))
        if syntax == "diffusers":
            assert issue.remedy in (
                "Choose dialect 'a1111'.",
                f"Write [{words}] in dialect 'a1111'.",
            )
        else:
            there = prompt.replace(shown, proposed(issue).strip("'"))
            assert issues(there, syntax) == issues(prompt, syntax)[:-1]
            read = [(text.replace(" ,", ","), weight) for text, weight in texts(there, syntax)]
            assert (words, pytest.approx(1 / 1.1, abs=1e-3)) in read  # compel parts the commas

    assert not failures_of(check, [*GROUPS, *NEAR_WEIGHTS])


def test_groups_that_are_read_or_ordinary():
    for syntax in ("a1111", "novelai"):
        for prompt in ("a cat, [blue background]", "[狗]", "猫，[狗]"):
            assert issues(prompt, syntax) == []

    def check(prompt):
        for syntax in ("comfyui", "compel", "diffusers"):
            assert issues(prompt, syntax, "other-dialect") == [], syntax

    assert not failures_of(check, ORDINARY)
