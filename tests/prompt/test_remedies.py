"""What a remedy proposes is read as it was meant, without a further warning."""

import re

import pytest

from clipcond.prompt import Issue, parse, schedule
from clipcond.prompt.folding import fold
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from clipcond.prompt.parsing import reads_fullwidth
from tests.failures import failures_of
from tests.prompt.test_weight_slips import CHINESE, COPIED, NO_NUMBER, OUTSIDE

# `Write (cat:1.3).`, `Write '&'.`, and in which dialect
PROPOSAL = re.compile(
    r"\A(?:Write a decimal point: |Write the number inside: |Write |For a weight write )"
    r"(?P<text>(?!it |spaces )[^.]?.*?)"
    r"(?:, or (?:choose|as|write) .*|; for editing .*)?(?: in dialect '(?P<syntax>\w+)'.*)?\.?\Z"
)


def issues(prompt: str, syntax: str, fullwidth: bool | None) -> list[Issue]:
    wide = bool(fullwidth) and reads_fullwidth(syntax)
    found = with_lookalikes(parse(prompt, syntax, fullwidth=wide), fullwidth=fullwidth).issues
    return [issue for issue in found if issue.code != "bracket"]


def followed(prompt: str, syntax: str, fullwidth: bool | None) -> tuple[str, str]:
    """Do what the first issue says, and return the prompt and the syntax that it is for."""
    issue = issues(prompt, syntax, fullwidth)[0]
    (words,) = issue.words
    assert prompt[issue.position :].startswith(words)
    proposal = PROPOSAL.match(issue.remedy.replace(", or choose dialect 'a1111'", ""))
    text = fold(words) if proposal is None else proposal["text"]
    text = text[1:-1] if text[0] == "'" else text
    there = prompt[: issue.position] + text + prompt[issue.position + len(words) :]
    return there, (proposal and proposal["syntax"]) or syntax


def weighted(prompt: str, syntax: str) -> list[tuple[str, float]]:
    segments = parse(prompt, syntax).segments
    return [(s.text.strip(" ，,"), pytest.approx(s.weight)) for s in segments if s.weight != 1.0]


SLIPS = [
    *[(prompt, words, float(number)) for prompt, _, words, number in OUTSIDE[5:]],
    *[(prompt, words, float(number)) for prompt, _, words, number in NO_NUMBER],
    *[(prompt, words, float(number)) for prompt, _, words, number in (*COPIED, *CHINESE)],
    *[
        (f"{a}猫：1.3{b}", "猫", 1.3)
        for a, b in ("〔〕", "〖〗", "「」", "『』", "《》", "｛｝", "｢｣", "⟨⟩")
    ],
    *[(f"a (red cat:{number})", "red cat", 0.5) for number in ("1/2", "50%", "½", ".5f", "x.5")],
    *[(f"(cat:{number})", "cat", 1.3) for number in ("1.3,", "<1.3>", "\\1.3", "1.3-1.5", "w=1.3")],
    *[(f"(cat:{number})", "cat", 1.3) for number in ("(1.3)", "1.3 weight", "1,3,")],
    ("(red cat=0.8)", "red cat", 0.8),
    ("(red cat1.3)", "red cat", 1.3),
    ("(cat_1.3)", "cat", 1.3),
    ("(cat/1.3)", "cat", 1.3),
    ("(sharp focus= 1.4)", "sharp focus", 1.4),
    ("桜：1.3、", "桜", 1.3),
    ("🌸:1.3", "🌸", 1.3),
    ("(벚꽃:1.3배)", "벚꽃", 1.3),
    ("「猫」：1.3", "猫", 1.3),
    ("〖red cat〗*1.3", "red cat", 1.3),
    ("(cat)~1.3", "cat", 1.3),
    ('"cat:1.3"', "cat", 1.3),
    ("（cat:1.3）", "cat", 1.3),
    ("(cat：1.3)", "cat", 1.3),
    ("{{cat}}", "cat", 1.1),
    ("1.3::red cat::", "red cat", 1.3),
    ("0.8::artist:wlop::", "artist:wlop", 0.8),
    ("1.2::series:re zero::", "series:re zero", 1.2),
    ("0.7::by:ross draws", "by:ross draws", 0.7),
    ("[cat:0,5]", "cat", 0.5),
    ("(katze:1,3):0,5", "katze", 0.5),
    ("(cat): 0,8", "cat", 0.8),
    *[
        (f"(cat: {number})", "cat", 1.2)
        for number in ("+20%", "+ 20 %", "weight 1.2", "gewicht=1.2")
    ],
    ("(cat:-20%)", "cat", 0.8),
    *[(f"（猫：{word}1.3）", "猫", 1.3) for word in ("权重", "重み", "强度", "가중치", "权重：")],
    *[(f"猫（{word}1.3）", "猫", 1.3) for word in ("权重", "重み", "重さ=")],
    ("cat (weight 1.3)", "cat", 1.3),
    ("(cat:1.3:1.2)", "cat", 1.3),
    ("(cat:1.3 :1.2)", "cat", 1.3),
    ("(cat:1.3:1.2:1.1)", "cat", 1.3),
    ("（猫：1.3：1.2）", "猫", 1.3),
    ("（猫：权重为1.3）", "猫", 1.3),
    ("（猫，权重1.3）", "猫", 1.3),
    ("(cat, weight 1.3)", "cat", 1.3),
]


