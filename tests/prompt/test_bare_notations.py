"""Notations that lost their brackets or signs are warned of; ordinary text is not."""

from clipcond.prompt import Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN, weight_in
from clipcond.prompt.text_layers import network_issues, take_out
from tests.failures import failures_of


def issues(prompt: str, syntax: str) -> tuple[Issue, ...]:
    """All issues but that compel reads a sign of ordinary text as a weight, which it does."""
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return tuple(issue for issue in found if issue.code != "doubtful-weight")


def silent(prompts, syntaxes=EXCEPT_PLAIN):
    def check(prompt):
        for syntax in sorted(syntaxes):
            assert issues(prompt, syntax) == (), syntax

    return failures_of(check, prompts)


def test_one_sign_of_compel_behind_a_word():
    def check(case):
        prompt, words, number = case
        for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
            (issue,) = issues(prompt, syntax)
            assert issue.message == (
                f"{issue.words[0]!r} is a weight in dialect 'compel', but not here"
            )
            assert prompt[issue.position :].startswith(issue.words[0]), syntax
            assert weight_in(syntax, words, number) in issue.remedy, syntax

    cases = [
        ("sky+", "sky", "+"),
        ("a cat+ on a mat", "cat", "+"),
        ("blue sky+, a cat", "sky", "+"),
        ("a photo of a dog+.", "dog", "+"),
        ("dark-haired+ girl", "dark-haired", "+"),
        ("blue_eyes+, solo", "blue_eyes", "+"),
        ("ein schöner himmel+, berge", "himmel", "+"),
        ("sky-", "sky", "-"),
        ("a cat, blue sky-, tree", "sky", "-"),
        ("a cat, hat-", "hat", "-"),
        ("(blue sky)+", "blue sky", "+"),
        ("(blue sky)-", "blue sky", "-"),
        ('a "red hat"+ b', "red hat", "+"),
    ]
    assert not failures_of(check, cases)
    assert issues("sky+, a cat-, (blue sky)+", "compel") == ()


def test_ordinary_signs_behind_a_word():
    prompts = [
        *("C+", "A+ grade", "18+", "B+ movie", "an AB+ blood bag", "Disney+ logo", "google+ icon"),
        *("LGBTQ+ parade", "a lgbtq+ flag", "15 years+", "press ctrl+ c", "iphone pro+", "50mm+"),
        *("well-", "low- and mid-range", "mid- and late-1990s", "low-, mid- and high-res", "hdr+"),
        *("blue-, green-eyed girls", "red- or black-haired", "pre- and post-war", "I want to-"),
        *("Haupt- und Nebenstraße", "well-, a cat", "semi-, a cat", "but-, no", "x-", "1990-, car"),
        *("red+green", "a + b", "a - b", "dog -cat", "+1", "up-to-date"),
    ]
    assert not silent(prompts)


def test_a_weight_behind_a_space():
    def check(case):
        prompt, words = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            assert issue.remedy.startswith(f"Write {weight_in(syntax, words, '2')}"), syntax

    cases = [("(cat 2)", "cat"), ("a dog, (hat 2), tree", "hat"), ("tree, (moon 2)", "moon")]
    assert not failures_of(check, cases)
    assert not silent(["(portal 2)", "tracer (overwatch 2)", "(toy story 2)", "(part 2), x"])
    assert not silent(["a poster (cat 2)", "(2 cats)", "(season 2)", "(cat 3)", "(chapter 2), x"])


def test_a_network_without_its_brackets():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN):
            found = [i for i in issues(prompt, syntax) if i.code == "extra-network"]
            assert len(found) == 1, syntax
            assert "load_lora_weights" in found[0].remedy

    cases = [
        *("lora foo 0.7", "a cat, lora foo 0.7", "lora:foo:0.7", "LoRA foo_v2 .8, cat"),
        *("lora=foo:0.7", "lora: foo: 0.7", "lora foo:0.7, cat", "lora(foo, 0.7)", "a, lora:foo"),
        *("lyco foo 0.5", "hypernet anime 0.6", "Lora foo@0.7", "lora:detail_tweaker a cat"),
    ]
    assert not failures_of(check, cases)
    prompts = ["LoRA training", "lora rank 0.5", "a lora font", "Lora: a girl", "lora, a girl"]
    prompts += ["a girl called Lora 20 years", "lora weight 0.5", "flora foo 0.7", "LORA 0.7"]
    assert not silent(prompts)


