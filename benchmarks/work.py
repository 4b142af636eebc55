"""Count what the text model does for a workload: calls / chunks / positions, ours and the peers'.

Counts are exact, so a small model will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from benchmarks.measuring import Options, Table
from benchmarks.peers import PEERS, Peer, peers
from benchmarks.workloads import Count, Counter, Workload, conditioner, text_model, workloads
from clipcond import Conditioner

WIDTH, LAYERS = 64, 2


def measure(options: Options) -> list[Table]:
    """Count the work of every workload, and of calls that repeat or vary one."""
    model = text_model(WIDTH, LAYERS)
    counter = Counter(model)
    theirs, missing = peers(model, options)
    several = [each for each in workloads() if not options.quick or len(each.prompts) == 1]
    rows = []
    for workload in several:
        ours = [conditioner(model), conditioner(model, dialect="sd_embed")]
        counts = [str(count_of(counter, partial(encode, each, workload))) for each in ours]
        counts += [_of_peer(counter, theirs.get(name), missing, name, workload) for name in PEERS]
        rows.append([workload.name, *counts])
    columns = ["workload", "clipcond", "clipcond, dialect sd_embed", *PEERS]
    title = "Calls / chunks / positions of the text model; clipcond has encoded nothing before."
    return [Table(title, columns, rows), _variations(counter)]


def encode(ours: Conditioner, workload: Workload) -> object:
    """Encode a workload as a pipeline does."""
    return ours.guided(workload.prompts, [workload.negative] * len(workload.prompts))


def count_of(counter: Counter, work: Callable[[], object]) -> Count:
    """Count the text model's work during a call."""
    with counter.counting() as count:
        work()
    return count


def _of_peer(
    counter: Counter, peer: Peer | None, missing: dict[str, str], name: str, workload: Workload
) -> str:
    if peer is None:
        return missing[name]
    return str(count_of(counter, partial(peer, workload)))


def _variations(counter: Counter) -> Table:
    """Count the work of calls that share much with the one before."""
    workload = workloads()[1]
    prompt = workload.prompts[0]
    schedule = "a [red:blue:0.3] fox [under:on:0.6] a tree"
    variants = ["a red fox under a tree", "a blue fox under a tree", "a blue fox on a tree"]
    ours = conditioner(text_model(WIDTH, LAYERS))
    steps = {
        "120 weighted + 40, first": workload,
        "the same again": workload,
        "other weights": replace(workload, prompts=[prompt.replace(":1.", ":1.0")]),
        "another negative": replace(workload, negative="a blurred tree"),
        f"the three variants of {schedule}": Workload("", variants, workload.negative),
    }
    rows = [
        [name, str(count_of(counter, partial(encode, ours, each)))] for name, each in steps.items()
    ]
    in_compel = conditioner(text_model(WIDTH, LAYERS), dialect="compel")
    written = " ".join(f"(fox)0.{i} tree" for i in range(4, 10))
    count = count_of(counter, lambda: in_compel.guided([written], [""]))
    rows.append(["dialect compel, six fragments below 1", str(count)])
    return Table("Calls / chunks / positions, one after the other.", ["call", "clipcond"], rows)