def test_weights():
    def check(case):
        prompt, words, number = case
        for syntax in sorted(EXCEPT_PLAIN):
            for fullwidth in (None, False, True):
                if not issues(prompt, syntax, fullwidth):
                    assert fullwidth is not None or syntax == "novelai", syntax
                    continue
                there, target = followed(prompt, syntax, fullwidth)
                if target == "diffusers":
                    assert issues(prompt, syntax, fullwidth)[0].remedy.startswith("Choose")
                    target = "a1111"
                assert issues(there, target, fullwidth) == [], (syntax, fullwidth, there)
                assert weighted(there, target) == [(words, number)], (syntax, fullwidth, there)

    assert not failures_of(check, SLIPS)


def test_scientific_numbers():
    cases = {
        "1e30": 1.2, "5e300": 1.2, "2e-1": 0.2, "1.3e0": 1.3, "1.5E-1": 0.15,
        "9e999": 1.2, "-1e30": 1.2, "+1e1": 1.2, "-1e-1": -0.1, ".5e0": 0.5, "-.25e+0": -0.25,
        "12.e-1": 1.2, "12.5e-1": 1.25, "-12340e-4": -1.234, "1e-400": 0.0,
    }  # fmt: skip
    for number, weight in cases.items():
        found = issues(f"(cat:{number})", "a1111", None)
        assert "no plain number" in found[0].message
        there, target = followed(f"(cat:{number})", "a1111", None)
        assert weighted(there, target) == [("cat", pytest.approx(weight))], there


def test_numbers_that_comfyui_reads():
    for prompt in ("(cat:1.3e0)", "(cat:1e0)", "(cat:1_3)", "(a cat:1.5E-1)"):
        assert not [i for i in issues(prompt, "comfyui", None) if "is no weight" in i.message]
        for syntax in ("a1111", "lpw", "sd_embed", "compel"):
            assert "no plain number" in issues(prompt, syntax, None)[0].message
    there, target = followed("(cat:1.3e0)", "a1111", None)
    assert weighted(there, target) == [("cat", 1.3)]


