"""What A1111's page takes out of a prompt, and where the rest of it comes from."""

from hypothesis import given
from hypothesis import strategies as st

from clipcond.prompt import compose, parse, schedule
from clipcond.prompt.reduction import reduce, timeline
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.text_layers import network_issues, take_out
from tests.failures import failures_of

PIECES = ["<lora:a:0.8>", "<", ">", ":", "# x", "\n", "cat", " (dog:1.2)", "猫 ", "<b:>", "[a|b]"]
prompts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def test_what_is_left():
    def check(case):
        prompt, text = case
        assert take_out(prompt)[0].text == text

    cases = [
        ("a cat<lora:add_detail:0.8>, dog", "a cat, dog"),
        ("cat<lyco:x:1>s", "cats"),
        ("<hypernet:z:1>a", "a"),
        ("a <wildcard:animal> b", "a  b"),
        ("<lora:a:1><lora:b:te=0.5:unet=1>", ""),
        ("(a <lora:x:1> cat:1.3)", "(a  cat:1.3)"),
        ("<LoRA:x:1> <lora:a b (c):1>", " "),
        ("a cat, # not a dog\nred hat", "a cat, \nred hat"),
        ("# only", ""),
        ("a\n# b\n# c\nd", "a\n\n\nd"),
        ("a # <lora:x:1>\nb", "a \nb"),
        ("a <lora:x:1 # b>\nc", "a <lora:x:1 \nc"),
        ("a #ff0000 b", "a "),
        ("a < b, c > d, <token>, x<y:", "a < b, c > d, <token>, x<y:"),
        ("<lora>, <lora:>", "<lora>, <lora:>"),
        ("", ""),
    ]  # fmt: skip
    assert not failures_of(check, cases)


def test_networks_come_with_their_parts():
    prompt = "a <lora:add_detail:0.8:0.5> b # x\n<lyco:y>"
    first, second = take_out(prompt)[1]

    assert (first.kind, first.name, first.arguments) == ("lora", "add_detail", ("0.8", "0.5"))
    assert (first.weight, second.weight) == (0.8, 1.0)
    assert prompt[first.start : first.stop] == "<lora:add_detail:0.8:0.5>"
    assert prompt[second.start : second.stop] == "<lyco:y>"
    (weird,) = take_out("<lora:x:nan>")[1]
    assert weird.weight == 1.0


def test_issues_say_how_to_load():
    prompt = "a <lora:add detail:0.8> <hypernet:h:1> <wildcard:w>"
    lora, hypernet, wildcard = network_issues(prompt, take_out(prompt)[1])

    assert lora.message == "'<lora:add detail:0.8>' is left out of the text, and nothing loads it"
    assert lora.remedy == (
        "Load it: pipe.load_lora_weights('add detail.safetensors', adapter_name='add_detail'), "
        "then pipe.set_adapters('add_detail', 0.8)."
    )
    assert (lora.position, lora.code, lora.words) == (
        2,
        "extra-network",
        ("<lora:add detail:0.8>",),
    )
    assert "hypernetworks" in hypernet.remedy
    assert "extra_networks=False" in wildcard.remedy
    (negative, *_) = network_issues(prompt, take_out(prompt)[1], negative=True)
    assert negative.message.endswith("it is in a negative prompt")


def test_words_that_become_one_are_named():
    def check(case):
        prompt, word, position = case
        (issue,) = [i for i in take_out(prompt)[2] if i.code == "glued"]
        assert issue.message == f"{word!r} is one word: no space is between"
        assert issue.position == position
        assert prompt[position:].startswith(issue.words[0])
        assert word in take_out(prompt)[0].text

    cases = [
        ("red<lora:x:1>cat", "redcat", 0),
        ("a red<lora:x:1><lora:y:1>cat", "redcat", 2),
        ("# note\na red<hypernet:x:1>cat", "redcat", 9),
        ("cat<lyco:x>2 dogs", "cat2", 0),
        ("a été<lora:x:1>bleu", "étébleu", 2),
        ("1girl<lora:x:1>AND 1boy", "1girlAND", 0),
    ]
    assert not failures_of(check, cases)
    silent = [
        "red<lora:x:1> cat",
        "red <lora:x:1>cat",
        "red,<lora:x:1>cat",
        "红<lora:x:1>猫",
        "a<b:c>",
    ]
    silent += ["<lora:x:1>cat", "(red:1.2)<lora:x:1>cat", "red\n<lora:x:1>cat", "a#b\nc"]
    assert [p for p in silent if any(i.code == "glued" for i in take_out(p)[2])] == []


