"""A weight that no syntax reads is warned of at its place, with the user's own words and number."""

from clipcond.prompt import Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN, weight_in
from clipcond.prompt.parsing import reads_fullwidth
from tests.failures import failures_of


def issues(prompt: str, syntax: str, fullwidth: bool | None) -> tuple[Issue, ...]:
    wide = bool(fullwidth) and reads_fullwidth(syntax)
    parsed = parse(prompt, syntax, fullwidth=wide)
    return with_lookalikes(parsed, fullwidth=wide if fullwidth else fullwidth).issues


def check(case: tuple[str, int, str, str]) -> None:
    prompt, position, words, number = case
    for syntax in sorted(EXCEPT_PLAIN):
        for fullwidth in (None, False, True):
            found = [i for i in issues(prompt, syntax, fullwidth) if i.position == position]
            remedies = " ".join(issue.remedy for issue in found)
            is_a1111s = "weight in dialect 'a1111'" in found[0].message
            wanted = weight_in(syntax, words, number)
            assert wanted in remedies or (is_a1111s and syntax == "diffusers"), (syntax, remedies)


def test_the_number_of_an_outer_bracket_is_a_weight():
    prompts = [
        *("(ganyu (genshin impact):1.2)", "((cat):1.2)", "(((cat)):1.2)", "((solo:1.3):1.2)"),
        *("(a cat (on a mat):1.3)", "(cat [dog]:1.2)", "(big {cat}:1.2)", "((cat) : 1.2 )"),
        *("（（猫）：1.2）", "（猫【狗】：1.3）", "(gawr gura (hololive):1.1), (red (hat):.9)"),
    ]

    def no_slip(prompt):
        for syntax in ("a1111", "comfyui", "sd_embed", "lpw", "lpw_xl"):
            found = issues(prompt, syntax, True)
            assert not [i for i in found if "behind" in i.message], (syntax, found)

    assert not failures_of(no_slip, prompts)