def test_the_label_of_a_negative():
    def check(prompt):
        for syntax in sorted({*EXCEPT_PLAIN, "plain"}):
            (issue,) = issues(prompt, syntax)
            assert "negative prompt apart" in issue.remedy, syntax

    cases = [
        *("neg: blurry", "negative: blurry", "Negative: blurry, film grain", "NEG = blurry"),
        *("-neg blurry", "a cat -neg blurry, bad", "-negative: blurry", "uc: blurry, bad hands"),
        *("avoid: text, watermark", "a cat, exclude: text", "a cat. Avoid: text"),
        *("负面：模糊", "négatif: flou", "undesired content: text", "a cat\nundesired: text"),
    ]
    assert not failures_of(check, cases)
    prompts = ["negative: a photographic film", "negative: a film", "negative space", "a negative"]
    prompts += ["neg", "-negativity", "avoid the light", "uc berkeley", "a sign, avoid obstacles"]
    assert not silent(prompts, {*EXCEPT_PLAIN, "plain"})


def test_break_and_and_without_spaces():
    def check(case):
        prompt, word, position = case
        for syntax in sorted(EXCEPT_PLAIN - {"a1111"}):
            found = [i for i in issues(prompt, syntax) if i.position == position]
            assert found, syntax
            assert "dialect 'a1111'" in found[0].remedy, syntax
            assert word in found[0].message, syntax

    cases = [
        ("catBREAKdog", "BREAK", 3),
        ("cat,BREAK,dog", "BREAK", 4),
        ("cat, BREAKdog", "BREAK", 5),
        ("cat,ANDdog", "AND", 4),
        ("a cat,AND,a dog", "AND", 6),
        ("a cat.AND a dog", "AND", 6),
        ("a cat AND, a dog", "AND", 6),
        ("catAND dog", "AND", 3),
    ]
    assert not failures_of(check, cases)
    prompts = ["BREAKFAST", "breakdance", "ANDROID", "ANDy", "sandBOX", "a BRAND new", "AND, OR"]
    assert not silent(["BREAKfast", "a grand piano", *prompts])


def test_break_and_and_between_a_word_and_chinese():
    def check(case):
        prompt, word, position = case
        for fullwidth in (True, False, None):
            parsed = parse(prompt, "a1111", fullwidth=bool(fullwidth))
            (issue,) = with_lookalikes(parsed, fullwidth=fullwidth).issues
            assert (issue.position, issue.remedy) == (position, "Write spaces around it.")
            assert issue.message == f"'{word}' is a part of a word here"

    cases = [
        ("一只dogBREAK猫", "BREAK", 5),
        ("dogBREAK猫", "BREAK", 3),
        ("一只dogAND猫", "AND", 5),
        ("a red catAND狗", "AND", 9),
        ("一只BREAKdog", "BREAK", 2),
        ("猫ANDdog", "AND", 1),
    ]
    assert not failures_of(check, cases)


def test_templates_and_file_names():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            assert (issue.code, issue.remedy) == ("variable", "Write its value."), syntax

    cases = [
        *("a {prompt} b", "{{prompt}}", "{ user_prompt }, cat", "{negative_prompt}", "{Prompt}"),
        *("%KSampler.seed%", "cat %KSampler.seed% dog", "%Empty Latent Image.width%"),
        *("%date:yyyy-MM-dd%", "%CheckpointLoaderSimple.ckpt_name%", "%date:hhmmss%, cat"),
    ]
    assert not failures_of(check, cases)
    assert not silent(["100%.", "50% cotton, 50% wool", "5% up. 10% down", "a prompt", "100% cat."])


