"""Text that another tool acts on is warned of, in whatever signs it was typed."""

from clipcond.prompt import parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from clipcond.prompt.parsing import reads_fullwidth
from tests.failures import failures_of


def check(case: tuple[str, str, str], syntaxes=EXCEPT_PLAIN) -> None:
    code, prompt, shown = case
    for syntax in sorted(syntaxes):
        for fullwidth in (None, False, True):
            wide = bool(fullwidth) and reads_fullwidth(syntax)
            parsed = parse(prompt, syntax, fullwidth=wide)
            issues = with_lookalikes(parsed, fullwidth=fullwidth).issues
            found = [issue for issue in issues if issue.code == code]
            assert [i.words for i in found][:1] == [(shown,)], (syntax, issues)
            assert prompt[found[0].position :].startswith(shown)
            assert found[0].remedy


def test_full_width_forms():
    def check_all(case):
        check(case)

    pasted = "pasted-parameters"
    cases = [
        (pasted, "猫\nSteps：20，Sampler：Euler a，CFG scale：7", None),
        (pasted, "猫，步数：20，采样器：Euler a", None),
        (pasted, "猫，采样方法：DPM++ 2M，随机种子：123", None),
        (pasted, "cat, steps: 20, sampler: euler a, cfg scale: 7", None),
        (pasted, "ねこ\nネガティブプロンプト：ぼやけ", None),
        (pasted, 'x {"negative_prompt": "dog"}', '{"negative_prompt": "dog"}'),
        ("random-choice", "｛红｜蓝｝猫", "｛红｜蓝｝"),
        ("wildcard", "＿＿动物＿＿", "＿＿动物＿＿"),
        ("wildcard", "一只__动物__跑", "__动物__"),
        ("midjourney-flag", "猫 －－ar 16：9", "－－ar 16：9"),
        ("midjourney-flag", "猫－－v 6", "－－v 6"),
        ("extra-network", "《lora:foo:0.8》猫", "《lora:foo:0.8》"),
        ("extra-network", "＜lora：foo：0.8＞猫", "＜lora：foo：0.8＞"),
        ("comment", "＃注释", "＃注释"),
        ("comment", "猫\n＃注释\n狗", "＃注释"),
        ("comment", "猫 ／／注释", "／／注释"),
        ("variable", "＄｛色｝猫", "＄｛色｝"),
        ("region", "猫［SEP］狗", "［SEP］"),
    ]
    starts = ("Steps", "步数", "采样", "steps", "ネガ", "negative")
    cases = [
        (code, text, shown or text[min(at for s in starts if (at := text.find(s)) >= 0) :])
        for code, text, shown in cases
    ]
    assert not failures_of(check_all, cases)


def test_full_width_weights_and_words():
    def check_known(case):
        check(case[:3], case[3])

    compel, brackets = EXCEPT_PLAIN - {"novelai"}, BRACKETS
    cases = [
        ("midjourney-weight", "猫：：2 狗", "猫：：2", compel),
        ("midjourney-weight", "猫：：2狗", "猫：：2", compel),
        ("novelai-weight", "｛｛猫｝｝", "｛｛猫｝｝", compel),
        ("novelai-weight", "｛猫｝", "｛猫｝", compel),
        ("novelai-weight", "1.3：：猫：：", "1.3：：猫：：", compel),
        ("other-dialect", "猫ＡＮＤ狗", "ＡＮＤ", brackets),
        ("other-dialect", "猫ＢＲＥＡＫ狗", "ＢＲＥＡＫ", brackets),
        ("other-dialect", "a ＢＲＥＡＫ b", "ＢＲＥＡＫ", brackets),
    ]
    assert not failures_of(check_known, cases)


def test_chinese_around_break_and_and():
    for prompt, word in (("猫BREAK狗", "BREAK"), ("猫AND狗", "AND"), ("猫 BREAK狗", "BREAK")):
        (issue,) = with_lookalikes(parse(prompt), fullwidth=None).issues
        assert issue.words == (word,)
        assert with_lookalikes(parse(prompt, fullwidth=True), fullwidth=True).issues == ()