# prompt, from where on, the words and the number of the remedy
OUTSIDE = [
    ("(cat):1.3", 0, "cat", "1.3"),
    ("(((cat))):1.3", 0, "cat", "1.3"),
    ("(cat:1.3):1.2", 0, "cat", "1.2"),
    ("a (red hat): 0.8, dog", 2, "red hat", "0.8"),
    ("[cat]:1.3", 0, "cat", "1.3"),
    ("{cat}:1.3", 0, "cat", "1.3"),
    ("(cat)*1.3", 0, "cat", "1.3"),
    ("(cat)(1.3)", 0, "cat", "1.3"),
    ("[cat]0.5", 0, "cat", "0.5"),
    ("{cat}1.3", 0, "cat", "1.3"),
    ("cat (1.3)", 0, "cat", "1.3"),
    ("a dog [0.7]", 2, "dog", "0.7"),
    ("(1.3:cat)", 0, "cat", "1.3"),
    ("[0.8:red hat]", 0, "red hat", "0.8"),
    ("1.3(red cat)", 0, "red cat", "1.3"),
    ("1.4*cat", 0, "cat", "1.4"),
    ("cat^1.3", 0, "cat", "1.3"),
    ("cat*1.3", 0, "cat", "1.3"),
    ("a dog*0.7, cat", 2, "dog", "0.7"),
    ("cat@1.3", 0, "cat", "1.3"),
    ("cat x1.3", 0, "cat", "1.3"),
    ("cat:1.3", 0, "cat", "1.3"),
    ("dog:0.5, cat", 0, "dog", "0.5"),
    ("{cat:1.3}", 0, "cat", "1.3"),
    ("cat:(1.3)", 0, "cat", "1.3"),
    ("(cat)::1.3", 0, "cat", "1.3"),
    ("cat (x1.3)", 0, "cat", "1.3"),
    ("(cat @1.3)", 0, "cat", "1.3"),
    ("cat weight:1.3", 0, "cat", "1.3"),
]
NO_NUMBER = [
    ("(cat:1.2f)", 0, "cat", "1.2"),
    ("(cat:1 .2)", 0, "cat", "1.2"),
    ("a (cat:1. 2)", 2, "cat", "1.2"),
    ("(cat:1-3)", 0, "cat", "1.3"),
    ("(cat:1.3~1.5)", 0, "cat", "1.3"),
    ("(cat:~1.3)", 0, "cat", "1.3"),
    ("(cat:1.2:1.3)", 0, "cat", "1.2"),
    ("(cat:=1.3)", 0, "cat", "1.3"),
    ('(cat:"1.3")', 0, "cat", "1.3"),
    ("(cat:1.3+)", 0, "cat", "1.3"),
    ("(cat:130%)", 0, "cat", "1.3"),
    ("(cat:O.8)", 0, "cat", "0.8"),
    ("(cat:1'3)", 0, "cat", "1.3"),
    ("(cat:1.3°)", 0, "cat", "1.3"),
    ("(cat:1 3)", 0, "cat", "1.3"),
    ("(cat:w1.3)", 0, "cat", "1.3"),
    ("(red hat:1,4)", 0, "red hat", "1.4"),
    ("(cat;1.3)", 0, "cat", "1.3"),
    ("(cat×1.3)", 0, "cat", "1.3"),
    ("a (red hat × 0.8)", 2, "red hat", "0.8"),
    ("(cat::1.3)", 0, "cat", "1.3"),
]
INVISIBLE = "\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
COPIED = [
    *(
        (f"(cat:1.3{sign})", 0, "cat", "1.3")
        for sign in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e"
    ),
    *((f"(cat:{sign}1.3)", 0, "cat", "1.3") for sign in "\u200b\u200d\ufeff\u00ad"),
    *((f"(cat{colon}1.3)", 0, "cat", "1.3") for colon in "\u2236\ua789\ufe55\ufe30\u02d0\ufe13"),
    ("(cat:1\u066b3)", 0, "cat", "1.3"),
    ("(cat:1\u00b73)", 0, "cat", "1.3"),
    ("(cat:\u22121.3)", 0, "cat", "-1.3"),
    ("a ﹙cat:1.3﹚", 2, "cat", "1.3"),
    ("(cat:1\u02d93)", 0, "cat", "1.3"),
    ("(cat:1.3\u0301)", 0, "cat", "1.3"),
    ("(cat:1\u200b.3)", 0, "cat", "1.3"),
]
CHINESE = [
    ("猫:1.3", 0, "猫", "1.3"),
    ("猫：1.3", 0, "猫", "1.3"),
    ("可爱的猫：0.8，狗", 0, "可爱的猫", "0.8"),
    ("ねこ:1.3", 0, "ねこ", "1.3"),
    ("고양이:1.3", 0, "고양이", "1.3"),
    ("(猫,1.3)", 0, "猫", "1.3"),
    ("（猫，1.3）", 0, "猫", "1.3"),
    ("(猫;1.3)", 0, "猫", "1.3"),
    ("（猫×1.3）", 0, "猫", "1.3"),
    ("（猫；1.3）", 0, "猫", "1.3"),
    ("（猫）：1.3", 0, "猫", "1.3"),
    ("（（猫））：1.3", 0, "猫", "1.3"),
    ("（猫：1.3倍）", 0, "猫", "1.3"),
    ("（猫：1点3）", 0, "猫", "1.3"),
    ("（猫：一点三）", 0, "猫", "1.3"),
    ("(猫:1·3)", 0, "猫", "1.3"),
    ("（猫：1、3）", 0, "猫", "1.3"),
    ("（猫∶1.3）", 0, "猫", "1.3"),
    ("（猫︰1.3）", 0, "猫", "1.3"),
    ("（猫1.3）", 0, "猫", "1.3"),
    ("猫（1.3）", 0, "猫", "1.3"),
    ("猫（1.2倍）", 0, "猫", "1.2"),
    ("（1.3：猫）", 0, "猫", "1.3"),
    ("猫＊1.3", 0, "猫", "1.3"),
]


