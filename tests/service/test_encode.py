"""/encode gives what a Conditioner gives, whatever else is encoded with it."""

import asyncio
import json

import pytest
import torch
from safetensors.torch import load

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.service.models import Reading
from clipcond.service.settings import Limits, ServiceSettings
from tests.service.clients import asked, client_of, opened

JSON = {"accept": "application/json"}


def direct(model, prompts, negatives=None, **reading):
    """The conditionings of a call of a Conditioner: of the prompts, and of their negatives."""
    conditioner = model.conditioner(Reading(**reading))
    with collect_warnings(shown=False):
        if negatives is None:
            return [conditioner(prompts)]
        guided = conditioner.guided(prompts, negatives)
    return [guided.positive, guided.negative]


def metadata(body):
    return json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])["__metadata__"]


def test_requests_that_arrive_together_get_what_each_gets_alone(model, tower_seconds):
    bodies = [
        {"prompt": "a (red:1.3) cat"},
        {"prompt": "a red cat, " * 40, "negative": "(blurry:1.2)"},
        {"prompts": ["a dog", "a fox BREAK an owl"], "negative": "a (cat"},
        {"prompts": ["a dog", "a fox"], "negatives": ["", "a cat"]},
        {"prompt": "a (blue:0.7) fox", "dialect": "compel", "clip_skip": 1},
        {"prompt": "a dog", "weighting": "lerp", "pooled": True},
        {"prompt": ""},
    ]

    n_before = len(tower_seconds)
    answers = asked(model, "/encode", *bodies)

    assert len(tower_seconds) - n_before <= 4  # of kinds: guided, alone, compel, lerp
    for body, answer in zip(bodies, answers, strict=True):
        assert answer.status_code == 200, answer.text
        prompts = body.get("prompts") or [body["prompt"]]
        negatives = body.get("negatives") or body.get("negative")
        names = ("dialect", "clip_skip", "weighting", "pooled")
        reading = {name: body[name] for name in names if name in body}
        columns = direct(model, prompts, negatives, **reading)
        tensors = load(answer.content)
        for prefix, column in zip(("", "negative_"), columns, strict=False):
            assert torch.equal(tensors.pop(f"{prefix}embeds"), column.embeds)
            if column.pooled is not None:
                assert torch.equal(tensors.pop(f"{prefix}pooled"), column.pooled)
        assert not tensors
        n_issues = sum(len(column.issues) for column in columns)
        assert len(json.loads(metadata(answer.content)["issues"])) == n_issues


def test_as_json(model):
    (answer,) = asked(model, "/encode", {"prompt": "a (cat"}, headers=JSON)

    found = answer.json()
    (column,) = direct(model, ["a (cat"])
    assert torch.equal(torch.tensor(found["embeds"]), column.embeds)
    length = model.base.towers[0].special.context_length
    assert (found["dialect"], found["length"], found["dtype"]) == ("a1111", length, "float32")
    assert found["issues"] == [
        {
            "message": "'(' is never closed",
            "position": 2,
            "remedy": r"Close it with ')' or write '\(' for a literal bracket.",
            "code": "bracket",
            "words": [],
            "prompt": 0,
            "negative": False,
        }
    ]


def test_trimmed_has_the_rows_of_the_prompts_own_tokens(model):
    body = {"prompts": ["a cat", "a big red cat"], "negative": "", "keep": "trimmed"}
    (answer,) = asked(model, "/encode", body)

    tensors = load(answer.content)
    positive, negative = direct(model, body["prompts"], "")
    assert tensors["rows"].tolist() == list(range(6))  # bos, four words, eos
    assert torch.equal(tensors["embeds"], positive.embeds[:, :6])
    assert torch.equal(tensors["negative_embeds"], negative.embeds[:, :6])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_another_dtype(model, dtype):
    (answer,) = asked(model, "/encode", {"prompt": "a cat", "dtype": dtype})

    (column,) = direct(model, ["a cat"])
    assert torch.equal(load(answer.content)["embeds"], column.embeds.to(getattr(torch, dtype)))


def test_one_that_is_wrong_costs_no_other(model):
    good = {"prompt": "a red cat"}
    bad = {"prompt": "a (cat:3e38)", "dialect": "comfyui", "weighting": "scale"}
    half = {"prompt": "a \ud800 cat"}
    answers = asked(model, "/encode", good, bad, half, good, {**bad, "prompt": "a dog"})

    assert [answer.status_code for answer in answers] == [200, 422, 422, 200, 200]
    first, second = (load(answers[i].content)["embeds"] for i in (0, 3))
    assert torch.equal(first, second)
    assert answers[1].json()["error"] == {
        "code": "weighting",
        "message": "the weight 3e+38 leads to NaN or infinite values in float32",
        "remedy": "Useful weights are between 0 and 2.",
        "position": 3,
        "caret": "  a (cat:3e38)\n     ^",
    }
    assert answers[2].json()["error"]["message"].startswith("half a character")


