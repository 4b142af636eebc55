"""Line breaks that a program wrote as a backslash and a letter, in every syntax."""

import pytest

from clipcond.prompt import SYNTAXES, parse
from clipcond.prompt.lookalikes import with_lookalikes

WRITTEN = (
    r"a cat,\nBREAK\na dog",
    r"1girl,\n2boys",
    r"a cat.\nA dog runs",
    r"masterpiece, \nbest quality",
    r"a red fox\n\na blue bird",
    r"a cat\r\nBREAK a dog",
    r"(cat:1.2)\n(dog:1.1)",
    r"best quality\n1girl, 1girl",
    r"a cat\tdog",
    r"smile\nred hat, night",
    r"red hat\r\nblue eyes",
    r"猫\n狗",
    r"a fox\n(a dog)" + "\\n",
)
OTHERS = (
    "a cat,\nBREAK\na dog",
    r"C:\new\pictures\cat.png",
    r"a \(red\) cat",
    r"the set A\B",
    r"D:\temp\run",
    r"naruto \(series\), night",
    r"docs\notes.txt on a screen",
    r"the folder photos\new\cats",
    r"x\to y, f\nabla, 2\times 3, r\theta",
    r"src\test on a screen",
)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_they_are_warned_of_and_others_are_not(syntax):
    def codes(prompt):
        return {issue.code for issue in with_lookalikes(parse(prompt, syntax)).issues}

    readable = [prompt for prompt in WRITTEN if syntax != "compel" or "(" not in prompt]
    assert not [prompt for prompt in readable if "escaped-line-break" not in codes(prompt)]
    assert not [prompt for prompt in OTHERS if "escaped-line-break" in codes(prompt)]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_all_of_a_prompt_are_one_warning_that_shows_them_as_typed(syntax):
    for prompt, sign in ((r"a\ncat\n\ndog, \nbird", r"\n"), (r"猫\r\n狗\r\n鸟", r"\r\n")):
        parsed = with_lookalikes(parse(prompt, syntax))
        (said,) = [i.message for i in parsed.issues if i.code == "escaped-line-break"]
        assert said.startswith(f"'{sign}' is a line break as a program writes it, but here ")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_they_part_the_labels_of_a_pasted_block(syntax):
    for block in (
        r"Negative prompt: blurry\nSteps: 20, Sampler: Euler a",
        r"Steps: 20\nSeed: 1234",
        r"Negative prompt\nblurry",
        r"negative: dog",
        r"CFG scale: 7, Seed: 1",
        r"反向提示词：模糊\n步数：20",
        r"Size: 512x768",
    ):
        for before in ("a cat\\n", "a cat, red\\r\\n", "猫\\n\\n"):
            parsed = with_lookalikes(parse(before + block, syntax))
            found = [i for i in parsed.issues if i.code == "pasted-parameters"]
            assert [i.position for i in found] == [len(before)], block
            assert found[0].words == (block,)
