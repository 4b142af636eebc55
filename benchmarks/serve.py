"""Ask `clipcond serve` and a naive server under the same load; then 200 clients for a minute."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import torch
from safetensors.torch import load

from benchmarks.http_client import Answer, Client, clients
from benchmarks.measuring import Options, Table
from benchmarks.served import Server, served
from clipcond import Conditioner, load_tower
from clipcond.conditioning.prompt_text import collect_warnings

WORDS = (
    "a red blue green big small cat dog fox owl apple house tree car boat on the in (red:1.2) "
    "(blue:0.8) [small] , and with"
).split()
N_KNOWN = 500  # different prompts that are asked for again and again
SERVE = ("-m", "clipcond", "serve", "--port", "0", "--text-only", "--device", "cpu")
NAIVE = ("-m", "benchmarks.naive_server")
LOADS = (("new", 1), ("new", 16), ("new", 64), ("known", 64))
THREADS = tuple(dict.fromkeys((1, os.cpu_count() or 1)))  # of torch


@dataclass(slots=True)
class Seen:
    """What clients saw: milliseconds of each answer by its status, and how many were wrong."""

    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    n_wrong: int = 0

    def add(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.milliseconds.setdefault(status, []).append(seconds * 1000)

    @property
    def good(self) -> list[float]:
        """Those of status 200."""
        return self.milliseconds.get(200, [])


def measure(options: Options) -> list[Table]:
    """Measure both servers in turns, then ours for a minute, then one that is asked too much."""
    torch.set_num_threads(1)
    prompts = Prompts(0)
    rows = []
    for n_threads in THREADS[:1] if options.quick else THREADS:
        with started(SERVE, n_threads) as ours, started(NAIVE, n_threads) as theirs:
            for load in LOADS[2:3] if options.quick else LOADS:
                cells = _compared(ours, theirs, prompts, load, options)
                rows.append([f"{load[0]}, {load[1]}, {n_threads}", *cells])
    title = (
        f"Requests of one prompt on loopback, the embedded model; medians of {options.rounds} "
        f"rounds in turns. Clients ask again as soon as they are answered; 'new' prompts are not "
        f"asked twice, 'known' ones are of {N_KNOWN}. The naive server has a thread for each "
        f"request, up to 40."
    )
    columns = [
        "prompts, clients, threads of torch",
        "a second, naive",
        "ours",
        "ratio",
        "p50 ms, naive",
        "ours",
    ]
    columns += ["p99 ms, naive", "ours", "CPU ms a request, naive", "ours"]
    return [Table(title, columns, rows), _acceptance(options), _overload(options)]


class Prompts:
    """Prompts at random: new ones, and those that are known."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.known = [self._written() for _ in range(N_KNOWN)]

    def new(self) -> str:
        """Make one that is hardly ever made again."""
        return self._written()

    def again(self) -> str:
        """Choose one of the known."""
        return self._random.choice(self.known)

    def _written(self) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.randrange(8, 24)))


