"""A label that a viewer put before a text is no part of its prompt; a prompt's own words are."""

import pytest

from clipcond.metadata import Parameters, read_parameters, save_picture
from clipcond.metadata.parameters import parse_parameters
from tests.metadata.test_pictures import picture
from tests.metadata.test_swarmui import swarm

TEXT = "a cat,\nblue\nNegative prompt: dog\nSteps: 4, Sampler: Euler a, Seed: 1, Size: 64x64"
LABELS = ["parameters: ", "parameters\n", "Parameters :\n", "UserComment: ", "User Comment\n",
          "Parameters                      : ", "[PNG]           Parameters    : ",
          "parameters：", "\nparameters:\n", "USERCOMMENT:", "parameters\r\n"]  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_a_label_before_settings_is_taken_off(tmp_path, label):
    usual = parse_parameters(TEXT)
    assert read_parameters(label + TEXT) == usual
    (tmp_path / "a.txt").write_bytes((label + TEXT).encode())
    assert read_parameters(tmp_path / "a.txt").text() == usual.text()
    exact = Parameters("a\nNegative prompt: b", "c", steps=2)
    assert read_parameters(label + exact.text()) == exact
    assert read_parameters(label + swarm()) == read_parameters(swarm())


@pytest.mark.parametrize(
    "text",
    [
        "parameters: a cat",
        "parameters\na cat\nNegative prompt: dog",
        "parameters of a cat\nSteps: 4",
        "UserComment a cat\nSteps: 4",
        "a cat, parameters: x\nSteps: 4",
    ],
)
def test_a_prompt_that_begins_with_the_word_stays(text):
    prompt = text.partition("\nSteps")[0].partition("\nNegative")[0]
    assert read_parameters(text).prompt == prompt


@pytest.mark.parametrize("label", LABELS)
def test_a_prompt_of_ours_that_begins_like_a_label_is_read_as_it_was_written(tmp_path, label):
    prompt = f"{label}a cat".strip().replace("\r\n", "\n")
    made = Parameters(prompt, "dog", steps=4, seed=1)
    assert read_parameters(made.text()) == made
    assert parse_parameters(made.text()) == made
    save_picture(picture(), tmp_path / "a.png", made)
    assert read_parameters(tmp_path / "a.png").text() == made.text()
    written_by_a1111 = f"{prompt}\nSteps: 4, Seed: 1"
    save_picture(picture(), tmp_path / "b.png", written_by_a1111)
    assert read_parameters(tmp_path / "b.png").prompt == prompt
