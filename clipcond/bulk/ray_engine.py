"""Run the work of a folder on Ray Data: this machine's processes, or those of a cluster."""

from __future__ import annotations

import json
import os
import pickle
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import ModuleType
from typing import Any

from clipcond.bulk.folder import R
from clipcond.bulk.work import Run, Work
from clipcond.errors import BulkError, ClipcondError, first_line

# A worker that dies is started again so often, and so is its run. Ray's own default has no end.
MOST_RESTARTS = 3
_AGAIN = "What is done stays: the same command goes on there."
_TOKEN = (
    "If the cluster asks for a token, as those of new releases of Ray do, set RAY_AUTH_MODE=token "
    "here, and have the token in ~/.ray/auth_token or RAY_AUTH_TOKEN."
)


class Worker:
    """What Ray keeps on a worker: the work, with its model loaded."""

    def __init__(self, work: Work[Any, Any]) -> None:
        self._work = work
        work.load()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Do runs, and return the records of their shards; an error of ours as it is."""
        made: list[str] = []
        try:
            for each in batch["run"]:
                run: Run = pickle.loads(each)
                found = (one for one in self._work.each(run) if not isinstance(one, int))
                made += [json.dumps(asdict(record)) for record in found]
        except ClipcondError as error:
            made.append(json.dumps({"failed": [error.message, error.remedy]}))
        return {"record": made}


def run_on_ray(
    runs: Sequence[Run], work: Work[R, Any], address: str | None, n_workers: int | None
) -> Iterator[R]:
    """Do the work on Ray; yield the records as they come.

    Args:
        address: of the cluster; None = the one that is connected, that of RAY_ADDRESS, or a new
            one here.
        n_workers: None = one for each GPU, or half as many as there are CPUs.
    Raises:
        BulkError: Ray is not installed, no cluster answers there, or a worker died too often.
    """
    data = _ray_data()
    import ray

    is_ours = not ray.is_initialized()
    try:
        _connect(address)
        has = ray.cluster_resources()
        n_gpus, n_cpus = int(has.get("GPU", 0)), int(has.get("CPU", 1))
        n = min(n_workers or n_gpus or max(1, n_cpus // 2), len(runs))
        items = data.from_items([{"run": pickle.dumps(each)} for each in runs])
        with _no_word_of_arguments():
            found = items.map_batches(
                Worker,
                fn_constructor_args=(work,),
                batch_size=1,
                compute=data.ActorPoolStrategy(min_size=n, max_size=n),
                num_gpus=1 if n_gpus else 0,
                max_restarts=MOST_RESTARTS,
                max_task_retries=MOST_RESTARTS,
            )
        for row in found.iter_rows():
            values = json.loads(row["record"])
            if "failed" in values:
                raise BulkError(*values["failed"])
            yield work.layout.record_of(values)
    except ClipcondError:
        raise
    except Exception as error:  # Ray's own, of a dozen kinds
        raise BulkError(f"Ray stopped: {first_line(error)}", _AGAIN) from error
    finally:
        if is_ours:
            ray.shutdown()


@contextmanager
def _no_word_of_arguments() -> Iterator[None]:
    """Hide that `ray_remote_args` is deprecated: the extra `bulk` pins a Ray that has it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        yield


def _ray_data() -> ModuleType:
    try:
        import ray.data
    except ImportError as error:
        raise BulkError(
            "engine 'ray' needs Ray Data, which is not installed",
            'Install it with: pip install "clipcond[bulk]"',
        ) from error
    found: ModuleType = ray.data
    return found


def _connect(address: str | None) -> None:
    import logging

    import ray

    if not ray.is_initialized():
        # Without an address Ray looks for a cluster, and waits for minutes for one that was killed.
        address = address or os.environ.get("RAY_ADDRESS")
        choices = {} if address else {"include_dashboard": False}
        try:
            _reach(address or "")
            ray.init(
                address or "local", log_to_driver=False, logging_level=logging.ERROR, **choices
            )
        except (OSError, ValueError, RuntimeError) as error:
            where = f"at {address!r}" if address else "here"
            reason = first_line(error)
            remedy = _TOKEN if "Failed to connect" in reason else ""
            raise BulkError(f"Ray does not start {where}: {reason}", remedy) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _reach(address: str) -> None:
    """Try whether anything answers at a host and port: Ray itself would wait for minutes.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()