def test_a_weight_behind_a_network_is_text():
    def check(case):
        prompt, shown, written = case
        remainder, _, (issue,) = take_out(prompt)
        assert issue.words == (shown,)
        assert shown in remainder.text
        assert prompt[issue.position :].startswith(shown)
        assert issue.remedy == f"Write {written}."
        assert (
            take_out(
                prompt.replace(prompt[prompt.index("<") : prompt.index(shown)], "").replace(
                    shown, written
                )
            )[2]
            == ()
        )

    cases = [
        ("<lora:foo>:0.8, cat", ":0.8", "<lora:foo:0.8>"),
        ("<lora:foo:0.8>:1.2", ":1.2", "<lora:foo:1.2>"),
        ("<lora:foo:0.7>0.5", "0.5", "<lora:foo:0.5>"),
        ("a <lyco:a b>*1.1 cat", "*1.1", "<lyco:a b:1.1>"),
        ("a, <hypernet:h> : 1, b", ": 1", "<hypernet:h:1>"),
        ("<lora:foo:0.6> .5\ncat", ".5", "<lora:foo:.5>"),
        ("(<lora:foo:1>:1.2)", ":1.2", "<lora:foo:1.2>"),
    ]
    assert not failures_of(check, cases)
    silent = ["<lora:a:1> 2 dogs", "(a <lora:a:1>:1.2)", "<lora:a:1> :0.5 AND b", "<lora:a:1>, 0.5"]
    assert [p for p in silent if take_out(p)[2]] == []


def test_many_are_few_issues():
    prompt = "<lora:x:1># a\n" * 1000

    _, networks, issues = take_out(prompt)
    assert (len(networks), len(issues)) == (1000, 100)
    assert len(list(network_issues(prompt, networks))) == 100


@given(prompts)
def test_places_are_those_in_the_prompt(prompt):
    remainder = take_out(prompt)[0]

    for position in range(len(remainder.text)):
        assert prompt[remainder.at(position)] == remainder.text[position]
        assert remainder.end(position + 1) == remainder.at(position) + 1
    assert remainder.at(len(remainder.text)) == len(prompt)
    assert take_out(remainder.text)[0].text == remainder.text or "<" in remainder.text


@given(prompts)
def test_a_parsed_prompt_is_restored(prompt):
    remainder = take_out(prompt)[0]
    parsed = parse(remainder.text)
    restored = remainder.restore(parsed)

    assert restored.source == prompt
    texts = [segment.text for segment in parsed.segments]
    assert [segment.text for segment in restored.segments] == texts
    for segment in restored.segments:
        assert take_out(prompt[segment.start : segment.stop])[0].text.startswith(segment.text[:1])
    for before, after in zip(parsed.issues, restored.issues, strict=True):
        assert remainder.at(before.position) == after.position


def test_a_swap_of_compel_is_restored_whole():
    prompt = "ab cat.swap(dog)"
    parsed = Remainder.whole(prompt).only([(3, len(prompt))])
    restored = parsed.restore(parse(parsed.text, "compel"))

    (swap,) = restored.extras
    assert prompt[swap.replacement[0].start : swap.replacement[0].stop] == "dog"


@given(prompts, st.integers(1, 9))
def test_the_reduced_text_keeps_its_places(prompt, steps):
    remainder, _ = reduce(prompt, steps)

    (part, _), *_ = compose(prompt)
    if "AND" not in prompt:
        part = prompt
    assert remainder.text == schedule(part, steps)[-1][1]
    assert all(
        prompt[remainder.at(position)] == sign for position, sign in enumerate(remainder.text)
    )


