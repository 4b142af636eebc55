"""What nobody should type, and somebody will: each a defined result or one clear message."""

import resource
import time
from contextlib import nullcontext

import pytest
from PIL import Image

from clipcond import Conditioner, attach
from clipcond.errors import ClipcondError, PromptError, PromptWarning, WeightingError
from tests.parity.models import tower_l
from tests.pipelines.models import WIDTH, latents, tiny_sd

LENGTH = 77


@pytest.fixture(scope="module")
def conditioner():
    return Conditioner(tower_l(), clip_skip=2)


@pytest.mark.parametrize("prompt", ["", " ", " \t\n ", "()", "[]", "(())", "BREAK", "BREAK BREAK "])
def test_prompts_that_say_nothing(conditioner, prompt):
    embeds = conditioner(prompt).embeds

    n_chunks = 2 if prompt == "BREAK BREAK " else 1
    assert embeds.shape == (1, n_chunks * LENGTH, WIDTH)
    assert embeds[:, :LENGTH].equal(conditioner("").embeds)


@pytest.mark.parametrize(
    ("prompt", "n_warnings"), [("((a [b", 3), ("a)) ]", 3), ("(a:1.3", 1), ("[" * 1000 + "a", 6)]
)
def test_unbalanced_brackets_are_read_with_a_few_warnings(conditioner, prompt, n_warnings):
    with pytest.warns(PromptWarning) as caught:
        embeds = conditioner(prompt).embeds

    assert len(caught) == n_warnings
    assert embeds.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "prompt", ["cat " * 250_000, "x" * 1_000_000, "," * 1_000_000, "🐱" * 250_000]
)
def test_a_megabyte_is_read_in_bounded_time_and_memory(conditioner, prompt):
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_rows = conditioner(prompt).embeds.shape[1]
    seconds = time.monotonic() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024

    assert n_rows % LENGTH == 0
    assert seconds < 60  # 5 s on a free core
    assert grown < 2e9


@pytest.mark.parametrize("prompt", ["(" * 10_000 + "cat" + ")" * 10_000, "(" * 10_000 + "cat"])
def test_ten_thousand_round_brackets_outgrow_every_number(conditioner, prompt):
    with pytest.warns(PromptWarning), pytest.raises(WeightingError, match="NaN or infinite values"):
        conditioner(prompt)


def test_ten_thousand_square_brackets_weaken_to_nothing(conditioner):
    prompt = "[" * 10_000 + "cat" + "]" * 10_000
    (chunk,) = conditioner.chunks(prompt)

    assert 0 <= chunk.weights[1] < 1e-300
    assert conditioner(prompt).embeds.isfinite().all()


@pytest.mark.parametrize("prompt", ["(a:1e400)", "(a:nan)", "(a:inf)", "(a:--1)", "(a:0x10)"])
def test_what_a1111_reads_as_text(conditioner, prompt):
    chunk = conditioner.chunks(prompt)[0]

    assert set(chunk.weights) == {1.0, 1.1}
    is_slip = prompt in ("(a:1e400)", "(a:--1)")
    with pytest.warns(PromptWarning, match="is no weight") if is_slip else nullcontext():
        assert conditioner(prompt).embeds.isfinite().all()


@pytest.mark.parametrize("weight", ["0", "-5", "99999999999", "1" + "0" * 30])
def test_weights_far_from_one(conditioner, weight):
    with nullcontext() if weight == "0" else pytest.warns(PromptWarning, match="weight"):
        assert conditioner(f"a (red:{weight}) cat").embeds.isfinite().all()


@pytest.mark.parametrize("weight", ["9" * 39, "1" + "0" * 50])
def test_weights_that_no_float32_can_hold(conditioner, weight):
    with (
        pytest.raises(WeightingError, match="leads to NaN or infinite values in float32"),
        pytest.warns(PromptWarning, match="weight"),
    ):
        conditioner(f"a (red:{weight}) cat")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("(a:1.2.3)", "'1.2.3' is not a number"),
        (f"(a:1{'0' * 400})", "the weight 10000000000000000... is not finite"),
        ("a \udcff b", "half a character (a lone surrogate, '\\udcff') cannot be read"),
    ],
)
def test_prompts_that_cannot_be_read(conditioner, prompt, message):
    with pytest.raises(PromptError) as caught:
        conditioner(prompt)

    assert str(caught.value).splitlines()[0] == message
    assert str(caught.value).splitlines()[2].strip() == "^"


def test_chinese_under_an_english_tower_says_how_much_it_reads(conditioner):
    with pytest.warns(PromptWarning, match="reads 0 of the 10 characters"):
        embeds = conditioner("一只可爱的猫在草地上").embeds

    assert embeds.isfinite().all()


