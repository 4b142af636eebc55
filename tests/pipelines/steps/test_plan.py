"""Which texts a call is planned with, and which step a call of the model is at: no model here."""

from types import SimpleNamespace

import diffusers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond import compose, schedule
from clipcond.conditioning.dialects import find_dialect
from clipcond.conditioning.prompt_text import PromptReader
from clipcond.conditioning.settled import SettlesTexts
from clipcond.errors import PromptError
from clipcond.pipelines.steps.plan import changes, plan_steps
from clipcond.pipelines.steps.position import Position, likely_steps
from clipcond.pipelines.steps.rows import BASE, MarkedRows, map_tensors, read_serials
from clipcond.prompt import find_syntax

PIECES = ["[", "]", ":", "|", "a", "cat ", ":3]", "[b:", ":0.5]", "(c:1.2)", "[x|y]", "[d:e:4]"]
prompts = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)


class Reads(SettlesTexts):
    reader = PromptReader(find_syntax("a1111"), (), find_dialect("a1111"))


def text_of(plan, name, row, step):
    return [(plan.arguments[name][pair], weight) for pair, weight in plan.parts(row, step)]


@given(prompts, prompts, st.integers(1, 12))
@settings(deadline=None)
def test_every_step_has_its_texts(prompt, negative, n_steps):
    arguments = {"prompt": [prompt, "x"], "negative_prompt": negative}
    plan = plan_steps(arguments, Reads(), n_steps)
    for step in range(n_steps + 1):
        for row, source in enumerate([prompt, "x"]):
            ((text, weight),) = text_of(plan, "prompt", row, step)
            assert (text, weight) == (at(source, n_steps, step), 1.0)
            if negative:
                ((text, _),) = text_of(plan, "negative_prompt", row, step)
                assert text == at(negative, n_steps, step)


def at(prompt, n_steps, step):
    timed = schedule(prompt, n_steps)
    return next((text for until, text in timed if step <= until), timed[-1][1])


@given(st.lists(prompts, min_size=2, max_size=3), st.integers(1, 8))
@settings(deadline=None)
def test_parts_change_each_on_its_own(parts, n_steps):
    prompt = " AND ".join(part + " :0.5" for part in parts)
    plan = plan_steps({"prompt": prompt}, Reads(), n_steps)
    for step in range(n_steps + 1):
        now = text_of(plan, "prompt", 0, step)
        assert now == [(at(text, n_steps, step), weight) for text, weight in compose(prompt)]


def test_what_is_planned():
    plan = plan_steps(
        {
            "prompt": ["[a|b] AND c :0.5", "d"],
            "negative_prompt": "[x:y:1]",
            "num_images_per_prompt": 3,
            "prompt_embeds": None,
        },
        Reads(),
        4,
    )

    assert plan.texts == (
        ("0", "a", "x"),
        ("0", " c", "x"),
        ("0", "b", "y"),
        ("0", " c", "y"),
        ("0", "a", "y"),
        ("1", "d", "x"),
        ("1", "d", "y"),
    )
    assert plan.rows[1] == ((1, ((5, 1.0),)), (4, ((6, 1.0),)))
    assert plan.parts(0, 0) == plan.parts(0, 1) == ((0, 1.0), (1, 0.5))
    assert plan.parts(0, 4) == plan.parts(0, 99) == plan.parts(0, 2) == ((2, 1.0), (3, 0.5))
    assert plan.arguments["num_images_per_prompt"] == 1
    assert plan.is_mixed
    assert plan.needs_negative


def test_tensors_are_taken_for_each_pair():
    embeds = torch.arange(6.0).view(2, 3, 1)
    plan = plan_steps(
        {"prompt": None, "prompt_embeds": embeds, "negative_prompt": ["[a|b]", "c"]}, Reads(), 3
    )

    assert plan.arguments["negative_prompt"] == ["a", "b", "c"]
    assert torch.equal(plan.arguments["prompt_embeds"], embeds[[0, 0, 1]])