def test_a_number_outside_of_its_bracket():
    assert not failures_of(check, OUTSIDE)


def test_what_is_no_number():
    assert not failures_of(check, NO_NUMBER)


def test_signs_that_were_copied():
    assert not failures_of(check, COPIED)


def test_words_that_no_space_parts():
    assert not failures_of(check, CHINESE)


def test_signs_of_compel():
    def check(case):
        prompt, syntaxes, weight = case
        for syntax in syntaxes:
            (issue,) = issues(prompt, syntax, True)
            assert (issue.position, weight in issue.remedy) == (0, True), (syntax, issue)

    cases = [
        ("猫++", ("a1111", "comfyui", "lpw", "sd_embed", "diffusers"), "(猫:1.2)"),
        ("猫＋＋", ("a1111", "comfyui", "lpw", "sd_embed", "diffusers"), "(猫:1.2)"),
        ("猫--，狗", ("a1111", "comfyui", "lpw"), "(猫:0.81)"),
        ("（猫）1.3", ("a1111", "comfyui", "lpw", "diffusers"), "(猫:1.3)"),
        ("（cat）1.3", ("a1111", "comfyui", "lpw", "diffusers"), "(cat:1.3)"),
        ("cat\u200b++", ("a1111",), "1.2"),
        *((f"cat{sign}--, hat", ("a1111",), "0.81") for sign in INVISIBLE),
    ]
    assert not failures_of(check, cases)
    assert issues("猫++， (狗)1.3", "compel", None) == ()
    for prompt in ("猫＋＋", "（猫）1.3", "猫－－"):
        (issue,) = issues(prompt, "compel", None)
        assert issue.message.endswith("in ASCII, but not here")
        assert issues(prompt, "compel", False) == ()


def test_signs_of_novelai():
    assert [i.remedy for i in issues("１．３：：猫：：", "novelai", None)] == ["Write 1.3::猫::."]
    assert next(i.remedy for i in issues("1,3::cat::", "novelai", None)).endswith(": 1.3::cat::.")
    assert issues("1.3::猫::，{狗}", "novelai", None) == ()


def test_the_odd_character_is_named():
    (issue,) = issues("(cat:1.3\u200b)", "a1111", None)
    assert issue.message == ("'(cat:1.3\\u200b)' is no weight, because of U+200B ZERO WIDTH SPACE")
    assert issue.words == ("(cat:1.3\u200b)",)


def test_what_is_read_is_no_slip():
    def check(case):
        prompt, fullwidth = case
        assert issues(prompt, "a1111", fullwidth) == ()

    cases = [
        ("(cat:1.3)", None),
        ("(cat:\u00a01.3)", None),
        ("（猫：1.3）", True),
        ("（猫：1.3）", False),
        ("（猫:１．３）", True),
        ("(cat : 1.3 )", None),
        ("(1.3)", None),
    ]
    assert not failures_of(check, cases)


def test_an_open_bracket_is_all_that_is_wrong():
    (issue,) = issues("(a cat:1.3", "a1111", None)
    assert (issue.message, issue.position) == ("'(' is never closed", 0)
    assert len(issues("（猫：1.3", "a1111", True)) == 1
    assert len(issues("dog:1.2, (cat", "a1111", None)) == 2


