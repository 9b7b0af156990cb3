"""Points on an existing engine: workers of dask.distributed behind a scheduler's address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, TypeVar

from accelsim import version
from accelsim.errors import ConfigError, DataError

__all__ = ["Cluster", "connected"]

Key = TypeVar("Key", bound=Hashable)
Task = TypeVar("Task")
Result = TypeVar("Result")

TIMEOUT_S = 5
"""Seconds in which a scheduler must answer."""

PATIENCE_S = 60
"""Seconds without any worker after which a sweep gives up."""

POLL_S = 2


class Cluster:
    """A scheduler with workers; made by `connected`."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Mapping[Key, Task],
        *,
        skip: Callable[[Key], bool],
        crashed: Callable[[Task, str], Result],
    ) -> Iterator[tuple[Key, Result]]:
        """Yield (key, ``function(task)``) as tasks finish; parameters as of `in_processes`.

        A task whose worker dies is given to another one by the scheduler; one that several workers
        died of is *crashed*.

        Raises
        ------
        DataError
            The scheduler is gone, or has had no workers for a minute.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        executor = self.client.get_executor(pure=False)
        waiting, flying = dict(tasks), dict[Future[Result], tuple[Key, Task]]()
        try:
            while waiting or flying:
                room = 2 * max(1, len(self._workers()))
                while waiting and len(flying) < room:
                    key = next(iter(waiting))
                    if not skip(key):
                        flying[executor.submit(function, waiting[key])] = key, waiting[key]
                    del waiting[key]
                for future in self._finished(flying):
                    key, task = flying.pop(future)
                    try:
                        result = future.result()
                    except KilledWorker as error:
                        result = crashed(task, type(error).__name__)
                    yield key, result
        except (CancelledError, FutureCancelledError, OSError, TimeoutError) as error:
            raise DataError(
                f"the scheduler at {self.address} is gone ({type(error).__name__}); what was "
                "finished is kept, and the same command goes on once it is back"
            ) from None
        finally:
            for future in flying:
                future.cancel()
            executor.shutdown(wait=False)

    def _finished(self, flying: Mapping[Future[Result], Any]) -> set[Future[Result]]:
        """Return some futures that are done, as soon as there are any."""
        seen = time.monotonic()
        while True:
            done = wait(flying, timeout=POLL_S, return_when=FIRST_COMPLETED).done
            if done or not flying:
                return set(done)
            if self._workers():
                seen = time.monotonic()
            elif time.monotonic() - seen > PATIENCE_S:
                raise DataError(
                    f"the scheduler at {self.address} has had no workers for {PATIENCE_S} s; what "
                    "was finished is kept, and the same command goes on once there are some"
                )

    def _workers(self) -> Mapping[str, Any]:
        if self.client.status != "running":
            raise OSError(f"client is {self.client.status}")
        return self.client.scheduler_info(n_workers=-1)["workers"]


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Yield the cluster whose scheduler is at *address*, ``tcp://host:port``.

    Raises
    ------
    ConfigError
        dask.distributed is not installed; nobody answers within 5 s; there are no workers, or some
        have another accelsim, or none.
    """
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        raise ConfigError(
            "a scheduler is used through dask.distributed, which is not installed; "
            "pip install 'accelsim[cluster]', or leave the scheduler out"
        ) from None
    # Its logs are of its own workings; what a user has to know is raised here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        get_address_host_port(address)  # A client that cannot read it complains as it is freed.
        client = Client(address, timeout=TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError):
        raise ConfigError(
            f"no scheduler answers at {address!r} within {TIMEOUT_S} s; give the address that "
            "'dask scheduler' prints, such as tcp://host:8786, or leave it out for local processes"
        ) from None
    with client:
        _check_workers(client, address)
        yield Cluster(client, address)


def _check_workers(client: Any, address: str) -> None:
    if not client.scheduler_info()["workers"]:
        raise ConfigError(
            f"the scheduler at {address!r} has no workers; start some where accelsim is installed: "
            f"dask worker {address} --nthreads 1"
        )
    # The module travels by its name: what is read is the worker's own.
    versions = attrgetter("__version__", "MODEL_VERSION")
    here = versions(version)
    for worker, there in sorted(client.run(versions, version, on_error="return").items()):
        if there != here:
            has = "no such accelsim" if isinstance(there, Exception) else _named(*there)
            raise ConfigError(
                f"worker {worker} of {address!r} has {has}, but this is {_named(*here)}; install "
                "the same version on all workers and on the scheduler"
            )


def _named(package: str, model: int) -> str:
    return f"accelsim {package} (model version {model})"
