"""The disk cache of compiled code: it hits across processes, and never across sources."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim import compilation
from accelsim.sources import PACKAGE, cache_root, source_digest

ROOT = Path(__file__).parents[1]

KERNELS = """
import numpy as np
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    from accelsim.kernels import accumulate
    from accelsim.accumulators import accumulator_of
    from accelsim.multipliers import MULTIPLIERS
    for name in {names}:
        unit = MULTIPLIERS[name]
        dtype = np.float32 if not hasattr(unit, "operands") else unit.operands.dtype
        for columns in {columns}:
            psums = np.zeros((2, columns), accumulator_of(unit).dtype)
            operands = np.ones((3, columns), dtype), np.ones((2, 3), dtype)
            accumulate(name, "auto", *operands, psums)
        unit.product(*np.ones((2, 1), dtype))
print(len(recorder.buffer), float(psums.sum()))
"""

NETWORK = """
import pickle
import accelsim
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    with open({path!r}, "rb") as file:
        trace = pickle.load(file)
    machine = accelsim.Accelerator.preset("edge_16x16")
    for unit in ("ax_fpm", "exact_int8"):
        print(accelsim.simulate(trace, machine.replace(multiplier=unit)).outputs.tobytes().hex())
print(len(recorder.buffer))
"""

TABLES = """
from accelsim.multipliers import MULTIPLIERS
for name in {names}:
    print(name, hash(MULTIPLIERS[name].table.tobytes()))
"""

USER_CODE = """
import {name} as module
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    value = module.outer(3)
print(len(recorder.buffer), value)
"""

LINEAR_ALGEBRA = """
import sys
import stored
stored.outer(3)
loaded = "scipy.linalg" in sys.modules
import numba
import numpy as np
dot = numba.njit(lambda a, b: np.dot(a, b))
print(loaded, int(dot(np.eye(2), np.eye(2)).sum()), "scipy.linalg" in sys.modules)
"""


def run(code, cache, **environment):
    """Run *code* in a fresh process; return the words that it prints."""
    path = os.pathsep.join([str(ROOT), str(cache.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_second_process_compiles_nothing(tmp_path):
    """Kernels close over jitted functions, which Numba's own cache would never hit."""
    cache, code = tmp_path / "cache", KERNELS.format(names=["exact_int16"], columns=(1, 20))
    first_events, first_sum = run(code, cache)
    assert int(first_events) > 0
    files = sorted(cache.rglob("*.nbc"))
    assert run(code, cache) == ["0", first_sum]
    assert sorted(cache.rglob("*.nbc")) == files


def test_a_second_process_compiles_nothing_of_any_unit():
    """In the cache of the other tests, where most of it is already."""
    code = KERNELS.format(names="MULTIPLIERS", columns=(1, 20, 400))
    _, first_sum = run(code, cache_root())
    assert run(code, cache_root()) == ["0", first_sum]


def test_a_second_simulation_of_a_network_compiles_nothing(tmp_path, small_trace):
    """LeNet-5, from images to logits: kernels, im2col, pooling and quantization.

    In the cache of the other tests, where most of it is already: the first process adds the rest.
    """
    model = accelsim.load_workload("lenet5_digits", limit=1)[0]
    trace = small_trace.calibrated(accelsim.nn.calibrate_workload("lenet5_digits", model))
    (tmp_path / "trace").write_bytes(pickle.dumps(trace))
    code = NETWORK.format(path=str(tmp_path / "trace"))
    *outputs, _ = run(code, cache_root())
    assert run(code, cache_root()) == [*outputs, "0"]


@pytest.mark.parametrize("spoil", ["truncated", "empty"])
def test_a_spoiled_file_is_a_miss(tmp_path, spoil):
    cache = tmp_path / "cache"
    (tmp_path / "spoiled.py").write_text(
        "from accelsim.compilation import jit\n@jit\ndef outer(x):\n    return 2 * x\n"
    )
    run(USER_CODE.format(name="spoiled"), cache)
    for file in cache.rglob("*.nbc"):
        file.write_bytes(file.read_bytes()[:100] if spoil == "truncated" else b"")
    assert run(USER_CODE.format(name="spoiled"), cache)[1] == "6"


def test_a_stored_form_is_loaded_without_scipy_which_linear_algebra_still_finds(tmp_path):
    (tmp_path / "stored.py").write_text(
        "from accelsim.compilation import jit\n@jit\ndef outer(x):\n    return 2 * x\n"
    )
    run(USER_CODE.format(name="stored"), tmp_path / "cache")
    assert run(LINEAR_ALGEBRA, tmp_path / "cache") == ["False", "2", "True"]