def test_text_of_other_tools():
    cases = [
        ("midjourney-flag", "a cat —ar 16:9", "—ar 16:9"),
        ("midjourney-flag", "a cat –v 6", "–v 6"),
        ("midjourney-flag", "猫 ——ar 16:9", "——ar 16:9"),
        ("midjourney-flag", "a cat —no dog", "—no dog"),
        ("midjourney-flag", "a cat --hd", "--hd"),
        ("midjourney-flag", "a cat --tile, b", "--tile"),
        ("midjourney-flag", "a cat --creative --test", "--creative"),
        ("midjourney-flag", "a cat --ar --ar --ar ", "--ar"),
        ("midjourney-flag", "--ar 16：9", "--ar 16：9"),
        ("chat-command", "/imagine prompt: a cat", "/imagine prompt:"),
        ("midjourney-flag", "a cat --AR=16:9", "--AR=16:9"),
        ("midjourney-flag", "a cat --v6", "--v6"),
        ("midjourney-flag", "a cat -ar 16:9", "-ar 16:9"),
        ("image-address", "www.x.org/cat.png a cat", "www.x.org/cat.png"),
        ("html", "<!-- x --> a cat", "<!--"),
        ("html", "[b]cat[/b]", "[/b]"),
        ("chat-command", "/imagine a cat", "/imagine"),
        ("image-address", "https://s.mj.run/abc a cat", "https://s.mj.run/abc"),
        ("image-address", "a cat https://x.org/c.png --iw 2", "https://x.org/c.png"),
        ("image-address", "https://s.mj.run/abc", "https://s.mj.run/abc"),
        ("region", "a cat AND_PERP a dog", "AND_PERP"),
        ("region", "cat AND_SALT dog", "AND_SALT"),
        ("region", "a COUPLE(0 0.5) b", "COUPLE(0 0.5)"),
        ("html", "cat &lt;lora:foo:1&gt;", "&lt;lora:foo:1&gt;"),
        ("html", "cat &amp; dog", "&amp;"),
        ("html", "&quot;cat&quot;", "&quot;"),
        ("html", "<b>cat</b>", "<b>"),
        ("html", "a<br/>b", "<br/>"),
        ("html", "a%20red%20cat", "%20"),
        ("special-token", "<|endoftext|> a cat", "<|endoftext|>"),
        ("special-token", "a cat </s>", "</s>"),
        ("special-token", "[CLS] a cat", "[CLS]"),
        ("command-option", "a cat --steps 5 --width 512", "--steps 5"),
        ("command-option", '--prompt "a cat" --negative_prompt "dog"', '--prompt "a cat"'),
        ("command-option", "--prompt “a cat”", "--prompt “a cat”"),
        ("command-option", "a cat --cfg_scale 7", "--cfg_scale 7"),
        ("command-option", "a cat -s 50 -W 512 -H 512", "-s 50 -W 512 -H 512"),
    ]
    assert not failures_of(check, cases)


def test_variables_of_templates():
    cases = ["${style}", "$$style$$", "%style%", "%%style%%", "@style@", "%(style)s", "$(style)"]
    cases += [
        "{$style}",
        "{% if x %}",
        "$$风格$$",
        "%风格%",
        "@风格@",
        "＄＄style＄＄",
        "％style％",
    ]
    assert not failures_of(lambda text: check(("variable", f"a {text} cat", text)), cases)
    # what A1111 takes out as a comment is none there
    check(("variable", "#{style} cat", "#{style}"))


def test_networks_without_brackets():
    cases = [
        "lora:foo:0.8",
        "lyco:foo_v2:1",
        "LoRA:foo-bar:-0.5",
        "hypernet:x:1.0",
        "lora：foo：0.8",
    ]
    cases += ["<lora:foo:0.8", "lora:foo.safetensors:0.7"]
    assert not failures_of(lambda text: check(("extra-network", f"猫, {text}, cat", text)), cases)


