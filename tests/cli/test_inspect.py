"""clipcond inspect shows what is encoded."""

import json

from clipcond.cli.entry import main
from tests.pipelines.models import tiny_sdxl


def inspected(capsys, *argv: str) -> tuple[int, str, str]:
    code = main(["inspect", *argv])
    return (code, *capsys.readouterr())


def test_tokens_of_the_last_step_alone(capsys):
    code, out, err = inspected(capsys, "[cat:dog:0.5]", "--json", "--compact")

    assert (code, err) == (0, "")
    (chunk,) = json.loads(out)["chunks"]
    assert chunk["tokens"][1:-1] == ["dog"]


def test_what_a_pipeline_draws_is_said(capsys):
    for prompt in ("a [cat:dog:0.5]", "a cat AND a dog", "[cat|dog]"):
        shown = " ".join(inspected(capsys, prompt)[1].split())
        assert "; a pipeline draws all of it" in shown
    assert "draws" not in inspected(capsys, "a cat")[1]


def test_the_negative_too(capsys):
    code, out, _ = inspected(capsys, "a cat", "-n", "a dog", "--json")

    assert code == 0
    assert json.loads(out)["negative"]["chunks"][0]["tokens"][1:3] == ["a", "dog"]
    assert "negative:" in inspected(capsys, "a cat", "-n", "a dog")[1]


def test_networks_can_stay(capsys):
    prompt = "a cat <lora:x:1>"
    (taken, kept) = (
        json.loads(inspected(capsys, prompt, "--json", "--compact", *more)[1])["chunks"][0]
        for more in ((), ("--no-extra-networks",))
    )

    assert taken["tokens"][1:-1] == ["a", "cat"]
    assert len(kept["tokens"]) > len(taken["tokens"])


def test_words_it_cannot_read_are_issues(capsys):
    issues = json.loads(inspected(capsys, "a xylophone", "--json")[1])["issues"]

    (issue,) = issues
    assert "'xylophone'" in issue["message"]
    assert (issue["words"], issue["prompt"], issue["position"]) == (["xylophone"], "a xylophone", 2)


def test_issues_are_worded_for_the_command(capsys):
    cases = {
        "[cat:dog:0.5]": "In Python: encode the texts of schedule(prompt, steps) one by one. ",
        "a AND b": "In Python: for several conditions, encode the parts of compose(prompt) one by ",
        "[猫：狗：0.5]": "Write it in ASCII, or say --fullwidth; --no-fullwidth if it is meant as ",
    }
    for prompt, remedy in cases.items():
        for prompts in ((prompt,), ("cat", "--negative", prompt.replace("AND", "[x|y]"))):
            report = json.loads(inspected(capsys, *prompts, "--json")[1])
            issues = [*report["issues"], *report.get("negative", report)["issues"]]
            if "AND" not in prompt or len(prompts) == 1:
                assert any(remedy in issue["remedy"] for issue in issues), issues
            shown = inspected(capsys, *prompts)[1]
            assert "schedule(" not in shown.replace("\n", " ") or "In Python: " in shown


def test_a_model_or_a_tower(capsys):
    code, out, err = inspected(capsys, "a", "--model", "x", "--tower", "embedded")

    assert (code, out) == (2, "")
    assert "--model and --tower" in err


def test_both_towers_of_a_model(capsys, tmp_path):
    tiny_sdxl().save_pretrained(tmp_path)

    code, out, _ = inspected(
        capsys, "a cat", "-n", "a dog", "--model", str(tmp_path), "--json", "--compact"
    )
    report = json.loads(out)
    assert code == 0
    for each, word in ((report, "cat"), (report["negative"], "dog")):
        for tower in (each, each["tower_2"]):
            assert tower["chunks"][0]["tokens"][1:3] == ["a", word]
