"""Time encoding, ours and the peers': the size of CLIP ViT-L/14, random weights, one thread.

Ratios are to one bare transformers forward over the distinct chunks of the workload, so that 1 is
the least that encoding without a cache can take.
"""

from __future__ import annotations

from functools import partial
from statistics import median

import torch

from benchmarks.measuring import Contender, Options, Table, interleaved, ratios
from benchmarks.peers import PEERS, peers
from benchmarks.prompt_text import text
from benchmarks.work import count_of, encode
from benchmarks.workloads import Counter, Workload, conditioner, text_model, workloads

BARE = "bare transformers"
COLD, WARM, AGAIN = "cold", "the empty chunk cached", "the same again"
# Of workloads with more prompts or chunks, which would take minutes at all twelve.
FEWER_LAYERS = {"600 weighted + 40": 3, "8 x (120 weighted) + 40": 3, "64 x 10 + 40": 1}


def measure(options: Options) -> list[Table]:
    """Time every workload, and bfloat16 where the CPU may be faster with it."""
    torch.set_num_threads(1)
    width, n_layers = (64, 2) if options.quick else (768, 12)
    rows = []
    for workload in workloads()[: 2 if options.quick else None]:
        layers = min(n_layers, FEWER_LAYERS.get(workload.name, n_layers))
        rows.append(_row(workload, width, layers, options))
    ours = [f"clipcond, {name}" for name in (COLD, WARM, AGAIN)]
    columns = ["workload", "layers", f"{BARE}, CPU ms", *ours, "dialect sd_embed", *PEERS]
    title = (
        f"CPU time as a multiple of one bare forward over the distinct chunks; medians of "
        f"{options.rounds} rounds, width {width}. diffusers cuts prompts off at one chunk."
    )
    return [Table(title, columns, rows), _bfloat16(width, n_layers, options)]


def _row(workload: Workload, width: int, n_layers: int, options: Options) -> list[str]:
    model = text_model(width, n_layers)
    theirs, missing = peers(model, options)
    kept = conditioner(model)
    # counted by a model of its own: hooks would be timed too
    counted = conditioner(text_model(64, 2))
    count = count_of(Counter(counted.towers[0].model), partial(encode, counted, workload))
    ids = torch.tensor(list(dict.fromkeys(count.input_ids)))

    @torch.no_grad()
    def bare() -> object:
        return model(ids).last_hidden_state

    def with_empty() -> object:
        ours = conditioner(model)
        ours("")
        return ours

    def work(ours: object) -> object:
        return encode(ours, workload)  # type: ignore[arg-type]

    spent = interleaved(
        {
            BARE: Contender(bare),
            COLD: Contender(work, lambda: conditioner(model)),
            WARM: Contender(work, with_empty),
            AGAIN: Contender(lambda: work(kept)),
            "sd_embed's": Contender(work, lambda: conditioner(model, dialect="sd_embed")),
            **{name: Contender(partial(peer, workload)) for name, peer in theirs.items()},
        },
        options.rounds,
    )
    times = ratios(spent, BARE)
    ours_to_show = [f"{times[name]:.3g}" for name in (COLD, WARM, AGAIN, "sd_embed's")]
    of_peers = [f"{times[name]:.2f}" if name in times else missing[name] for name in PEERS]
    return [
        workload.name,
        str(n_layers),
        f"{1e3 * median(spent[BARE]):.0f} ({len(ids)} chunks)",
        *ours_to_show,
        *of_peers,
    ]


def _bfloat16(width: int, n_layers: int, options: Options) -> Table:
    """Time a tower with bfloat16 weights, and compare what it computes with float32."""
    model = text_model(width, n_layers)
    half = _in_bfloat16(model, width, n_layers)
    rows = []
    for n in (1, 8):
        prompts = [text(60, start=i) for i in range(n)]
        exact = conditioner(model)(prompts).embeds
        spent = interleaved(
            {
                dtype: Contender(lambda ours, p=prompts: ours(p), partial(conditioner, each))
                for dtype, each in (("float32", model), ("bfloat16", half))
            },
            options.rounds,
        )
        error = (conditioner(half)(prompts).embeds.float() - exact).norm() / exact.norm()
        times = ratios(spent, "bfloat16")
        rows.append([str(n), f"{times['float32']:.2f}", f"{error:.4f}"])
    columns = ["chunks", "float32 / bfloat16", "error, relative to the norm"]
    return Table("bfloat16 weights on this CPU.", columns, rows)


def _in_bfloat16(model: torch.nn.Module, width: int, n_layers: int) -> torch.nn.Module:
    """Copy the model in bfloat16."""
    text_model.cache_clear()
    copied = text_model(width, n_layers)
    copied.load_state_dict(model.state_dict())
    return copied.to(torch.bfloat16)
