"""`clipcond serve` as it runs: under load, under attack, and when it is ended."""

import asyncio
import json
import random
import signal
import time
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load

from benchmarks.http_client import clients
from benchmarks.served import served
from clipcond import Conditioner, load_tower
from clipcond.conditioning.prompt_text import collect_warnings
from tests.service.clients import need_extra

pytestmark = pytest.mark.slow
WORDS = "a red blue cat dog fox apple house on the (big:1.2) [small] BREAK tree , and".split()
N_FUZZED = 5_000


TOKEN = {"authorization": "Bearer secret"}
SERVE = ("-m", "clipcond", "serve", "--port", "0", "--device", "cpu", "--text-only")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A service for the network, with a token and a short queue."""
    need_extra()
    log = tmp_path_factory.mktemp("service") / "log"
    options = ("--host", "0.0.0.0", "--max-queue", "100")
    with served(log, [*SERVE, *options], CLIPCOND_TOKEN="secret") as server:
        yield server


def damaged(rng):
    """A body that is hardly ever right."""
    good = {"prompt": " ".join(rng.choices(WORDS, k=5)), "keep": "trimmed"}
    values = (None, True, -1, 1e308, 10**30, "", "\ud800", [], [[]], {}, "a" * 300, [None], ["a"])
    names = ("prompt", "prompts", "negative", "negatives", "dialect", "clip_skip", "weighting")
    names += ("pooled", "keep", "dtype", "format", "normalize", "to", "from", "seed", "size", "x")
    for _ in range(rng.randrange(4)):
        good[rng.choice(names)] = rng.choice(values)
    body = bytearray(json.dumps(good).encode())
    for _ in range(rng.choice((0, 0, 1, 3, 20))):
        at = rng.randrange(len(body))
        kind = rng.randrange(4)
        if kind == 0:
            body[at] = rng.randrange(256)
        elif kind == 1:
            del body[at : at + rng.randrange(9)]
        elif kind == 2:
            body[at:at] = rng.choice((b"NaN", b"[" * 3000, b'"', b"\\u0000", b"9" * 5000, b"{"))
        else:
            body += body[at:]
        body = body[:20_000] or bytearray(b"{")
    return bytes(body)


async def closed(writer):
    """Close a connection that the server may have closed."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def test_5000_damaged_bodies_are_all_answered(server):
    """Some by what is no HTTP either: the service answers the next one."""
    rng = random.Random(0)
    statuses = {}

    async def attack(client, n):
        for _ in range(n):
            route = rng.choice(("/encode", "/encode", "/inspect", "/convert"))
            answer = await client.send(route, damaged(rng), **TOKEN)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            if answer.status >= 400:
                error = json.loads(answer.body)["error"]
                assert error["code"]
                assert error["message"]

    async def lies(port):
        """Bodies that are not as long as they were said to be, and no HTTP at all."""
        rest = b"authorization: Bearer secret\r\ncontent-type: application/json\r\n\r\n"
        for head, body in (
            (b"POST /encode HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n", b"{}"),
            (b"POST /encode HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n", b"{}" * 99),
            (b"POST /encode HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n", b"z"),
            (b"\x16\x03\x01\x02\x00", b"\xff" * 99),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + rest + body)
            await asyncio.sleep(0.05)
            await closed(writer)
        endless = b"POST /encode HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(endless + rest)
        part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        writer.write(part * 20)
        line = await asyncio.wait_for(reader.readline(), 10)
        await closed(writer)
        return line

    async def run(port):
        async with clients(port, 8) as opened:
            await asyncio.gather(*(attack(client, N_FUZZED // 8) for client in opened))
            line = await lies(port)
            return line, await opened[0].post("/encode", {"prompt": "a cat"}, **TOKEN)

    line, answer = asyncio.run(run(server.port))

    assert server.process.poll() is None
    assert line == b"HTTP/1.1 413 Request Entity Too Large\r\n" or b" 413 " in line
    assert answer.status == 200
    assert sum(statuses.values()) == N_FUZZED
    assert max(statuses) < 500, statuses
    assert statuses[200] > 100
    assert statuses[400] > 1000
    assert not [each for each in server.lines() if each["level"] == "error"]


def test_200_clients_get_what_is_theirs(server):
    """For a few seconds: nothing is lost or wrong, memory is flat, overload is refused fast."""
    rng = random.Random(1)
    prompts = [" ".join(rng.choices(WORDS, k=rng.randrange(1, 30))) for _ in range(60)]
    conditioner = Conditioner(load_tower("embedded"), max_chunks=8)
    with collect_warnings(shown=False):
        right = {prompt: conditioner(prompt).embeds for prompt in prompts}
    statuses, refusals, memory = {}, [], []

    async def visit(client, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            prompt, start = rng.choice(prompts), time.monotonic()
            answer = await client.post("/encode", {"prompt": prompt}, **TOKEN)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            if answer.status == 200:
                assert torch.equal(load(answer.body)["embeds"], right[prompt]), prompt
            else:
                assert answer.status == 429
                refusals.append(time.monotonic() - start)
                await asyncio.sleep(0.2)

    async def run(server):
        async with clients(server.port, 200) as opened:
            for _ in range(3):
                await asyncio.gather(*(visit(client, 1.5) for client in opened))
                memory.append(server.megabytes())

    asyncio.run(run(server))

    assert statuses[200] > 100
    assert statuses[429] > 0
    assert sorted(refusals)[len(refusals) // 2] < 1
    assert memory[-1] - memory[0] < 30, memory


def test_a_signal_lets_out_who_is_inside(tmp_path):
    """Those who wait are answered, new ones refused, and then it ends, with 0."""

    async def run(server):
        async with clients(server.port, 7) as (late, health, *waiting):
            posts = [
                asyncio.create_task(client.post("/encode", {"prompt": f"a cat {i}"}))
                for i, client in enumerate(waiting)
            ]
            await asyncio.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            return (
                await late.post("/encode", {"prompt": "a late cat"}),
                await health.send("/healthz", b"", method="GET"),
                await asyncio.gather(*posts),
            )

    need_extra()
    with served(tmp_path / "log", [*SERVE, "--max-wait-ms", "1000"]) as server:
        late, health, answers = asyncio.run(run(server))
        code = server.process.wait(20)
        messages = [each["message"] for each in server.lines()]

    assert [answer.status for answer in answers] == [200] * 5
    assert (late.status, json.loads(late.body)["error"]["code"]) == (503, "draining")
    assert (health.status, json.loads(health.body)) == (503, {"status": "draining"})
    assert code == 0
    assert "draining" in messages


def test_the_token_of_the_environment(server):
    async def run():
        fields = {"prompt": "a cat", "to": "compel"}
        async with clients(server.port, 1) as (client,):
            return [
                await client.post("/convert", fields),
                await client.post("/convert", fields, authorization="Bearer s\xebcret"),
                await client.post("/convert", fields, **TOKEN),
            ]

    assert [answer.status for answer in asyncio.run(run())] == [401, 401, 200]
