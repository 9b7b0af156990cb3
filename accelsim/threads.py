"""Threads of the kernels: how many, and the pool that runs the parts of a matrix product.

Parts write to outputs of their own, and what is added to one output is added by one thread in its
order: no bit depends on how many there are. `set_threads` chooses; else ``ACCELSIM_THREADS`` does,
else ``OMP_NUM_THREADS`` (which worker processes of most libraries get as 1), else there is a thread
for each CPU that the process may use. Workers of `accelsim.sweep` have their share each.

>>> set_threads(2)
>>> get_threads()
2
>>> set_threads(None)
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from accelsim.errors import ConfigError

__all__ = ["VARIABLE", "cpus", "get_threads", "run_parts", "set_threads", "shares", "worthwhile"]

VARIABLE = "ACCELSIM_THREADS"


class _Pool:
    """The threads beside the calling one; made on first use, anew where the number changes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.chosen: int | None = None
        self.executor: ThreadPoolExecutor | None = None
        self.helpers = 0

    def forget(self) -> None:
        """Start afresh in a forked child, where no thread of the parent lives on."""
        self.lock = threading.Lock()
        self.executor = None
        self.helpers = 0


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def set_threads(count: int | None) -> None:
    """Let kernels use *count* threads, the calling one included; None: as the environment says.

    Raises
    ------
    ConfigError
        *count* is not an int >= 1.
    """
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise ConfigError(f"threads must be an int >= 1, or None for the default, got {count!r}")
    _pool.chosen = count


def get_threads() -> int:
    """Return how many threads kernels use.

    Raises
    ------
    ConfigError
        ``ACCELSIM_THREADS`` is set to something else than an int >= 1.
    """
    if _pool.chosen is not None:
        return _pool.chosen
    own = os.environ.get(VARIABLE, "").strip()
    if own:
        if not own.isdecimal() or int(own) < 1:
            raise ConfigError(
                f"environment variable {VARIABLE} must be an int >= 1, got {own!r}; unset it for "
                "one thread per CPU"
            )
        return int(own)
    # OpenMP allows a list, one number for each level of nesting.
    shared = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if shared.isdecimal() and int(shared) >= 1:
        return int(shared)
    return cpus()


def worthwhile(work: int, grain: int) -> int:
    """Return into how many parts of at least *grain* each to divide *work*, one per thread."""
    return 1 if work < 2 * grain else min(get_threads(), work // grain)


def shares(count: int, parts: int, multiple: int = 1) -> list[tuple[int, int]]:
    """Return at most *parts* ranges (first, last) of about equal size that cover ``range(count)``.

    >>> shares(10, 3, multiple=4)
    [(0, 4), (4, 8), (8, 10)]
    """
    blocks = -(-count // multiple)
    parts = max(1, min(parts, blocks))
    edges = [min(count, blocks * index // parts * multiple) for index in range(parts + 1)]
    return list(itertools.pairwise(edges))


def run_parts(parts: Sequence[Callable[[], object]]) -> None:
    """Call all *parts*, one at least: the first here, others in the pool.

    Returns when all have ended; raises what one of them raised. Parts must not call this in turn.
    """
    if len(parts) == 1:
        parts[0]()
        return
    with _pool.lock:
        helpers = max(1, get_threads() - 1)
        if _pool.executor is None or _pool.helpers != helpers:
            if _pool.executor is not None:
                # What it has been given it still does.
                _pool.executor.shutdown(wait=False)
            _pool.executor = ThreadPoolExecutor(helpers, thread_name_prefix="accelsim")
            _pool.helpers = helpers
        futures = [_pool.executor.submit(part) for part in parts[1:]]
    try:
        parts[0]()
    finally:
        wait(futures)
    for future in futures:
        future.result()


def cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