def test_more_slips():
    cases = [
        *((f"{words}:2, cat", 0, words, "2") for words in ("worst quality", "bad hands", "低质量")),
        *(("cat, blurry:2", 5, "blurry", "2"), ("low quality:0, x", 0, "low quality", "0")),
        *((f"(girl:{n})", 0, "girl", "1.2") for n in (" 1.2 1.3", "1.2, 0.9", "1.2;1.1")),
        *(("(girl:1.2*1.1)", 0, "girl", "1.32"), ("(girl:1.1x1.2)", 0, "girl", "1.32")),
        *(("(girl:1 + 0.2)", 0, "girl", "1.2"), ("(girl:2*.5)", 0, "girl", "1")),
        *(("(girl - 1.2)", 0, "girl", "1.2"), ("(red hair – 0.8)", 0, "red hair", "0.8")),
        *(('"a cat":1.2', 0, "a cat", "1.2"), ("'red hat': 0.8, x", 0, "red hat", "0.8")),
        *(('"cat":1.2 on a mat', 0, "cat", "1.2"), ("a '猫':1.3", 2, "猫", "1.3")),
    ]
    assert not failures_of(check, cases)

    cases = [
        *(("(cat)-1", "(cat:0.9)"), ("(red hair)+2, x", "(red hair:1.2)"), ("(猫咪咪)-1.", "0.9)")),
        *(("(cat)130%", "(cat:1.3)"), ("(a red cat)1,3", "(a red cat:1.3)"), ("(cotton)100%",)),
        *(("body weight:1.3",), ("telephoto (x1.4)",), ("增长（1.2倍）",), ("(see page)1,300",)),
        *(("(red:1.3)++", "(red:1.56)"), ("(a hat:0.8)+", "(a hat:0.88)")),
        *(("(cat:1.2)--", "(cat:0.972)"), ("（cat:1.2)", "(cat:1.2)"), ("【猫:0.8)", "(猫:0.8)")),
        *(("（red hair:1.3)", "(red hair:1.3)"), ("[cat:1.2】", "1.2)"), ("［a cat:1)", "cat:1)")),
        *((prompt,) for prompt in ("part:2, x", "toy story:2, y", "(version - 1.5)", "10:2, x")),
        *((prompt,) for prompt in ("P(A|B) = 0.5", '{"cat": 1.2}', "f(x)-1", "room:3, chair")),
        *((prompt,) for prompt in ("eggs:2, flour:3", "exit:2", "a (see above)-2", "home:0, x")),
        *((prompt,) for prompt in ('logo of "Foo": 1.5 million', "it is 'fine': 0.5 probable")),
    ]

    def without_brackets(case):
        prompt, *weights = case
        found = [i for i in issues(prompt, "a1111", None) if i.code != "bracket"]
        assert len(found) == len(weights), found
        assert all(weight in i.remedy for i, weight in zip(found, weights, strict=True)), found

    assert not failures_of(without_brackets, cases)


def test_alternation_in_round_brackets():
    def check(case):
        prompt, proposal = case
        for syntax in sorted(EXCEPT_PLAIN - {"novelai"}):
            found = [i for i in issues(prompt, syntax, None) if i.code == "no-editing"]
            assert [proposal in i.remedy for i in found] == [True], (syntax, found)

    cases = [
        ("(emma|watson:1.2)", "([emma|watson]:1.2)"),
        ("(red|blue) hair", "[red|blue]"),
        ("(cat:1.2|dog)", "[(cat:1.2)|dog]"),
        ("a (red | blue) hat", "[red | blue]"),
        ("((red|blue) hair:1.2)", "[red|blue]"),
        ("(one|two|three), x", "[one|two|three]"),
        ("（红发|蓝发），校服", "[红发|蓝发]"),
        ("(red:1.1)|(blue:1.2)", "[(red:1.1)|(blue:1.2)]"),
        ("a red|(blue:1.2) hat", "[red|(blue:1.2)]"),
        ("(red)|blue|green", "[(red)|blue|green]"),
        ("[red|blue:(green:1.2)]", "[[red|blue]:(green:1.2):0.5]"),
    ]
    assert not failures_of(check, cases)

    def silent(prompt):
        assert not [i for i in issues(prompt, "a1111", None) if i.code == "no-editing"]

    prompts = "P(A|B)#a (4k | hdr), cat#.(jpg|png)#[(red:1.1)|(blue:1.2)]#[red|blue]#cat | dog"
    assert not failures_of(silent, prompts.split("#"))