def test_the_texts_of_a_request_are_bounded_together(model):
    """Others wait for them."""
    limits = Limits(prompt=100, batch=9)
    many, few = asked(
        model, "/encode", {"prompts": ["a" * 90] * 5}, {"prompts": ["a" * 90] * 4}, limits=limits
    )

    assert (many.status_code, few.status_code) == (413, 200)
    assert many.json()["error"]["code"] == "prompts-too-long"


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 400, "field", 'it has neither "prompt" nor "prompts"'),
        ({"prompt": 5}, 400, "field", "'prompt': it should be a valid string"),
        ({"prompt": "a", "prompts": ["b"]}, 400, "field", 'it has both "prompt" and "prompts"'),
        ({"prompts": []}, 400, "field", '"prompts" is empty'),
        ({"prompts": ["a"], "negatives": ["b", "c"]}, 400, "field", "2 negatives for 1 prompts"),
        ({"promt": "a"}, 422, "unknown-name", "no field 'promt'. Did you mean 'prompt'?"),
        ({"prompt": "a", "dialect": "comfy"}, 422, "unknown-name", "no dialect 'comfy'."),
        ({"prompt": "a", "weighting": "lrep"}, 422, "unknown-name", "no weighting rule 'lrep'."),
        ({"prompt": "a", "clip_skip": 99}, 422, "layer", "clip_skip 99 names no layer"),
        ({"prompt": "a", "clip_skip": 0}, 400, "field", "'clip_skip': it should be greater"),
        ({"prompt": "a", "clip_skip": 2.0}, 400, "field", "'clip_skip': it should be a valid"),
        ({"prompt": "a" * 101}, 413, "prompt-too-long", "a prompt has 101 characters"),
        ({"prompts": ["a"] * 5}, 413, "too-many-prompts", "5 prompts and negatives"),
        ({"prompts": ["a"] * 300}, 413, "body-too-large", "the body has more than 999 bytes"),
    ],
)
def test_what_is_refused(model, body, status, code, message):
    from clipcond.cli.service import worded

    limits = Limits(prompt=100, batch=4, body=999)
    (answer,) = asked(model, "/encode", body, limits=limits, reword=worded)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["message"].startswith(message)


@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
@pytest.mark.slow
@pytest.mark.parametrize("tower", [None, "embedded-zh"])
def test_the_text_side_alone_gives_what_the_pipeline_gives(tower):
    from clipcond.pipelines import build_pipeline
    from clipcond.service.models import load_model

    alone = load_model(ServiceSettings(tower=tower, device="cpu", text_only=True), id)
    pipe = build_pipeline(tower=tower, device="cpu")

    assert torch.equal(alone.base("猫 cat").embeds, pipe.conditioner("猫 cat").embeds)


def test_the_limit_of_chunks_is_said_in_words_of_requests(model):
    from clipcond.cli.service import worded

    body = {"prompt": "a red cat, " * 400}
    (answer,) = asked(model, "/encode", body, headers=JSON, reword=worded)

    (issue,) = answer.json()["issues"]
    assert (issue["code"], issue["prompt"]) == ("prompt-cut", 0)
    assert "=" not in issue["remedy"]
    assert answer.json()["length"] == 8 * model.base.towers[0].special.context_length


def test_a_full_queue_and_a_service_that_ends_refuse_at_once(model):
    async def ask():
        limits = Limits(queue=2, wait=0.3)
        async with opened(model, limits=limits) as (app, context), client_of(app) as client:
            posts = [client.post("/encode", json={"prompt": f"cat {i}"}) for i in range(5)]
            answers = await asyncio.gather(*posts)
            draining = asyncio.create_task(context.admission.drain(1))
            await asyncio.sleep(0)
            late = await client.post("/encode", json={"prompt": "a cat"})
            health = await client.get("/healthz"), await client.get("/healthz/live")
            await draining
        return answers, late, health

    answers, late, (ready, live) = asyncio.run(ask())

    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    full = next(answer for answer in answers if answer.status_code == 429)
    assert full.headers["retry-after"] == "1"
    assert full.json()["error"]["code"] == "queue-full"
    assert (late.status_code, late.json()["error"]["code"]) == (503, "draining")
    assert (ready.status_code, ready.json(), live.status_code) == (503, {"status": "draining"}, 200)