def test_what_does_not_pair_is_left_to_the_pipeline():
    assert plan_steps({"prompt": ["[a|b]", "c"], "negative_prompt": ["x"] * 3}, Reads(), 3) is None


def test_second_prompts():
    plan = plan_steps({"prompt": "a AND b :2", "prompt_2": "[c|d]"}, Reads(), 2)
    assert text_of(plan, "prompt_2", 0, 2) == [("d", 1.0), ("d", 2.0)]
    plan = plan_steps({"prompt": "a", "prompt_2": "b AND c :0.5"}, Reads(), 2)
    assert text_of(plan, "prompt", 0, 0) == [("a", 1.0), ("a", 0.5)]
    with pytest.raises(PromptError, match="2 parts in one prompt, 3 in another"):
        plan_steps({"prompt": "a AND b AND c", "prompt_2": "d AND e"}, Reads(), 2)


def test_parts_have_one_weight_whichever_prompt_says_it():
    def weights(*prompts):
        names = ("prompt", "prompt_2", "prompt_3")
        plan = plan_steps(dict(zip(names, prompts, strict=False)), Reads(), 2)
        return [weight for _, weight in plan.parts(0, 0)]

    assert weights("a AND b :0.5", "c AND d") == [1.0, 0.5]
    assert weights("a AND b", "c AND d :-3") == [1.0, -3.0]
    assert weights("a AND b :0.5", "c AND d :0.5", "e AND f") == [1.0, 0.5]
    assert weights("a", "c", "e AND f :2") == [1.0, 2.0]
    for prompts in (
        ("a AND b :0.5", "c AND d :-3"),
        ("a :0.5 AND b", "c AND d :0.5"),
        ("a AND b", "c AND d :2", "e AND f :3"),
    ):
        with pytest.raises(PromptError, match=r"its parts have the weights .*, those of") as raised:
            weights(*prompts)
        assert f"{prompts[-1]}\n  {' ' * prompts[-1].index('AND')}^" in str(raised.value)


def test_which_prompts_change():
    for prompt in ("a [cat]", "AND" * 2, "BLACK AND WHITE", "[a:b:c]", "photo 16:9", "[a|b"):
        assert not changes({"prompt": prompt}, Reads()), prompt
        assert not changes({"prompt": ["x"], "negative_prompt": [prompt]}, Reads()), prompt
    for prompt in ("[a|b]", "a AND b", "[a:b:99]", "x :0.5 AND", "([a::1])"):
        assert changes({"prompt": prompt}, Reads()), prompt
        assert changes({"prompt": ["x", prompt]}, Reads()), prompt
    assert changes({"negative_prompt": "[a|b]"}, Reads())
    assert not changes({"negative_prompt": "a AND b"}, Reads())


def moves(scheduler, calls, step_count="a1111"):
    position = Position(step_count)
    found = []
    for change in calls:
        vars(scheduler).update(change)
        position.move(scheduler, change.get("timestep", scheduler.__dict__.get("timestep")))
        found.append(position.step)
    return position, found


def test_steps_are_counted_by_what_moves():
    timesteps = torch.tensor([9.0, 6.0, 3.0])
    ddim = SimpleNamespace(timesteps=timesteps, num_inference_steps=3, order=1)
    position, found = moves(ddim, [{"timestep": t} for t in (timesteps[0], 9, 6, 6.0, 3)])
    assert (found, position.n_steps) == ([0, 0, 1, 1, 2], 3)

    class Indexed(SimpleNamespace):
        step_index = property(lambda self: self._step_index)

    heun = Indexed(timesteps=timesteps, num_inference_steps=2, order=2, _step_index=None)
    position, found = moves(heun, [{"_step_index": i} for i in (None, None, 1, 1, 2)])
    assert (found, position.n_steps) == ([0, 0, 1, 1, 2], 4)


def test_another_run_of_the_loop_counts_from_the_start():
    """FreeInit denoises several times, with timesteps set again."""
    scheduler = SimpleNamespace(timesteps=torch.tensor([5, 1]), num_inference_steps=2, order=1)
    again = torch.tensor([5, 1])
    _, found = moves(
        scheduler, [{"timestep": 5}, {"timestep": 1}, {"timesteps": again, "timestep": 5}]
    )

    assert found == [0, 1, 0]