def test_weights_of_and_in_editing():
    def check(case):
        prompt, mended = case
        for syntax in sorted(EXCEPT_PLAIN - {"a1111"} if "]:" in prompt else EXCEPT_PLAIN):
            remedies = [i.remedy for i in issues(prompt, syntax)]
            assert f"Write {mended} in dialect 'a1111'." in remedies, (syntax, remedies)

    cases = [
        ("[cat:dog:0.5]:1.2", "([cat:dog:0.5]:1.2)"),
        ("a [cat|dog]:0.8, b", "([cat|dog]:0.8)"),
        ("[cat:5]*1.3", "([cat:5]:1.3)"),
        ("[(red hat):0.8:dog:5]", "[(red hat:0.8):dog:5]"),
        ("[(cat):1.2:dog:0.5]", "[(cat:1.2):dog:0.5]"),
        ("[cat:(dog):1.2:0.5]", "[cat:(dog:1.2):0.5]"),
    ]
    assert not failures_of(check, cases)
    assert not silent(
        ["([cat:dog:0.5]:1.2)", "[[cat|dog]:fox:0.5]", "[cat:(dog:1.2):0.5]"], {"a1111"}
    )


def test_networks_without_a_name_or_a_number():
    def check(case):
        prompt, said, *proposal = case
        networks, found = take_out(prompt)[1:]
        for loaded in (False, True):  # a slip is one, whoever loads the network
            issues = [*network_issues(prompt, networks, loaded=loaded), *found]
            remedies = [i.remedy for i in issues if said in i.message]
            assert remedies == [f"Write {written}" for written in proposal], issues

    cases = [
        ("<lora:foo:0.5@0.2>", "'0.5@0.2' is no number", "<lora:foo:0.5>."),
        ("<lora:foo:0.8x>", "is no number", "<lora:foo:0.8>."),
        ("<lyco:a b:1.0.0>", "is no number", "<lyco:a b:1.0>."),
        ("<lora:foo:80%>", "'80%' is no number", "<lora:foo:0.8>."),
        ("<lora:foo:O.8>", "'O.8' is no number", "<lora:foo:0.8>."),
        ("<lora:foo:l>", "'l' is no number", "<lora:foo:1>."),
        ("<lora:C:\\x\\foo.safetensors:0.8>", "is a path, which has", "<lora:foo:0.8>."),
        ("<lora:D:/loras/foo>", "is a path, which has", "<lora:foo>."),
        ("<lora:foo=0.8>", "needs a colon", "<lora:foo:0.8>."),
        ("<lora:foo 0.8>", "needs a colon", "<lora:foo:0.8>."),
        ("<lora:foo*1>", "needs a colon", "<lora:foo:1>."),
        ("<lora::1>", "has no name", "<lora:NAME:1>, the name of its file."),
        ("<lora: :0.5>", "has no name", "<lora:NAME:1>, the name of its file."),
        ("(<lora:foo:0.8>:1.2)", "has no effect", "<lora:foo:1.2>."),
        ("( <lora:foo> :0.5 )", "has no effect", "<lora:foo:0.5>."),
        ("<lora:foo:abc>", "'abc' is no number", "<lora:foo:1>."),
        ("<lora:foo:nan>", "'nan' is no number", "<lora:foo:1>."),
        ("<lora:foo:-inf>", "'-inf' is no number", "<lora:foo:1>."),
        ("<lora:foo:1_0>", "'1_0' is no number", "<lora:foo:1>."),
        ("<lora:foo:1e400>", "'1e400' is no number", "<lora:foo:1>."),
        ("<lora:foo:0.8:nan>", "'nan' is no number", "<lora:foo:0.8:1>."),
        ("<lora:foo:te=x:unet=0.5>", "'x' is no number", "<lora:foo:te=1:unet=0.5>."),
        ("<lora:foo:1e3>", "the weight '1e3' is hardly meant", "<lora:foo:1>."),
        ("<lora:foo:-80,0e1>", "'-80,0e1' is hardly meant", "<lora:foo:1>."),
        ("<lora:foo:120>", "the weight '120' is hardly meant", "<lora:foo:1.2>."),
        *((f"<lora:foo:{n}>", "no number") for n in ("0.8", "0.5:0.7", "1:lbw=ALL", "te=1", "0,8")),
        *((f"<lora:foo:{n}>", "no number") for n in ("1:MIDD", "1e-1", "0.8375", "TE = .5", " 1 ")),
        *((f"<lora:{n}:1>", "colon") for n in ("a=b", "style 2.5d", "v1-5", "x 12")),
        ("(cat <lora:foo:0.8>:1.2)", "no effect"),
    ]
    assert not failures_of(check, cases)
