"""Worker processes: one function over many tasks, each process with one thread of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from accelsim.errors import ConfigError
from accelsim.threads import VARIABLE

__all__ = ["check_workers", "in_processes"]

Key = TypeVar("Key", bound=Hashable)
Task = TypeVar("Task")
Result = TypeVar("Result")

IDLE_S = 10
"""Seconds without work after which a worker ends, also when its driver was killed."""


def check_workers(workers: int | None) -> None:
    """Raise `ConfigError` unless *workers* is None or an int >= 1."""
    if workers is not None and (
        isinstance(workers, bool) or not isinstance(workers, int) or workers < 1
    ):
        raise ConfigError(f"workers must be an int >= 1, got {workers!r}")


def in_processes(
    function: Callable[[Task], Result], tasks: Mapping[Key, Task], workers: int | None
) -> Iterator[tuple[Key, Result]]:
    """Yield (key, ``function(task)``) as tasks finish, from processes of their own.

    Parameters
    ----------
    function : callable
        Of a module, so that processes find it. What it raises is raised here.
    tasks : mapping
        Begun in this order.
    workers : int, optional
        Processes; by default one for each CPU.
    """
    from loky import get_reusable_executor

    if not tasks:
        return
    # One thread a worker: the workers together use the cores, not each of them all.
    environment = dict.fromkeys((VARIABLE, "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    executor = get_reusable_executor(
        max_workers=min(workers or os.cpu_count() or 1, len(tasks)), env=environment, timeout=IDLE_S
    )
    try:
        futures: dict[Future[Result], Key] = {
            executor.submit(function, task): key for key, task in tasks.items()
        }
        pending = set(futures)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield futures[future], future.result()
    finally:
        executor.shutdown(wait=True, kill_workers=True)