def test_a_copy_of_a_scheduler_goes_on_where_it_was():
    """Videos from one frame go back to a copy; image-to-image began later in the schedule."""
    timesteps, noted = torch.tensor([9.0, 7, 5, 3]), []
    for values in (timesteps, timesteps.clone()):
        noted += [{"timesteps": values, "timestep": t} for t in values[1:3].tolist()]
    noted += [{"timestep": 3.0}]
    for step_count, expected in (("a1111", [0, 1, 0, 1, 2]), ("schedule", [1, 2, 1, 2, 3])):
        scheduler = SimpleNamespace(num_inference_steps=4, order=1)
        assert moves(scheduler, noted, step_count)[1] == expected
    late = [*noted[:2], *({**each, "timesteps": timesteps.clone()} for each in noted[1:2])]
    assert moves(SimpleNamespace(order=1), late)[1] == [0, 1, 1]


@pytest.mark.parametrize("skip_prk_steps", [True, False])
def test_the_place_in_a_schedule_with_timesteps_that_come_twice(skip_prk_steps):
    """PNDM's loop from any place on, whatever shape its timesteps are handed on in."""
    scheduler = diffusers.PNDMScheduler(skip_prk_steps=skip_prk_steps)
    for shape in (lambda t: t, lambda t: t[None], lambda t: t.expand(4)):
        for start in range(7):
            scheduler.set_timesteps(8)
            loop = enumerate(scheduler.timesteps[start:])
            calls = [{"timestep": shape(t), "counter": i} for i, t in loop]
            _, found = moves(scheduler, calls, "schedule")
            assert found == [*range(start, len(scheduler.timesteps))], (start, found)


def test_the_place_in_the_schedule():
    scheduler = SimpleNamespace(
        timesteps=torch.tensor([9, 7, 5, 3]), num_inference_steps=4, order=1
    )
    assert moves(scheduler, [{"timestep": 5}, {"timestep": 3}], "schedule")[1] == [2, 3]
    scheduler.begin_index = 1
    assert moves(scheduler, [{"timestep": 5}, {"timestep": 3}], "schedule")[1] == [1, 2]


def test_likely_steps():
    class Pipe:
        scheduler = SimpleNamespace(num_inference_steps=None, order=2)

        def __call__(self, num_inference_steps=25):
            pass

    assert likely_steps(Pipe()) == 50
    Pipe.scheduler.num_inference_steps = 8
    assert likely_steps(Pipe()) == 16


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_marked_rows_are_found_in_every_dtype(dtype):
    rows = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    slot = MarkedRows(rows.to(dtype))
    shuffled = slot.markers[[2, 0]]
    for seen in (shuffled, shuffled.to(torch.bfloat16), shuffled.float()):
        serials = read_serials(seen)
        assert [slot.places[serial] for serial in serials] == [2, 0]
        assert [slot.place(s, row) for s, row in zip(serials, seen, strict=True)] == [2, 0]
    changed = slot.markers[[1]] + torch.tensor([0.0] * 7 + [0.5], dtype=dtype)
    assert slot.place(*read_serials(changed), changed[0]) is None


def test_ordinary_rows_have_no_number():
    wild = torch.tensor([[0.0] * 4, [1.0] * 4, [torch.nan] * 4, [torch.inf] * 4, [1e30] * 4])
    assert read_serials(wild) == [0] * 5
    assert read_serials(torch.full((1, 4), 1 + 0.5 / BASE)) == [0]
    assert read_serials(torch.zeros(2, 3)) == [0, 0]


def test_arguments_are_copied_but_for_tensors():
    one = torch.ones(1)
    value = ([one], {"a": (one, None)}, "x")
    copied = map_tensors(value, lambda tensor: tensor + 1)

    assert copied == ([torch.tensor(2.0)], {"a": (torch.tensor(2.0), None)}, "x")
    assert copied[0] is not value[0]