def test_a_changed_source_of_the_package_is_another_directory(tmp_path):
    (tmp_path / "kernels").mkdir()
    kernel, constants = tmp_path / "kernels" / "gemm.py", tmp_path / "formats.py"
    kernel.write_text("A = 1\n")
    digests = [source_digest(tmp_path, compilation.SOURCES)]
    for file, text in ((kernel, "A = 2\n"), (constants, "B = 1\n")):
        file.write_text(text)
        digests.append(source_digest(tmp_path, compilation.SOURCES))
    kernel.rename(tmp_path / "kernels" / "other.py")
    digests.append(source_digest(tmp_path, compilation.SOURCES))
    assert len(set(digests)) == 4
    (tmp_path / "notes.txt").write_text("no source")
    assert source_digest(tmp_path, compilation.SOURCES) == digests[-1]
    assert source_digest(PACKAGE, compilation.SOURCES) in compilation.cache_directory().name


def test_a_changed_callee_in_another_file_is_compiled_again(tmp_path):
    """What Numba's cache misses, here for a unit of a user, outside of the package."""
    cache = tmp_path / "cache"
    (tmp_path / "callee.py").write_text(
        "from accelsim.compilation import jit\n@jit\ndef inner(x):\n    return 2 * x\n"
    )
    (tmp_path / "caller.py").write_text(
        "from accelsim.compilation import jit\nfrom callee import inner\n"
        "@jit\ndef outer(x):\n    return inner(x) + 1\n"
    )
    code = USER_CODE.format(name="caller")
    assert run(code, cache)[1] == "7"
    assert run(code, cache) == ["0", "7"]
    callee = tmp_path / "callee.py"
    callee.write_text(callee.read_text().replace("2 * x", "5 * x"))
    events, value = run(code, cache)
    assert int(events) > 0
    assert value == "16"


def test_what_cannot_be_fingerprinted_is_not_stored(tmp_path):
    """A constant behind a foreign module: the key would not see it change."""
    cache = tmp_path / "cache"
    (tmp_path / "settings.py").write_text("FACTOR = 2\n")
    (tmp_path / "reader.py").write_text(
        "from accelsim.compilation import jit\nimport settings\n"
        "@jit\ndef outer(x):\n    return settings.FACTOR * x\n"
    )
    code = USER_CODE.format(name="reader")
    assert run(code, cache)[1] == "6"
    (tmp_path / "settings.py").write_text("FACTOR = 50\n")
    assert run(code, cache)[1] == "150"


def test_a_directory_that_cannot_be_made_breaks_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    (tmp_path / "blocked.py").write_text(
        "from accelsim.compilation import jit\n@jit\ndef outer(x):\n    return 2 * x\n"
    )
    code = USER_CODE.format(name="blocked")
    assert run(code, tmp_path / "cache", NUMBA_CACHE_DIR=str(blocked / "cache"))[1] == "6"
    assert blocked.read_text() == "no directory"


def test_forms_of_two_processes_do_not_mix(tmp_path):
    """Both arrays are one function with other cells, too large to be inlined."""
    cache, names = tmp_path / "cache", ("ama1_u8", "ama3_u8")
    environment = {"PYTHONHASHSEED": "0"}
    alone = [run(TABLES.format(names=[name]), cache, **environment) for name in names]
    together = run(TABLES.format(names=names), cache, **environment)
    assert together == [*alone[0], *alone[1]]
    assert alone[0][1] != alone[1][1]


def test_runs_without_numba(tmp_path):
    code = KERNELS.format(names="MULTIPLIERS", columns=(1, 13))
    assert run(code, tmp_path / "cache", NUMBA_DISABLE_JIT="1")[0] == "0"
    assert not (tmp_path / "cache").exists()


def test_closures_differ_by_what_they_close_over():
    def times(factor):
        @compilation.jit
        def scaled(x):
            return factor * x

        return scaled

    assert compilation._fingerprint(times(2)) != compilation._fingerprint(times(3))
    assert compilation._fingerprint(times(2)) == compilation._fingerprint(times(2))
    assert compilation._fingerprint(times(np.float32(2))) != compilation._fingerprint(times(2.0))


def test_only_contraction_is_ever_relaxed():
    @compilation.jit(contract=True)
    def fused(x):
        return x

    @compilation.jit
    def plain(x):
        return x

    assert fused.targetoptions["fastmath"] == {"contract"}
    assert not plain.targetoptions["fastmath"]
