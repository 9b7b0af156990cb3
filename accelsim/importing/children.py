"""Child processes on a leash: for compilers, Yosys, and the code of strangers.

A child gets a folder, no input, a bare environment, and limits on processor time, wall time,
address space and the size of any file that it writes. It is no jail: what it may read or write by
its user's rights, it can. So import only code that you would compile and run by hand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accelsim.errors import DataError

__all__ = ["Ended", "Limits", "run_limited"]

# Sets the limits in a process of its own, then becomes the command: safe beside running threads.
_LAUNCHER = """
import os, resource, signal, sys
cpu, memory, size = map(int, sys.argv[1:4])
for what, limit, spare in (
    (resource.RLIMIT_CPU, cpu, 1),
    (resource.RLIMIT_AS, memory, 0),
    (resource.RLIMIT_FSIZE, size, 0),
    (resource.RLIMIT_CORE, 0, 0),
):
    hard = resource.getrlimit(what)[1]
    most = limit + spare if hard == resource.RLIM_INFINITY else min(limit + spare, hard)
    resource.setrlimit(what, (min(limit, most), most))
for number in (signal.SIGXFSZ, signal.SIGPIPE):  # Python ignores them, and the command would too
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[4], sys.argv[4:])
"""
_STDERR = "accelsim.stderr"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes
    ----------
    time_s : int
        Processor seconds; twice as long by the clock.
    memory_mib : int
        Address space.
    file_bytes : int
        Largest file.
    """

    time_s: int
    memory_mib: int
    file_bytes: int = 64 << 20


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes
    ----------
    code : int
        Exit status; negative: minus the signal that stopped it.
    late : bool
        It ran into the limit of processor time or of wall time.
    stderr : str
        What it wrote there, the first MiB.
    """

    code: int
    late: bool
    stderr: str

    @property
    def reason(self) -> str:
        """The signal by name, or the exit status."""
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return signal.Signals(-self.code).name
        return f"exit status {self.code}"


def run_limited(command: Sequence[str], folder: Path, limits: Limits) -> Ended:
    """Run *command*, an absolute program and its arguments, in *folder* and wait for it.

    Raises
    ------
    DataError
        This system has no resource limits.
    """
    if os.name != "posix":
        raise DataError("importing C and Verilog needs a system with resource limits (POSIX)")
    numbers = (limits.time_s, limits.memory_mib << 20, limits.file_bytes)
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *map(str, numbers), *command]
    errors = folder / _STDERR
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            launcher,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        ) as process,
    ):
        late = False
        try:
            process.wait(timeout=2 * limits.time_s)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            # The whole group: a child may have started others.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    with errors.open("rb") as stream:
        text = stream.read(_READ_BYTES).decode(errors="replace")
    return Ended(code, late or code == -signal.SIGXCPU, text)
