"""Ordinary text that looks like a slip is not warned of; the slip that it looks like is."""

import pytest

from clipcond.errors import PromptWarning
from clipcond.prompt import SYNTAXES, Issue, parse
from clipcond.prompt.conversion import convert
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from tests.failures import failures_of

CALLS = [
    'a ("cat").swap("dog", s_end=0.3)',
    "a cat.swap(tree, s_end=0.3)",
    "cat.swap(dog, s_start=0.2, s_end=0.8)",
    "a cat.swap((big dog), s_end=.5) outside",
    '"a cat".swap("a (red) dog", t_start=0.1, t_end=0.9)',
    "withLora(foo,0.5)",
    "useLora(foo-bar, 0.75) a cat",
    "a cat withLora(x_1,.3)",
    "(a cat).attend(0.5)",
]
PRICES = [
    *("apple (1.50)", "apples @ 1.50", "bread:1.25", "milk (0.99), bread (1.25)", "coffee@2.50"),
    *("a sign: eggs:1.20", "latte=1.75", "pizza @ 2.99", "$1.50", "soda ($1.50)", "total:2.10"),
    *("menu: pizza 4.50, cola:1.50", "receipt, socks:1.15, shirt:2.45", "tickets (2.50)"),
    *("socks:1.15 €", "ham:0.89", "rose (1.25)", "tulips@0.75", "price list, rose:1.35"),
]
MEASURES = [
    *(
        "iOS 17.4",
        "iOS (1.5)",
        "android:1.5",
        "firmware:2.1",
        "(no. 1.2)",
        "kernel=2.6",
        "app (v2)",
    ),
    *("f/1.8", "(f/1.8)", "f=1.8", "ISO:100", "ISO:0.5", "EV:0.7", "shutter:0.5", "(2024)"),
    *("(vol. 1.5)", "(ch. 1.5)", "(fig. 1.2)", "3:45 pm", "5:30 pm", "(7:15am)", "at 7.30"),
    *("water:1.5 l", "salt:0.5 tsp", "dose:0.5 mg", "flour (0.5 kg)", "rope:1.5m", "cable=0.5 m"),
    *("temperature:0.7", "top_p:0.9", "f/1.8 (bokeh)", "SDXL 1.0 (base)", "Canon 1.2 (lens)"),
    *("a photo at f/1.4 (wide)", "Python 1.5 (old)", "Leica 0.95 (lens), night"),
    *("area=0.5", "zoom:1.5x", "disk:1.5 TB", "水：1.5升", "牛乳：0.5L"),
]
CODE = [
    *('{"a": 1}', '{"a": 0.5}', '{"weight": 1.3, "b": [1,2]}', "{'x': 1.5, 'y': 0.2}", "{a: 1.2}"),
    *('{"cat": 1.3, "n": 2}', '[{"id": 1.5}, {"id": 2}]', '{\n  "scale": 1.2\n}'),
    *(
        "dict {a|b}",
        "set {x|y|z}",
        "{x|x>0}",
        "{ n | n ≤ 9 }",
        "regex {foo|bar}",
        "P(A|B)",
        "Pr(X=1|Y)",
        "{i}",
        "{a, b}",
    ),
    *("P(X|Y,Z) on a blackboard", "function f() { return x; }", "f(x)=0.5", "g(2) = 1.5, graph"),
    *(
        "int main() { return 0; }",
        "def f(x): return x",
        "if (x) { y; }",
        "x[1:2]",
        "a[0:5]",
    ),
    *("print(x) on a screen", "for (i=0;i<10;i++) on a screen", "while(n--)", "count++", "i++;"),
    *("console.log(x)", "if (a == b) on a screen", "C++", "i++", "notepad++"),
]
SPEECH = [
    *("Well--", "Well-- I think so", "oh no--", '"Wait--" she said', "He said no--", "and--"),
    *(
        "Stop-- or else",
        '"I never--"',
        "but-- why",
        '"You will regret this--"',
        "What-- who",
        "Mr. Smith-- the teacher",
        "No way--",
        "Mom-- please",
    ),
]
CHESS = ["Qxf7++", "Nxe5++, chess", "e8=Q++", "O-O-O++", "R1a3++ mate", "a board, Bb5++", "exd5++"]
EAST_ASIAN = [
    *("（笑）", "（20歳）", "彼女（20歳）は笑う（笑）", "（泣）", "【新品】", "【重要】お知らせ"),
    *(
        "你好（世界）",
        "「猫」（2021年）",
        "［注］",
        "日本放送協会（NHK）",
        "（図：1）",
        "（注：1）",
    ),
    *(
        "東京（日本）、夜",
        "猫（子猫）",
        "사진（서울）",
        "＃猫",
        "＃猫 ＃犬",
        "写真\n＃風景",
        "＃春 桜",
    ),
]


