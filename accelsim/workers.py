"""Worker processes: one function over many tasks, each process with its share of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from accelsim.errors import ConfigError
from accelsim.threads import VARIABLE, cpus

__all__ = ["check_workers", "in_processes", "memory_bytes"]

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
    function: Callable[[Task], Result],
    tasks: Mapping[Key, Task],
    workers: int | None,
    *,
    skip: Callable[[Key], bool] = lambda key: False,
    crashed: Callable[[Task, str], Result] | None = None,
) -> Iterator[tuple[Key, Result]]:
    """Yield (key, ``function(task)``) as tasks finish, from processes of their own.

    Each process has its share of the CPUs as threads, and may hold its share of the memory as data:
    more is a `MemoryError` in it (where the system has such limits).

    Parameters
    ----------
    function : callable
        Of a module, so that processes find it. What it raises is raised here.
    tasks : mapping
        Begun in this order.
    workers : int, optional
        Processes; by default one for each CPU that this one may use.
    skip : callable, optional
        Asked just before a task is handed out; where it says True the task is left out.
    crashed : callable, optional
        What to yield for a (task, reason) whose process died: those that were under way then are
        each run again alone, to tell whose fault it was. None: that is raised.
    """
    waiting, suspects = dict(tasks), dict[Key, Task]()
    number = min(workers or cpus(), len(tasks))
    while waiting or suspects:
        alone = bool(suspects)
        left = suspects if alone else waiting
        flying: dict[Future[Result], tuple[Key, Task]] = {}
        executor = _executor(1 if alone else number, number)
        try:
            while left or flying:
                while left and len(flying) < (1 if alone else 2 * number):
                    key = next(iter(left))
                    if not skip(key):
                        flying[executor.submit(function, left[key])] = key, left[key]
                    del left[key]
                done = wait(flying, return_when=FIRST_COMPLETED).done
                # The set has no order: of those that ended together, the first handed out first.
                for future in [one for one in flying if one in done]:
                    result = future.result()
                    yield flying.pop(future)[0], result
        except BrokenProcessPool as error:
            if crashed is None:
                raise
            if alone:
                key, task = next(iter(flying.values() or suspects.items()))
                suspects.pop(key, None)
                yield key, crashed(task, type(error).__name__)
            else:
                suspects = dict(flying.values())
        finally:
            executor.shutdown(wait=True, kill_workers=True)


def memory_bytes() -> int | None:
    """Return the memory that this machine, or the container around, has; None if nobody says."""
    amounts = []
    if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        amounts.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            amounts.append(int(text))
    return min(amounts) if amounts else None


def _executor(workers: int, shares: int) -> Any:
    """Return *workers* processes, each with one of so many *shares* of the machine."""
    from loky import get_reusable_executor

    # The workers together use the cores, not each of them all.
    threads = str(max(1, cpus() // shares))
    environment = dict.fromkeys((VARIABLE, "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), threads)
    total = memory_bytes()
    return get_reusable_executor(
        max_workers=workers,
        env=environment,
        timeout=IDLE_S,
        initializer=partial(_limit_data, None if total is None else total // shares),
    )


def _limit_data(share: int | None) -> None:
    """Let this process hold at most *share* bytes of data."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [one for one in (soft, share) if one not in (None, resource.RLIM_INFINITY)]
    if known:
        resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