def test_editing():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN):
            there, target = followed(prompt, syntax, None)
            assert fold(there) == wanted, (syntax, there)
            remedy = issues(prompt, syntax, None)[0].remedy
            assert target == "a1111" or "'a1111'" in remedy or "fullwidth=True" in remedy
            assert issues(there, "a1111", None) == []
            assert len(schedule(there, 10)) > 1

    cases = [
        ("[cat:dog:0,5]", "[cat:dog:0.5]"),
        ("[cat:dog|fox:0.5]", "[cat:[dog|fox]:0.5]"),
        ("[cat|dog:fox:0.5]", "[[cat|dog]:fox:0.5]"),
        ("a [cat|dog:(fox:1.2):5]", "a [[cat|dog]:(fox:1.2):5]"),
        ("[cat:dog|fox|owl:.5]", "[cat:[dog|fox|owl]:0.5]"),
        ("[red cat:|dog:0.5]", "[red cat:[|dog]:0.5]"),
        ("a [red cat:dog:50%]", "a [red cat:dog:0.5]"),
        ("[cat:dog:1/2]", "[cat:dog:0.5]"),
        *((f"[cat:dog:{n}]", "[cat:dog:5]") for n in ("5-10", "5,10", "5 ~ 8", "5 to 9", "5–8")),
        *(("[cat:dog:0.3-0.6]", "[cat:dog:0.3]"), ("a [cat:(dog:1.2):3~8]", "a [cat:(dog:1.2):3]")),
        ("[cat:dog:half]", "[cat:dog:0.5]"),
        ("[cat:dog:5 steps]", "[cat:dog:5]"),
        ("[cat:dog:0.4:0.8]", "[cat:dog:0.4]"),
        ("[cat:dog]", "[cat:dog:0.5]"),
        ("[猫：狗]", "[猫:狗:0.5]"),
        ("[cat,dog,0.3]", "[cat:dog:0.3]"),
        ("(cat:dog:0.3)", "[cat:dog:0.3]"),
        ("〔cat：dog：0.3〕", "[cat:dog:0.3]"),
        ("[cat:dog;0.3]", "[cat:dog:0.3]"),
        ("[cat:dog 0.3]", "[cat:dog:0.3]"),
        ("[🌸:🐱:0,5]", "[🌸:🐱:0.5]"),
        ("[猫:(狗:1.2):half]", "[猫:(狗:1.2):0.5]"),
        ("【花园：狗：一半】", "[花园:狗:0.5]"),
        ("[cat:dog:halb]", "[cat:dog:0.5]"),
        ("【花园：狗：三成】", "[花园:狗:0.3]"),
        ("【花园：狗：百分之五十】", "[花园:狗:0.5]"),
        ("[cat:dog:三分之一]", "[cat:dog:0.33]"),
        *((f"[猫:狗:{n}]", "[猫:狗:0.85]") for n in ("八成半", "百分之八十五", "八割半")),
        *((f"[猫:狗:{n}]", "[猫:狗:0.25]") for n in ("两成半", "二十五%", "四分之一处")),
        *((f"[猫:狗:{n}]", "[猫:狗:0.3]") for n in ("十分之三", "三十", "3할", "3十%")),
        *((f"[猫:狗:{n}]", "[猫:狗:0.5]") for n in ("百分之百", "两倍半", "在一半")),
        ("[猫:狗:二]", "[猫:狗:2]"),
        ("[cat:dog:20%]", "[cat:dog:0.2]"),
        ("[cat:1.2:dog:0.5]", "[(cat:1.2):dog:0.5]"),
        ("[red cat:0.8:dog:5]", "[(red cat:0.8):dog:5]"),
        ("a [cat:dog:1.2:0.5]", "a [cat:(dog:1.2):0.5]"),
        ("[cat::dog:0.5]", "[cat:dog:0.5]"),
        ("[a cat:: dog::3]", "[a cat:dog:3]"),
        ("[cat:dog:fox:0.3:0.6]", "[cat:[dog:fox:0.6]:0.3]"),
        ("[1girl:2girls:1boy:0.2:0.6]", "[1girl:[2girls:1boy:0.6]:0.2]"),
        ("[red cat:(dog:1.2):a fox:5:10]", "[red cat:[(dog:1.2):a fox:10]:5]"),
        ("[10:30 clock:dog:0.5]", "[10\\:30 clock:dog:0.5]"),
        ("a [16:9 photo:a film:5] b", "a [16\\:9 photo:a film:5] b"),
    ]
    assert not failures_of(check, cases)