def test_capitals_are_a_caption():
    def check(case):
        prompt, text = case
        reduced, issues = reduce(prompt)

        assert reduced.text == text
        (issue,) = issues
        assert prompt[issue.position :].startswith("AND")
        assert "Write 'and' in small letters for the word" in issue.remedy

    cases = [
        ("BLACK AND WHITE CAT", "BLACK AND WHITE CAT"),
        ("A CAT AND A DOG, 4K", "A CAT AND A DOG, 4K"),
        ("ROCK AND ROLL AND BLUES", "ROCK AND ROLL AND BLUES"),
        ("KATZE AND HÜND", "KATZE AND HÜND"),
        ("BLACK AND WHITE cat", "BLACK"),
        ("a CAT AND A DOG", "a CAT"),
        ("CAT :0.5 AND DOG", "CAT"),
        ("猫 AND 狗", "猫"),
        ("一只猫 AND 一个UFO", "一只猫"),
        ("猫 AND 狗, 4K", "猫"),
        ("고양이 AND 개, 8K HDR", "고양이"),
        ("猫 AND 犬, SF", "猫"),
        ("猫 AND 狗 BREAK 鸟", "猫"),
        (" AND ", ""),
    ]
    assert not failures_of(check, cases)


def test_the_warning_shows_what_is_lost():
    (issue,) = reduce("BLACK AND WHITE cat")[1]

    assert issue.message == (
        "AND makes 2 conditions; only the first is encoded: 'BLACK'; not encoded: 'AND WHITE cat'"
    )
    assert issue.words == ("AND WHITE cat",)


def test_timelines():
    assert timeline("a [b:c:0.5] AND d :2", 4) == (
        (2, (("a b", 1.0), (" d", 2.0))),
        (4, (("a c", 1.0), (" d", 2.0))),
    )
    assert timeline("a AND b", 4, negative=True) == ((4, (("a AND b", 1.0),)),)
    assert timeline("A AND B", 4) == ((4, (("A AND B", 1.0),)),)
    assert timeline("photo 16:9", 4) == ((4, (("photo 16:9", 1.0),)),)


def test_several_loras_are_set_at_once():
    class Pipe:
        def __init__(self):
            self.loaded, self.active = {}, []

        def load_lora_weights(self, file, adapter_name):
            assert adapter_name not in self.loaded
            self.loaded[adapter_name] = file

        def set_adapters(self, names, weights):
            both = (names, weights)
            names, weights = (each if isinstance(each, list) else [each] for each in both)
            assert {*names} <= {*self.loaded}
            self.active.append(dict(zip(names, weights, strict=True)))

    def check(case):
        prompt, wanted = case
        pipe = Pipe()
        for issue in network_issues(prompt, take_out(prompt)[1]):
            said = issue.remedy.removeprefix("Load it: ").removesuffix(".")
            load, _, activate = said.split("; its")[0].partition(", then ")
            exec(load, {"pipe": pipe})
            exec(activate, {"pipe": pipe})
        (active,) = pipe.active
        assert {pipe.loaded[name]: weight for name, weight in active.items()} == wanted

    cases = [
        ("<lora:a:0.8> <lora:b:0.5>", {"a.safetensors": 0.8, "b.safetensors": 0.5}),
        ("<lora:foo.safetensors:0.7>", {"foo.safetensors": 0.7}),
        ("<lyco:foo.PT:0.7>", {"foo.safetensors": 0.7}),
        ("<lora:maler:0,8>", {"maler.safetensors": 0.8}),
        (
            "<lora:foo:te=0.5:unet=0.7>, <lora:x y:.4>",
            {"foo.safetensors": {"text_encoder": 0.5, "unet": 0.7}, "x y.safetensors": 0.4},
        ),
        ("<lora:f:0.5:1>", {"f.safetensors": {"text_encoder": 0.5, "unet": 1.0}}),
        ("<lora:a b:1><lora:a_b:2>", {"a b.safetensors": 1.0, "a_b.safetensors": 2.0}),
        ("<lora:p/q:0.6> <lora:r> x", {"p/q.safetensors": 0.6, "r.safetensors": 1.0}),
        ("<lora:a:1><lora:b:2><lora:c:3>", {f"{n}.safetensors": "_abc".index(n) for n in "abc"}),
    ]  # fmt: skip
    assert not failures_of(check, cases)
    first, _, last = (n.weights for n in take_out("<lora:a:te=2><lora:b><lora:c:unet=0,5>")[1])
    assert (first, last) == ((2.0, 2.0), (1.0, 0.5))
