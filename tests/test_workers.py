import os
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from accelsim import workers
from accelsim.workers import in_processes, memory_bytes


def test_a_task_that_kills_its_process_costs_nobody_else_anything():
    def work(number):
        if number == 2:
            os._exit(1)
        return 10 * number

    tasks = {str(number): number for number in range(5)}
    found = in_processes(work, tasks, 2, crashed=lambda task, reason: (task, reason))
    assert dict(found) == {
        "0": 0, "1": 10, "2": (2, "TerminatedWorkerError"), "3": 30, "4": 40,
    }  # fmt: skip
    with pytest.raises(BrokenProcessPool):
        list(in_processes(work, {"2": 2}, 1))


def test_a_pool_that_breaks_before_a_suspect_is_begun_costs_that_one_only(monkeypatch):
    class Pool:
        def __init__(self, accepts):
            self.accepts = accepts

        def submit(self, function, task):
            if not self.accepts:
                raise BrokenProcessPool
            future = Future()
            if task == "dies":
                future.set_exception(BrokenProcessPool())
            elif self.accepts == "all":
                future.set_result(function(task))
            return future

        def shutdown(self, **how):
            pass

    pools = [Pool("some"), Pool(""), Pool("all")]
    monkeypatch.setattr(workers, "_executor", lambda *_: pools.pop(0))
    tasks = {"a": "dies", "b": "lives"}
    found = in_processes(str.upper, tasks, 2, crashed=lambda task, reason: reason)
    assert dict(found) == {"a": "BrokenProcessPool", "b": "LIVES"}


def test_tasks_are_skipped_as_late_as_possible():
    done = []

    def skip(key):
        return key in ("1", "3") and bool(done)

    tasks = {str(number): number for number in range(8)}
    for key, _ in in_processes(abs, tasks, 1, skip=skip):
        done.append(key)
    assert done == ["0", "1", "2", "4", "5", "6", "7"]  # two are handed out ahead


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit a process's data")
def test_a_process_has_its_share_of_the_memory(monkeypatch):
    def use(mib):
        return len(bytearray(mib << 20)) >> 20

    monkeypatch.setattr(workers, "memory_bytes", lambda: 1 << 30)
    assert list(in_processes(use, {"a": 100}, 1)) == [("a", 100)]
    with pytest.raises(MemoryError):
        list(in_processes(use, {"a": 2000}, 1))


def test_the_memory_of_this_machine_is_known():
    assert memory_bytes() is None or memory_bytes() > 1 << 26