def test_alternation():
    def check(case):
        prompt, texts = case
        for syntax in sorted(EXCEPT_PLAIN):
            there, target = followed(prompt, syntax, None)
            assert target == "a1111"
            assert issues(there, "a1111", None) == []
            first, second = (parse(text).segments for _, text in schedule(there, 9)[:2])
            assert [("".join(s.text for s in each)) for each in (first, second)] == texts

    cases = [
        ("[nier:automata|re:zero] style", ["nier:automata style", "re:zero style"]),
        ("[honkai: star rail|genshin impact]", ["honkai: star rail", "genshin impact"]),
        ("[genshin impact|honkai: star rail]", ["genshin impact", "honkai: star rail"]),
        ("[re:zero|cat]", ["re:zero", "cat"]),
        ("a [artist:wlop|artist:ross], x", ["a artist:wlop, x", "a artist:ross, x"]),
        ("[cat:1.2|dog:0.8]", ["cat", "dog"]),
        ("[red cat:1.2|a dog]", ["red cat", "a dog"]),
        ("[cat:1.2|re:zero]", ["cat", "re:zero"]),
        ("[cat:1|dog:2]", ["cat", "dog"]),
        ("[cat:0.5|dog:1]", ["cat", "dog"]),
        ("[fate:zero|(red cat:1.2)]", ["fate:zero", "red cat"]),
    ]
    assert not failures_of(check, cases)
    there, _ = followed("[cat:1.2|dog:0.8]", "a1111", None)
    assert there == "[(cat:1.2)|(dog:0.8)]"
    there, _ = followed("[cat:1|dog:2]", "a1111", None)
    assert there == "[(cat:1)|(dog:2)]"
    for prompt in (
        "[mood: happy]",
        "[cat|dog]",
        "[nier\\:automata|re\\:zero]",
        "[(a cat:1.2)|dog]",
    ):
        assert issues(prompt, "a1111", None) == []


def test_forms_in_full_width_signs():
    def check(case):
        prompt, wanted = case
        (issue,) = issues(prompt, "a1111", None)
        assert (issue.position, issue.words) == (0, (prompt,))
        there, _ = followed(prompt, "a1111", None)
        assert there == wanted
        assert issues(there, "a1111", None) == issues(prompt, "a1111", True) == []
        assert len(schedule(there, 10)) == len(schedule(prompt, 10, fullwidth=True)) > 1

    cases = [
        ("[cat：dog：0.5]", "[cat:dog:0.5]"),
        ("[cat:dog：0.5]", "[cat:dog:0.5]"),
        ("[cat:dog:0.５]", "[cat:dog:0.5]"),
        ("[cat:dog:0．5]", "[cat:dog:0.5]"),
        ("[cat:dog:５]", "[cat:dog:5]"),
        ("[cat：5]", "[cat:5]"),
        ("[cat｜dog]", "[cat|dog]"),
        ("[a red cat｜dog｜]", "[a red cat|dog|]"),
        ("【cat｜dog】", "[cat|dog]"),
        ("［cat：dog：0.5］", "[cat:dog:0.5]"),
    ]
    assert not failures_of(check, cases)


def test_signs_of_web_pages():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN):
            there, _ = followed(prompt, syntax, None)
            assert (there, issues(there, syntax, None)) == (wanted, [])

    cases = [
        ("cat&nbsp;dog", "cat dog"),
        ("cat&nbsp dog", "cat  dog"),
        ("cat &amp; dog", "cat & dog"),
        ("cat&amp;nbsp;dog", "cat dog"),
        ("&hearts; cat", "♥ cat"),
        ("cat&#160;dog", "cat dog"),
        ("caf&eacute;", "café"),
        ("5 &euro; note", "5 € note"),
    ]
    assert not failures_of(check, cases)
