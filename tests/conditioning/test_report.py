"""What explain() tells, as a dict, a table and a page."""

import json
import warnings

import pytest
import torch

from clipcond import Conditioner
from clipcond.errors import PromptError
from clipcond.towers import OpenAIClipTower
from tests.failures import failures_of
from tests.parity.models import tower_g, tower_l


@pytest.fixture(scope="module")
def report():
    return Conditioner(tower_l(), clip_skip=2).explain("a (red:1.3) cat BREAK x (")


def test_json_is_the_promised_dict(report):
    values = json.loads(json.dumps(report.json()))

    assert list(values) == [
        "prompt", "dialect", "tower", "layer", "segments", "chunks", "issues",
    ]  # fmt: skip
    assert values["prompt"] == "a (red:1.3) cat BREAK x ("
    assert (values["dialect"], values["tower"]) == ("a1111", "L")
    assert values["layer"] == {"depth": 2, "of": 4, "final_norm": True}
    assert values["segments"][:4] == [
        {"text": "a ", "weight": 1.0, "start": 0, "stop": 2},
        {"text": "red", "weight": 1.3, "start": 3, "stop": 6},
        {"text": " cat", "weight": 1.0, "start": 11, "stop": 15},
        {"break": True},
    ]
    assert values["issues"] == [
        {
            "message": "'(' is never closed",
            "position": 24,
            "code": "bracket",
            "remedy": "Close it with ')' or write '\\(' for a literal bracket.",
            "words": [],
            "prompt": "a (red:1.3) cat BREAK x (",
        }
    ]
    first, second = values["chunks"]
    assert first["tokens"][:5] == ["<|startoftext|>", "a", "red", "cat", "<|endoftext|>"]
    assert first["ids"][:5] == [49406, 320, 736, 2368, 49407]
    assert first["weights"][:5] == [1.0, 1.0, 1.3, 1.0, 1.0]
    for chunk in (first, second):
        assert {name: len(row) for name, row in chunk.items()} == {
            "tokens": 77,
            "ids": 77,
            "weights": 77,
        }


def test_it_names_the_layer_and_tower_in_use():
    values = Conditioner(tower_l(), tower_g()).explain("").json()

    assert values["tower"] == "L"
    assert values["layer"] == {"depth": 2, "of": 4, "final_norm": False}
    assert values["segments"] in ([], [{"text": "", "weight": 1.0, "start": 0, "stop": 0}])


def test_issues_of_editing_are_told_too():
    values = Conditioner(tower_l()).explain("a [cat:dog:0.5]").json()

    assert [issue["position"] for issue in values["issues"]] == [2]


def test_the_table_fits_a_terminal(report):
    lines = report.table(width=60).splitlines()

    assert lines[0] == "dialect a1111, tower L, layer 2 from the end of 4, normed"
    assert any("red" in line and "736" in line and "1.3" in line for line in lines)
    assert any("chunk 2: 1 of 75 tokens" in line for line in lines)
    at = next(i for i, line in enumerate(lines) if line.startswith("issue at"))
    assert lines[at].strip() == "issue at 24: '(' is never closed"
    remedy = " ".join(line.strip() for line in lines[at + 1 :])
    assert remedy == report.parsed.issues[0].remedy
    assert max(map(len, lines)) <= 60
    assert str(report) == report.table()


def test_the_table_shows_what_is_drawn_at_which_steps():
    table = Conditioner(tower_l()).explain("a [cat:dog:0.5] AND b :2").table(width=90)
    assert table.splitlines()[1:6] == [
        "each step of a pipeline:",
        "  steps 1 to 11 of 20: 'a cat', weight 1",
        "  steps 1 to 11 of 20: 'b', weight 2",
        "  steps 12 to 20 of 20: 'a dog', weight 1; shown below",
        "  steps 12 to 20 of 20: 'b', weight 2",
    ]
    assert "step" not in Conditioner(tower_l()).explain("a cat").table()


def test_markup_in_a_prompt_stays_text():
    report = Conditioner(tower_l()).explain("[bold]x[/bold] <script>alert(1)</script> &amp;")

    assert "script" in report.table()
    page = report.html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_rich_prints_it(report):
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=60)
    console.print(report)

    assert "chunk 1: 3 of 75 tokens" in console.file.getvalue()


def test_the_table_of_a_very_long_prompt_stays_readable():
    table = Conditioner(tower_l()).explain("cat " * 75 * 60 + ")" * 60).table()

    assert table.count("title") == 0
    assert sum(line.strip().startswith("chunk ") for line in table.splitlines()) == 50
    assert table.splitlines()[-1].rstrip() == "... and 10 more issues"
    assert "... and 11 more chunks" in table


