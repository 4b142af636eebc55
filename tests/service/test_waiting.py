"""A request is worked on as long as its client waits, its time lasts and the service runs."""

import asyncio
import json
import threading

import pytest

from clipcond.service import drawing
from clipcond.service.admission import Admission
from clipcond.service.refusals import ClientGone, RequestError
from clipcond.service.settings import Limits
from tests.service.clients import Connection, opened

BODY = json.dumps({"prompt": "a cat"}).encode()


def attended(work, *, seconds=5.0, connection=None, drains=None):
    """What a admission makes of some work: its result, or the error."""

    async def attend():
        admission = Admission(1)
        admission.state = "ready"
        visitor = connection or Connection("/", [])
        with admission.inside():
            attending = asyncio.create_task(admission.attend(work(), visitor.receive, seconds))
            if drains is not None:
                draining = asyncio.create_task(admission.drain(drains))
            (result,) = await asyncio.gather(attending, return_exceptions=True)
        if drains is not None:
            await draining
        return result

    return asyncio.run(attend())


async def never():
    await asyncio.sleep(3600)


async def soon():
    await asyncio.sleep(0.01)
    return "done"


def test_work_that_is_done():
    assert attended(soon) == "done"
    assert attended(soon, drains=5.0) == "done"


@pytest.mark.parametrize(("choices", "status"), [({"seconds": 0.01}, 504), ({"drains": 0.01}, 503)])
def test_work_that_takes_too_long(choices, status):
    error = attended(never, **choices)

    assert isinstance(error, RequestError)
    assert error.status == status


def test_work_that_nobody_waits_for():
    connection = Connection("/", [])
    connection.cut.set()

    assert isinstance(attended(never, connection=connection), ClientGone)


def test_a_loading_service_lets_nobody_in(model):
    async def ask():
        async with opened(model, ready=False) as (app, context):
            before = await Connection("/encode", [BODY]).ask(app)
            await context.open()
            return before, await Connection("/convert", [b'{"prompt": "a", "to": "compel"}']).ask(
                app
            )

    (status, answer), after = asyncio.run(ask())

    assert (status, answer["error"]["code"]) == (503, "loading")
    assert after == (200, {"prompt": "a", "issues": []})


def test_a_client_that_goes_leaves_the_queue(model):
    async def ask():
        async with opened(model, limits=Limits(wait=30)) as (app, context):
            connection = Connection("/encode", [BODY])
            asking = asyncio.create_task(connection.ask(app))
            while not len(context.batcher):
                await asyncio.sleep(0.001)
            connection.cut.set()
            answer = await asking
            text = context.metrics.text().decode()
            return answer, len(context.batcher), context.admission.n_inside, text

    answer, n_waiting, n_inside, metrics = asyncio.run(ask())

    assert (answer, n_waiting, n_inside) == ((499, None), 0, 0)
    assert 'clipcond_requests_total{route="/encode",status="499"} 1.0' in metrics


def test_a_drawing_stops_at_its_next_step(model, monkeypatch):
    """And the next one in the queue is drawn; one beyond the limit is refused."""
    steps, begun = [], threading.Event()
    draw = drawing.draw_unless_stopped

    def watched(pipe, call, seed, is_stopped):
        def stopped():
            steps.append(seed)
            begun.set()
            return is_stopped()

        return draw(pipe, call, seed, stopped)

    monkeypatch.setattr(drawing, "draw_unless_stopped", watched)

    async def ask():
        async with opened(model, limits=Limits(drawings=2)) as (app, _):
            bodies = [{"prompt": "a cat", "seed": i, "steps": n} for i, n in enumerate((150, 2, 2))]
            connections = [Connection("/generate", [json.dumps(body).encode()]) for body in bodies]
            for connection in connections:
                connection.headers["accept"] = "application/json"
            asking = []
            for connection in connections:
                asking.append(asyncio.create_task(connection.ask(app)))
                await asyncio.sleep(0.01)
            await asyncio.to_thread(begun.wait, 10)
            connections[0].cut.set()
            return await asyncio.gather(*asking)

    gone, drawn, refused = asyncio.run(ask())

    assert gone == (499, None)
    assert (drawn[0], drawn[1]["seed"]) == (200, 1)
    assert (refused[0], refused[1]["error"]["code"]) == (429, "too-many-drawings")
    assert steps.count(0) < 20
    assert steps.count(1) == 3