def issues(prompt: str, syntax: str) -> tuple[Issue, ...]:
    """All issues but that compel reads a sign of ordinary text as a weight, which it does."""
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return tuple(issue for issue in found if issue.code != "doubtful-weight")


def test_calls_of_compel_hold_no_weight():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            codes = {issue.code for issue in issues(prompt, syntax)}
            assert codes <= {"other-dialect", "not-encoded", "extra-network"}, syntax
            assert syntax != "compel" or "other-dialect" not in codes

    assert not failures_of(check, CALLS)


def test_ordinary_text_is_not_warned_of():
    def check(prompt):
        for syntax in sorted(SYNTAXES):
            assert issues(prompt, syntax) == (), syntax

    cases = [*PRICES, *MEASURES, *CODE, *SPEECH, *CHESS, *EAST_ASIAN]
    assert not failures_of(check, cases)


def test_what_it_looks_like_is():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN):
            found = issues(prompt, syntax)
            assert len(found) == 1 or syntax == "compel", syntax
            assert found, syntax

    cases = [
        *("cat (1.3)", "cat@1.5", "cat:1.25", "masterpiece:1.35", "(cat=1.3)", "(foo,0.5)"),
        *("cat:1.3, bread:1.25", "{cat:1.3}", "hat＝1.3"),
        *("（猫，1.3）", "＃ 备注", "＃注释", "[cat:dog:0,5]", "hat=1.3"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("cat++", "a hat--", "red dress++, x", "cat--", "(hat)++", "（猫）++"):
        for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
            assert [i.code for i in issues(prompt, syntax)] == ["other-dialect"], (prompt, syntax)
    for prompt in (
        "（猫：1.3）",
        "（（猫））",
        "【cat】",
        "a （cat）",
        "［猫：狗：0.5］",
        "（猫）1.3",
    ):
        for syntax in ("a1111", "comfyui", "compel", "lpw", "sd_embed"):
            assert [i.code for i in issues(prompt, syntax)] == ["other-dialect"], (prompt, syntax)


def test_brackets_behind_words_of_compel():
    def check(case):
        prompt, n_issues = case
        assert len(issues(prompt, "compel")) == n_issues

    cases = [
        *(("cat(dog)++", 1), ("a(b", 1), ("cat(dog)1.3", 1), ("x(a:1.3) b", 2), ("a) b", 1)),
        *(("hatsune miku(vocaloid)", 0), ("a cat(red, small) b", 0), ("f(g(x))", 0)),
    ]
    assert not failures_of(check, cases)


def test_brackets_behind_words_are_ordinary_in_compel_alone():
    for prompt in ("f(a, [b)", "(a; [b)", "cat(dog]) x", "f(x; ]) y"):
        for syntax in ("a1111", "lpw", "lpw_xl", "novelai", "sd_embed"):
            assert [i.code for i in issues(prompt, syntax)] == ["bracket"], (prompt, syntax)
        assert issues(prompt, "compel") == ()


def test_plain_reads_nothing():
    silent = ["a // b", "# note\ncat", "{a|b} c", "__animal__", "${x} cat", "/* x */ a", "＃ 备注"]
    silent += [
        "(cat:1.3)",
        "cat++",
        "<lora:x:1>",
        "[a:b:0.5]",
        "1.3::a::",
        "a BREAK b",
        "（猫：1.3）",
    ]
    assert [prompt for prompt in silent if issues(prompt, "plain")] == []
    for prompt in ("a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7", "a <|endoftext|> b"):
        assert len(issues(prompt, "plain")) == 1


def test_ordinary_brackets_are_not_converted():
    for prompt in ("（笑）", "彼女（20歳）は笑う", "你好（世界）", "（2021年）", "猫（子猫）"):
        assert convert(prompt, "a1111", "comfyui") == prompt
    with pytest.warns(PromptWarning, match="'【猫】' is read as syntax"):
        assert convert("【猫】", "a1111", "novelai") == "0.91::猫::"
