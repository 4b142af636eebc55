"""Line breaks that a program wrote as two characters, in every syntax."""

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
