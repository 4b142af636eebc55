"""Texts of prompts at a step: equal words of two prompts are two texts."""

import copy
import pickle
import warnings

import pytest

from clipcond import Conditioner
from clipcond.conditioning.settled import Settled
from clipcond.errors import PromptSyntaxError
from clipcond.prompt.conversion import convert
from tests.conditioning.conditioners import single, warnings_of
from tests.failures import failures_of
from tests.parity.models import tower_l

ALIKE = (  # the same text at every step
    ("a [b:c:0.5] <lora:x:1>", "a [b:c:0.5] <lora:y:1>"),
    ("a [b|c] <lora:x:1> <lora:z:1>", "a [b|c] <lyco:y:1>", "a [b|c] <hypernet:z>"),
    ("cat AND dog <lora:x:1>", "cat AND dog <lora:y:0.5>"),
    ("[a:b:3]", "[a:b:3]<lora:y:1>"),
    ("a [b:c:0.5] <lora:x:1>", "a [b:c:0.5] <lora:x:1>"),
    ("[a:(b:0.5] (c # one", "[a:(b:0.5] (c # two", "[a:(b:0.5] (c <lora:y:1>"),
)


def settled(conditioner: Conditioner, prompts: tuple[str, ...], steps: int = 20) -> list[Settled]:
    timed = (conditioner.over_time(prompt, steps) for prompt in prompts)
    return [text for each in timed for _, parts in each for text, _ in parts]


def test_each_prompt_of_a_batch_keeps_its_networks_and_issues():
    def check(prompts):
        seen = []
        own = single(extra_networks=lambda networks: seen.append([n.name for n in networks]))
        with warnings.catch_warnings(action="ignore"):
            own(settled(own, prompts))
        alone = [single().reader.read(prompt).networks for prompt in dict.fromkeys(prompts)]
        assert seen == [[n.name for n in networks] for networks in alone if networks]

        plain = single()
        warned = warnings_of(lambda: plain(settled(plain, prompts)))
        texts = [message for message in warned if "left out of the text" in message]
        signs = sum(prompt.count("<") + prompt.count("#") for prompt in dict.fromkeys(prompts))
        assert len(texts) == signs, warned
        found = plain.check(list(prompts))
        for prompt in prompts:
            mine = {issue for issue in found if issue.prompt == prompt}
            assert mine == set(plain.check(prompt))

    assert not failures_of(check, ALIKE)


def test_texts_can_be_copied_and_pickled():
    def check(prompts):
        for text in settled(single(), prompts):
            for again in (copy.copy(text), copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
                assert again == text
                assert (again.remainder, again.issues) == (text.remainder, text.issues)
                assert again.networks == text.networks

    assert not failures_of(check, ALIKE)


def test_errors_are_shown_in_the_prompt_as_it_was_typed():
    """Whatever was left out before the place: the caret is under the same characters."""

    def check(case):
        prompt, at = case
        for call in (Conditioner(tower_l()).check, lambda p: convert(p, "a1111", "comfyui")):
            with pytest.raises(PromptSyntaxError) as caught:
                call(prompt)
            error = caught.value
            if "cannot be converted" not in error.message:
                assert (error.source, error.source[error.position :]) == (prompt, at)

    cases = [
        ("a # x\n(b:1.2.3)", "1.2.3)"),
        ("# one\n# two\n(b:1..2) # three", "1..2) # three"),
        ("<lora:x:1> (b:1.2.3)", "1.2.3)"),
        ("a <lora:x:1> # (c:1)\n((b:.))", ".))"),
        ("(b:1.2.3) # x", "1.2.3) # x"),
        ("（猫） # 猫\n(b:1.2.3)", "1.2.3)"),
    ]
    assert not failures_of(check, cases)

    changing = [
        ("[x:y:0.5] (b:1.2.3)", "1.2.3)"),
        ("a # [x\n[x|y] [z:w:3] (b:..)", "..)"),
        (f"# x\na :{'9' * 400} AND b", f"{'9' * 400} AND b"),
        ("<lora:x:1>[x:(b:1.2.3):0.5]", "1.2.3):0.5]"),
    ]

    def check_changing(case):
        prompt, at = case
        own = single()
        for call in (own.check, own, own.explain, lambda p: own(settled(own, (p,)))):
            with pytest.raises(PromptSyntaxError) as caught:
                call(prompt)
            assert caught.value.source == prompt
            assert prompt[caught.value.position :] == at

    assert not failures_of(check_changing, changing)