@pytest.mark.parametrize(
    ("dialect", "text", "is_zero"),
    [
        ("diffusers", "", False),
        ("a1111", "", True),
        ("a1111", " ", False),
        ("a1111", "blurry", False),
        ("sd_embed", "", None),
        ("compel", "", None),
        ("comfyui", "", None),
    ],
)
def test_zeros_are_shown_where_they_are_passed(dialect, text, is_zero):
    pair = Conditioner(tower_l(), tower_g(), dialect=dialect)
    passed = not bool(pair.guided("a cat", text).negative.embeds.any())
    report = pair.explain("a cat", text)
    shown = report.json()["negative"]

    assert is_zero in (None, passed)
    assert shown.get("zeros", False) is passed is shown["tower_2"].get("zeros", False)
    assert (shown["chunks"] == []) is passed
    assert report.table(200).count("zeros are passed, nothing is encoded") == 2 * passed
    assert report.html().count("Zeros are passed; nothing is encoded.") == 2 * passed
    assert "zeros" not in report.json()
    assert "zeros" not in Conditioner(tower_l(), dialect=dialect).explain("a", text).table(200)


def test_a_report_has_the_issues_of_a_call():
    """Those of cutting included, and none of the texts of other steps."""
    inversion = tower_l()
    inversion = OpenAIClipTower(inversion.model, inversion.tokenizer.source)
    inversion.inversions.add("long", torch.randn(80, 32))
    cases = [
        ("cat " * 100, {"max_chunks": 1}),
        ("a BREAK b BREAK c", {"max_chunks": 2}),
        ("cat " * 100, {"dialect": "diffusers"}),
        ("a long (cat", {}),
        ("(a cat <lora:x:1> # y", {}),
        ("a cat AND " + "dog " * 100, {"max_chunks": 1}),
        ("a [cat:dog:0.5] b)", {"max_chunks": 1}),
        ('("a", "b").blend(1, 1)', {"dialect": "compel", "max_chunks": 1}),
    ]

    def check(case):
        prompt, choices = case
        own = Conditioner(inversion, **choices)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report, both = own.explain(prompt), own.explain("a cat", prompt)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            called, pair = own(prompt), own.guided("a cat", prompt)

        def listed(values):
            return [(i["position"], i["message"], i["code"]) for i in values["issues"]]

        def of(issues):
            return sorted(((i.position, i.message, i.code) for i in issues), key=lambda i: i[0])

        assert listed(report.json()) == of(called.issues) != []
        assert listed(both.json()) == []
        assert listed(both.json()["negative"]) == of(pair.negative.issues)

    assert not failures_of(check, cases)


def test_segments_of_a_limited_mixture_are_those_that_are_encoded():
    def check(case):
        n, mixed, texts = case
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = Conditioner(tower_l(), dialect="compel", max_chunks=n).explain(mixed)
        segments = report.json()["segments"]
        assert [each.get("text", "|") for each in segments] == texts
        assert len(report.chunks) == texts.count("|") + 1

    cases = [
        (2, '("a", "b", "c").blend(1, 1, 1)', ["a", "|", "b"]),
        (1, '("a", "b c").blend(1, 2)', ["a"]),
        (1, '("a (x)++ y", "b").and(1, 2)', ["a", "x", "y"]),
        (2, '("a", "b (c)1.3").and(1, 2)', ["a", "|", "b", "c"]),
        (2, '("", "b", "c").blend(1, 1, 1)', ["", "|", "b"]),
        (2, '("a", "b", "c").blend(1, 1, 1, no_normalize)', ["a", "|", "b"]),
    ]
    assert not failures_of(check, cases)


def test_a_mean_of_no_weight_is_refused_at_its_place():
    limited = Conditioner(tower_l(), dialect="compel", max_chunks=2)
    cases = ["(1, -1, 1)", "(0, 0, 1)", "(0.3, -0.3, 5)", "(-2, 2, 2, 2)", "(0.00001, -0.00001, 1)"]

    def check(weights):
        members = [f'"p{i}"' for i in range(weights.count(",") + 1)]
        prompt = f"({', '.join(members)}).blend{weights}"
        for call in (limited, limited.check, limited.explain, limited.chunks):
            with pytest.raises(PromptError, match="weights of the first 2 prompts sum to 0") as e:
                call(prompt)
            assert e.value.source == prompt
            assert prompt[e.value.position :].startswith("p2")
            assert "max_chunks" in e.value.remedy

    assert not failures_of(check, cases)
