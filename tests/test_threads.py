"""Threads: the same bits for any number of them, choosing the number, forks and failures."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import accelsim
from accelsim.accumulators import ACCUMULATORS
from accelsim.errors import ConfigError
from accelsim.kernels import accumulate, conv2d, convolution, division
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.threads import VARIABLE, get_threads, run_parts, set_threads, shares


@pytest.fixture
def divided(monkeypatch):
    """Let the smallest work be divided; the number of threads is put back after the test."""
    monkeypatch.setattr(division, "GRAIN", 1)
    monkeypatch.setattr(convolution, "GRAIN", 1)
    yield
    set_threads(None)


KINDS = {
    "panels along columns": ("ax_fpm", "float32", (19, 40, 1100)),
    "panels along filters": ("ax_fpm", "float32", (150, 40, 33)),
    "few columns": ("ax_fpm", "float32", (150, 600, 3)),
    "pairs of k": ("exact_fp32", "float64", (70, 21, 300)),
    "by row": ("exact_int8", "int32", (1, 9, 40)),
    "by lanes": ("exact_int8", "int32", (33, 9, 500)),
    "by lanes of columns": ("exact_int8", "int64", (500, 9, 33)),
    "by dot": ("exact_int8", "int32", (77, 41, 1)),
    "scalar, order matters": ("exact_int16", "int32_saturating", (33, 40, 90)),
}


def result(unit, accumulator, shape):
    n, k, m = shape
    unit = MULTIPLIERS[unit]
    rng = np.random.default_rng(3)
    pair = [100 * rng.standard_normal(size) for size in ((k, m), (n, k))]
    integer = isinstance(unit, IntegerMultiplier)
    dtype = unit.operands.dtype if integer else np.float32
    psums = np.zeros((n, m), ACCUMULATORS[accumulator].dtype)
    accumulate(unit, accumulator, *[np.clip(x, -128, 127).astype(dtype) for x in pair], psums)
    return psums


@pytest.mark.parametrize("kind", KINDS)
def test_bits_do_not_depend_on_the_number_of_threads(divided, kind):
    set_threads(1)
    alone = result(*KINDS[kind])
    for count in (2, 3):
        set_threads(count)
        np.testing.assert_array_equal(result(*KINDS[kind]).view(np.uint8), alone.view(np.uint8))


@pytest.mark.parametrize("groups", [1, 4])
def test_convolutions_do_not_depend_on_it_either(divided, groups):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3, 8, 9, 9)).astype(np.float32)
    weights = rng.standard_normal((16, 8 // groups, 3, 3)).astype(np.float32)
    outputs = []
    for count in (1, 2, 3, 7):
        set_threads(count)
        outputs.append(conv2d("ax_fpm", "float32", images, weights, padding=(1, 1), groups=groups))
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])


def test_concurrent_calls_share_the_pool(divided):
    """More callers than threads, while the number changes under them."""
    expected = result(*KINDS["by lanes"])
    wrong = []

    def call(seed):
        for count in range(1, 4):
            set_threads(1 + (seed + count) % 3)
            if not np.array_equal(result(*KINDS["by lanes"]), expected):
                wrong.append(seed)

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_a_forked_child_has_threads_of_its_own():
    code = """
    import os
    import threading
    from accelsim.threads import run_parts, set_threads

    set_threads(3)
    names = []
    parts = [lambda: names.append(threading.current_thread().name)] * 4
    run_parts(parts)
    child = os.fork()
    if child == 0:
        names.clear()
        run_parts(parts)
        os._exit(0 if len(names) == 4 and "accelsim_0" in names else 1)
    print(os.waitpid(child, 0)[1], len(names))
    """
    got = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert got.stdout.split() == ["0", "4"]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_part_that_fails_fails_the_call_after_all_have_ended(failing):
    done = []

    def part(index):
        if index == failing:
            raise ValueError("this part")
        done.append(index)

    with pytest.raises(ValueError, match="this part"):
        run_parts([lambda index=index: part(index) for index in range(3)])
    assert sorted(done) == [index for index in range(3) if index != failing]


@given(st.integers(0, 300), st.integers(1, 9), st.integers(1, 16))
def test_shares_cover_everything_once(count, parts, multiple):
    ranges = shares(count, parts, multiple)
    assert 1 <= len(ranges) <= parts
    assert [i for first, last in ranges for i in range(first, last)] == list(range(count))
    assert all(first % multiple == 0 for first, _ in ranges)
    assert count == 0 or all(first < last for first, last in ranges)


@pytest.fixture
def environment(monkeypatch):
    for name in (VARIABLE, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_number_comes_from_the_call_then_the_environment(environment):
    assert get_threads() == len(os.sched_getaffinity(0))
    environment.setenv("OMP_NUM_THREADS", "6,2")
    assert get_threads() == 6
    environment.setenv(VARIABLE, "3")
    assert get_threads() == 3
    accelsim.set_threads(5)
    assert get_threads() == 5
    accelsim.set_threads(None)
    assert get_threads() == 3


@pytest.mark.parametrize("count", [0, -1, 2.0, True, "2"])
def test_rejects_numbers_that_are_none(count):
    with pytest.raises(ConfigError, match="threads must be an int >= 1, or None"):
        set_threads(count)


@pytest.mark.parametrize("value", ["0", "two", "-1", "1.5"])
def test_rejects_an_environment_that_is_none(environment, value):
    environment.setenv(VARIABLE, value)
    with pytest.raises(ConfigError, match=f"ACCELSIM_THREADS must be an int >= 1, got '{value}'"):
        get_threads()
