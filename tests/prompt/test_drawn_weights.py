"""Weights behind brackets before Chinese, without brackets, with too few colons; NovelAI's ends."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.prompt import parse
from clipcond.prompt.conversion import convert, convert_with_issues
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from clipcond.prompt.rendering import weighted_words
from tests.failures import failures_of
from tests.prompt.test_misreadings import issues, proposed, texts

TOOLS = sorted(EXCEPT_PLAIN)
NUMBERS = st.sampled_from(["1.3", "0.8", ".5", "1.25"])
CHINESE = st.text("猫狗红色的女孩花蓝", min_size=1, max_size=6)


def mended(prompt: str, syntax: str) -> list[tuple[str, float]]:
    """The texts of a prompt once the remedy of its only slip is followed."""
    issue = next(i for i in issues(prompt, syntax) if i.code not in {"bracket", "fullwidth"})
    there = prompt.replace(issue.words[0], proposed(issue), 1)
    return texts(there, "a1111" if "'a1111'" in issue.remedy else syntax)


FORMS = ["({}):{}", "（{}）：{}", "[{}]{}", "【{}】：{}", "（{}）*{}", "[{}]：{}"]


@given(form=st.sampled_from(FORMS), inside=CHINESE, after=CHINESE, number=NUMBERS)
@pytest.mark.parametrize("syntax", TOOLS)
def test_a_number_behind_a_bracket_before_chinese(form, syntax, inside, after, number):
    prompt = form.format(inside, number) + after
    assert (inside, pytest.approx(float(number))) in mended(prompt, syntax)


@given(inside=CHINESE, after=CHINESE, sign=st.sampled_from(["1.3", "0.8", "++", "--"]))
@pytest.mark.parametrize("syntax", sorted(EXCEPT_PLAIN - {"compel"}))
def test_a_weight_of_compel_before_chinese(syntax, inside, after, sign):
    (issue,) = issues(f"({inside}){sign}{after}", syntax)
    assert "is a weight in dialect 'compel', but not here" in issue.message
    assert issues(f"({inside}){sign}{after}", "compel") == []


def test_a_measure_behind_a_bracket_is_none():
    def check(case):
        words, measure = case
        for syntax in ("a1111", "comfyui", "novelai", "diffusers"):
            assert issues(f"({words}){measure}", syntax) == []
            assert issues(f"({words}):{measure}", syntax) == []

    measures = ["1.5米的树", "1.3倍", "2.5元", "1.5メートル", "0.5公斤", "2比1", "1人", "1.5미터"]
    assert not failures_of(check, list(product(["约", "红色", "主队"], measures)))


@pytest.mark.parametrize("syntax", TOOLS)
def test_a_weight_of_something_drawn(syntax):
    def check(case):
        prompt, words, weight = case
        assert (words, pytest.approx(weight)) in mended(prompt, syntax), syntax

    cases = [
        *(("cat 1.2, night", "cat", 1.2), ("a red fox 0.8", "a red fox", 0.8)),
        *(("猫 1.2", "猫", 1.2), ("花园, 白色的猫 0.7, 夜", "白色的猫", 0.7)),
        *(("blue hair 1.4", "blue hair", 1.4), ("girl:-1", "girl", -1), ("猫：-1", "猫", -1)),
        *(("night, red hat: -1", "red hat", -1), ("(red) 1.3 cat", "red", 1.3)),
        *(("a (blue) 0.8 dress, x", "blue", 0.8), ("（红色） 1.3 猫", "红色", 1.3)),
        *(("(long hair) 1.2 girl", "long hair", 1.2), ("(cat)^2", "cat", 2)),
        *(("(cat)*2, x", "cat", 2), ("(red fox) * 2", "red fox", 2), ("（猫）^2", "猫", 2)),
        *(("(:1.3 cat)", "cat", 1.3), ("a (: 0.8 red cat), x", "red cat", 0.8)),
        *(("（：1.3 猫）", "猫", 1.3), ("fox :0.3 :0.5", "fox", 0.3)),
        *(("猫1.2, 夜", "猫", 1.2), ("(red) :1.3 cat", "red", 1.3), ("(cat)**2", "cat", 2)),
        *(("（:1.3猫）", "猫", 1.3), ("{: 1.3 cat}", "cat", 1.3), ("[:1.3 cat]", "cat", 1.3)),
        *(("1.2 :: cat ::, dog", "cat", 1.2), ("1.2 ::cat::", "cat", 1.2)),
        *(("fox:0.3:0.5, x", "fox", 0.3), ("猫：0.3：0.5", "猫", 0.3)),
    ]
    assert not failures_of(check, cases)


@pytest.mark.parametrize("syntax", sorted(BRACKETS | {"compel"}))
def test_brackets_with_slashes_or_two_backslashes_are_not_escaped(syntax):
    for prompt, there in (
        ("ganyu /(genshin impact/)", r"ganyu \(genshin impact\)"),
        ("miku/(vocaloid/), night", r"miku\(vocaloid\), night"),
        ("甘雨 /（原神/）", r"甘雨 \(原神\)"),
        (r"ganyu \\(genshin impact\\)", r"ganyu \(genshin impact\)"),
    ):
        issue = next(i for i in issues(prompt, syntax) if "slashes" in i.message)
        assert issue.message.startswith(f"'{issue.words[0]}' is brackets")
        assert prompt.replace(issue.words[0], proposed(issue)) == there
        assert all(segment.weight == 1.0 for segment in parse(there, syntax).segments)
    for prompt in ("and/(or)", "a path/(x)/y", "either/(a or b)", r"a \(b\)", r"a \\\(b\\\)"):
        assert not [i for i in issues(prompt, syntax) if "slashes" in i.message]


@pytest.mark.parametrize("sign", "丨∣│︱ǀ❘¦")
@pytest.mark.parametrize("pair", ["【】", "[]", "［］"])
def test_signs_that_look_like_a_bar(sign, pair):
    prompt = f"一只{pair[0]}猫{sign}狗{pair[1]}"
    for syntax in TOOLS:
        (issue,) = issues(prompt, syntax)
        assert issue.words == (prompt[2:],), syntax
    assert issues(f"标题{sign}猫和狗", "a1111") == []


@pytest.mark.parametrize("syntax", TOOLS)
def test_an_edit_with_two_colons_first(syntax):
    for prompt, begins, ends in (
        ("[::dog:5]", "[:dog:5]", "[dog::5]"),
        ("a [::red dog:0.5], x", "[:red dog:0.5]", "[red dog::0.5]"),
        ("【：：狗：5】", "[:狗:5]", "[狗::5]"),
        ("[:dog::5]", "[:dog:5]", "[dog::5]"),
    ):
        remedies = [i.remedy for i in issues(prompt, syntax, "no-editing")]
        assert len(remedies) == 1
        assert begins in remedies[0]
        assert ends in remedies[0]
    for prompt in ("[::ffff:10] server", "[::beef:5]", "std::vector"):
        assert issues(prompt, syntax, "no-editing") == []


@pytest.mark.parametrize("syntax", [*TOOLS, "plain"])
def test_the_label_of_a_negative_prompt_without_a_colon(syntax):
    for prompt, label in (
        ("负面提示词 模糊", "负面提示词"),
        ("猫，反向提示词 模糊", "反向提示词"),
        ("a cat\n反向提示词 模糊", "反向提示词"),
        ("猫，负面词 模糊", "负面词"),
        ("负面提示词-模糊", "负面提示词"),
        ("ネガティブプロンプト ぼやけ", "ネガティブプロンプト"),
        ("negative prompt blurry", "negative prompt"),
        ("a cat, Negative prompt (worst quality:1.2)", "Negative prompt"),
    ):
        (issue,) = issues(prompt, syntax, "negative-label")
        assert issue.words[0].strip() == label
    for prompt in ("负面新闻", "a slide about negative prompts", "negative prompt engineering"):
        assert issues(prompt, syntax, "negative-label") == []


@pytest.mark.parametrize("syntax", TOOLS)
def test_a_weight_of_novelai_with_other_signs(syntax):
    def check(case):
        form, words, number = case
        assert (words, pytest.approx(float(number))) in mended(form.format(number, words), syntax)

    forms = ["{}::{}:, fox", "{}::{};; fox", "{}::{}:; fox", "{}::{}: :, fox", "{}::{}:"]
    forms += ["{}:{}:, fox", "{};;{};;, fox"]
    words = ["cat", "red cat", "猫", "a big dog"]
    assert not failures_of(check, list(product(forms, words, ["1.3", "0.8", ".5", "-0.25"])))


def test_a_colon_inside_a_weight_of_novelai_is_text():
    for prompt in ("1.3::title: cat, dog::", "1.3::cat::, dog", "1.3::re: zero::", "1.3::cat, dog"):
        assert issues(prompt, "novelai") == []
    for prompt in ("1.5:1 ratio", "1.1: cats;\n1.2: dogs;", "at 1.30: tea, cakes", "0.5:1:2"):
        assert issues(prompt, "a1111") == issues(prompt, "novelai") == []


def test_a_number_before_colons_is_no_border_of_midjourney():
    for prompt in ("cat, 1.2::", "1.2::, cat", "cat 0.8::"):
        (issue,) = issues(prompt, "a1111")
        assert "a weight in dialect 'novelai', but not here" in issue.message
        assert issue.remedy.startswith("Leave it out; a weight is (cat:")


@given(
    words=st.lists(
        st.sampled_from(["year", "2023", "v1.5", "66.", ".5", "a:", ":", "x", "猫", "1"]),
        min_size=1,
        max_size=4,
    ),
    after=st.sampled_from(["", ", dog", " 5", "(fox:0.8)", " (1:0.5)"]),
)
def test_novelai_gets_a_space_behind_a_number(words, after):
    prompt = f"({' '.join(words)}:1.2){after}"
    written, _ = convert_with_issues(prompt, "a1111", "novelai")
    pairs = [
        [each[:2] for each in weighted_words(parse(text, syntax))]
        for text, syntax in ((prompt, "a1111"), (written, "novelai"))
    ]
    assert pairs[0] == pairs[1]


def test_a_word_that_ends_as_a_word_is_written_as_it_was():
    for prompt, written in (
        ("(year 2023:1.2)", "1.2::year 2023 ::"),
        ("(v2:1.2), x", "1.2::v2::, x"),
        ("(cat:1.2)", "1.2::cat::"),
    ):
        assert convert(prompt, "a1111", "novelai") == written