@contextmanager
def started(arguments: tuple[str, ...], n_threads: int = 1) -> Iterator[Server]:
    """Start a server with a log that is thrown away."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "log", arguments, OMP_NUM_THREADS=str(n_threads)) as server,
    ):
        yield server


def _compared(
    ours: Server, theirs: Server, prompts: Prompts, load: tuple[str, int], options: Options
) -> list[str]:
    kind, n_clients = load
    choose = prompts.new if kind == "new" else prompts.again
    seconds = 0.5 if options.quick else 4.0
    found: dict[str, list[tuple[float, ...]]] = {"naive": [], "ours": []}
    for i in range(options.rounds + 1):
        for name, server in (("naive", theirs), ("ours", ours)):
            spent, seen = server.seconds(), Seen()
            asyncio.run(_load(server, n_clients, seconds, choose, seen, None))
            n = max(1, len(seen.good))
            cuts = quantiles([*seen.good, *seen.good[-1:] * 2], n=100)
            cpu = (server.seconds() - spent) * 1000 / n
            if i:  # one to warm up
                found[name].append((n / seconds, median(seen.good), cuts[98], cpu))
    naive, own = ([median(each) for each in zip(*found[k], strict=True)] for k in found)
    pairs = zip(found["ours"], found["naive"], strict=True)
    ratio = median(ours[0] / theirs[0] for ours, theirs in pairs)
    cells = [f"{naive[0]:.0f}", f"{own[0]:.0f}", f"{ratio:.2f}"]
    for i in (1, 2, 3):
        cells += [f"{naive[i]:.1f}", f"{own[i]:.1f}"]
    return cells


async def _load(
    server: Server,
    n_clients: int,
    seconds: float,
    choose: Callable[[], str],
    seen: Seen,
    check: Callable[[str, Answer], bool] | None,
    pause: float = 0.0,
) -> None:
    """Let clients ask, each again as soon as it is answered."""
    until = perf_counter() + seconds

    async def visit(client: Client) -> None:
        while perf_counter() < until:
            prompt, start = choose(), perf_counter()
            answer = await client.post("/encode", {"prompt": prompt})
            seen.add(answer.status, perf_counter() - start)
            if answer.status == 200 and check is not None:
                seen.n_wrong += not check(prompt, answer)
            if answer.status != 200:
                await asyncio.sleep(pause)

    async with clients(server.port, n_clients) as opened:
        await asyncio.gather(*map(visit, opened))


def _acceptance(options: Options) -> Table:
    """200 clients for a minute, each answer compared with the direct result."""
    seconds, n_clients = (2.0 if options.quick else 60.0), 200
    prompts = Prompts(1)
    conditioner = Conditioner(load_tower("embedded"), cache_bytes=0)
    with collect_warnings(shown=False):
        right = {prompt: conditioner(prompt).embeds for prompt in prompts.known}

    def check(prompt: str, answer: Answer) -> bool:
        return torch.equal(load(answer.body)["embeds"], right[prompt])

    seen, memory = Seen(), []
    with started(SERVE) as server:
        asyncio.run(_load(server, n_clients, seconds / 6, prompts.again, Seen(), None))
        memory.append(server.megabytes())
        for _ in range(2):
            asyncio.run(_load(server, n_clients, seconds / 2, prompts.again, seen, check))
            memory.append(server.megabytes())
    gc.collect()
    n_lost = sum(len(each) for status, each in seen.milliseconds.items() if status != 200)
    cuts = quantiles(seen.good, n=100)
    row = [f"{n_clients} clients, {seconds:.0f} s", f"{len(seen.good)}", f"{n_lost}"]
    row += [f"{seen.n_wrong}", f"{median(seen.good):.0f}", f"{cuts[98]:.0f}"]
    row += [f"{each:.0f}" for each in memory]
    columns = ["load", "answered", "refused or lost", "not bit for bit the direct result"]
    columns += ["p50 ms", "p99 ms", "MB after warming up", "MB half way", "MB at the end"]
    return Table("Each answer is compared with that of a Conditioner, bit for bit.", columns, [row])


def _overload(options: Options) -> Table:
    """More clients than the queue has places: how fast the others are refused."""
    seconds, n_clients, n_places = (1.0 if options.quick else 10.0), 200, 50
    prompts, seen = Prompts(2), Seen()
    with started((*SERVE, "--max-queue", str(n_places))) as server:
        asyncio.run(_load(server, n_clients, seconds, prompts.new, seen, None, pause=0.1))
    refused = seen.milliseconds.get(429, [0.0, 0.0])
    cuts = quantiles(refused, n=100)
    row = [f"{n_clients} clients, {n_places} places", f"{len(seen.good)}", f"{len(refused)}"]
    row += [f"{median(refused):.1f}", f"{cuts[98]:.1f}", f"{median(seen.good):.0f}"]
    columns = ["load", "answered", "refused with 429", "p50 ms of 429", "p99 ms of 429"]
    columns.append("p50 ms of answers")
    return Table("Refused clients ask again after 0.1 s.", columns, [row])