@pytest.mark.parametrize(
    "prompt", ["🐱🐶 a cat 👨‍👩‍👧", "a\0b", "\u202e cat", "é e\u0301", "\ufeffa"]
)
def test_odd_characters(conditioner, prompt):
    assert conditioner(prompt).embeds.shape == (1, LENGTH, WIDTH)


def test_a_pipeline_says_that_a_long_prompt_takes_long():
    pipe = attach(tiny_sd())
    with pytest.warns(PromptWarning, match="the prompts take 4081 rows of text") as caught:
        latents(pipe, "cat " * (75 * 52 + 1), num_inference_steps=1)

    assert len(caught) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "64"], "'64' is no WIDTHxHEIGHT, such as 512x768"),
        (["--size", "0x64"], "'0x64' is no WIDTHxHEIGHT"),
        (["--size", "-8x8"], "'-8x8' is no WIDTHxHEIGHT"),
        (["--size", "20x16"], "sides are multiples of 8 for this model, such as 16x16"),
        (["--size", "4096x16"], "this model was made for 16x16; at most 128x128"),
        (["--steps", "0"], "'--steps'"),
        (["--steps", "-3"], "'--steps'"),
        (["--steps", "many"], "'--steps'"),
        (["--steps", "1000"], "--steps 1000: this model has 999 steps at most"),
        (["--seed", "-2"], "'--seed'"),
        (["--seed", str(2**64)], "'--seed'"),
        (["--seed", str(2**64 - 1), "--count", "2"], "--seed plus --count goes beyond"),
        (["--count", "0"], "'--count'"),
        (["--guidance", "nan"], "a number from 0 to 100 is needed, not nan"),
        (["--guidance", "-1"], "a number from 0 to 100 is needed, not -1.0"),
        (["--guidance", "1e9"], "a number from 0 to 100 is needed"),
        (["--clip-skip", "0"], "'--clip-skip'"),
        (["--dialect", "a111"], "no dialect 'a111'. Did you mean 'a1111'?"),
        (["--frobnicate"], "No such option: --frobnicate"),
        (["-o", "out.gif"], "'out.gif': pictures are written as .png, .jpg or .webp"),
        (["-n", "(a:1.2.3)"], "'1.2.3' is not a number"),
    ],
)
def test_wrong_use(generate, tmp_path, options, message):
    outcome = generate("a cat", *options)

    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("clipcond: ")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clip-skip", "9"], "--clip-skip 9 names no layer"),
        (["--tower", "no/such/tower"], "no file or folder 'no/such/tower'"),
        (["-o", "none/out.png"], "'none/out.png' cannot be written: No such file or directory"),
        (["-o", "x" * 300 + ".png"], "cannot be written: File name too long"),
        (["-o", "/proc/out.png"], "'/proc/out.png' cannot be written: "),
    ],
)
def test_failures(generate, tmp_path, options, message):
    outcome = generate("a cat", *options)

    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("clipcond: ")
    assert message in outcome.err
    assert "step" not in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_picture(generate, tmp_path):
    (tmp_path / "out.png").mkdir()

    assert generate("a cat")[:2] == (1, "")
    assert list((tmp_path / "out.png").iterdir()) == []


@pytest.mark.parametrize(
    ("prompt", "code", "message"),
    [
        ("(a:1.2.3)", 2, "clipcond: '1.2.3' is not a number\n  (a:1.2.3)\n     ^\n"),
        ("a \udcff", 2, "not valid UTF-8 at character 2"),
        ("(a:" + "9" * 39 + ")", 1, "leads to NaN or infinite values in float32"),
    ],
)
def test_prompts_that_fail(generate, inspect, tmp_path, prompt, code, message):
    outcome = generate(prompt)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prompt", ["", "   ", "((a [b", "🐱 一只猫", "a\0b", "[" * 10_000 + "cat"])
def test_prompts_that_make_a_picture_all_the_same(generate, prompt):
    outcome = generate(prompt, steps=1)

    assert outcome[:2] == (0, "out.png\n")
    assert all(
        line.startswith(("clipcond: warning: ", "step ")) for line in outcome.err.splitlines()
    )
    with Image.open("out.png") as image:
        assert image.text["parameters"].startswith(prompt)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["cat " * 250_000, "(" * 10_000 + "cat" + ")" * 10_000])
def test_prompts_of_absurd_size_are_inspected(inspect, prompt):
    assert inspect(prompt).code == 0


def test_errors_of_the_library_are_one_kind():
    for error in (PromptError, WeightingError):
        assert issubclass(error, ClipcondError)
        assert issubclass(error, ValueError)