def test_and_behind_a_number():
    def check_and(case):
        prompt, word = case
        check(("other-dialect", prompt, word), EXCEPT_PLAIN - {"a1111"})
        check(("other-dialect", prompt, word), {"a1111"})

    cases = [
        ("a :1.2AND b", "AND"),
        ("a cat:0.8AND a dog :0.4", "AND"),
        ("猫:1.2AND狗", "AND"),
        ("red cat: 2AND, dog", "AND"),
        ("a cat :.5AND\na dog", "AND"),
    ]
    assert not failures_of(check_and, cases)
    for prompt in ("a :1.2 AND b", "a cat :0.8 AND a dog :0.4"):
        assert with_lookalikes(parse(prompt)).issues == ()
        check(("other-dialect", prompt, "AND"), EXCEPT_PLAIN - {"a1111"})
    (issue,) = with_lookalikes(parse("a:1.2BREAK b")).issues
    assert issue.words == ("BREAK",)
    found = with_lookalikes(parse("猫：1.2 AND 狗：0.4"), fullwidth=None).issues
    assert [i.words for i in found] == [("：1.2",), ("：0.4",)]
    assert (
        with_lookalikes(parse("猫：1.2 AND 狗：0.4", fullwidth=True), fullwidth=True).issues == ()
    )


def test_editing_in_full_width_brackets():
    for prompt in (
        "【猫：狗】",
        "［猫：狗］",
        "【红衣：蓝衣】",
        "［ねこ：いぬ］",
        "【고양이：개】",
    ):
        (issue,) = with_lookalikes(parse(prompt, fullwidth=True), fullwidth=True).issues
        assert (issue.code, issue.words) == ("no-editing", (prompt,))
        (issue,) = with_lookalikes(parse(prompt), fullwidth=None).issues
        assert "full-width" in issue.message
        assert with_lookalikes(parse(prompt), fullwidth=False).issues == ()


def test_an_entity_is_shown_as_the_sign_that_it_is():
    (issue,) = with_lookalikes(parse("cat &amp; dog")).issues
    assert issue.remedy == "Write '&'."


def test_a_chain_is_shown_from_its_start():
    cases = [
        ("midjourney-weight", "a::a::", "a::a::"),
        ("midjourney-weight", "red::blue::2 cat", "red::blue::2"),
        ("midjourney-weight", "x " + "a::" * 50, "a::" * 50),
    ]

    def check_known(case):
        check(case, EXCEPT_PLAIN - {"novelai"})

    assert not failures_of(check_known, cases)


def test_editing_without_a_usable_number():
    def check_edit(case):
        prompt, position = case
        check(("no-editing", prompt, prompt[position:]))

    cases = [
        ("[cat:dog]", 0),
        ("a [red cat:blue dog]", 2),
        ("[cat:dog:50%]", 0),
        ("[cat:dog:fox]", 0),
        ("[from:to:when]", 0),
        ("[cat:dog:1/2]", 0),
        ("[a red cat:a dog:half]", 0),
        ("[cat:dog:10 steps]", 0),
        ("[cat:dog:0.5:0.8]", 0),
        ("[cat::dog]", 0),
        ("[cat∶dog]", 0),
        ("[cat;dog;0.5]", 0),
        ("[cat->dog->0.5]", 0),
        ("[cat|dog:0.5]", 0),
        ("【猫：狗：一半】", 0),
        ("【猫：狗：50%】", 0),
        ("[猫:狗]", 0),
    ]
    assert not failures_of(check_edit, cases)
    for odd in ("[cat:dog:0.5\u200b]", "[cat∶dog∶0.5]", "[cat:dog:\ufeff0.5]", "[cat:dog:0٫5]"):
        assert [i.code for i in with_lookalikes(parse(odd)).issues] == ["no-editing"], odd
    assert with_lookalikes(parse("[cat:dog:0.5] [(a:1.1):b: 3 ]")).issues == ()
    (issue,) = with_lookalikes(parse("[cat:dog]")).issues
    assert issue.remedy.startswith("Write [cat:dog:0.5] in dialect 'a1111': ")


def test_a_smiley_is_no_bracket():
    def check_smiley(prompt):
        for fullwidth in (None, True):
            parsed = parse(prompt, fullwidth=bool(fullwidth))
            assert with_lookalikes(parsed, fullwidth=fullwidth).issues == ()

    cases = [":) a happy cat", "cat :-)", "cat ;)", "她笑了：）", "cat =)"]
    assert not failures_of(check_smiley, cases)
    assert len(with_lookalikes(parse(">:( angry cat")).issues) == 1
    assert len(with_lookalikes(parse("cat)")).issues) == 1
