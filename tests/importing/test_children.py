import sys
import time
from pathlib import Path

import pytest

from accelsim.errors import DataError
from accelsim.importing import children
from accelsim.importing.children import Limits, run_limited


def run(folder, code, **limits):
    command = [sys.executable, "-I", "-S", "-c", code]
    return run_limited(command, folder, Limits(**{"time_s": 20, "memory_mib": 1024, **limits}))


def test_a_child_gets_a_bare_environment_and_its_folder(tmp_path):
    ended = run(
        tmp_path,
        "import os, sys; open('left', 'w').write(sys.stdin.read()); print('unseen');"
        "sys.exit(','.join(sorted(os.environ)))",
    )
    assert (ended.code, ended.late, ended.reason) == (1, False, "exit status 1")
    assert set(ended.stderr.strip().split(",")) <= {"LC_ALL", "LC_CTYPE", "PATH", "TMPDIR"}
    assert (tmp_path / "left").read_text() == ""


def test_limits_are_set_for_it_and_its_children(tmp_path):
    code = (
        "import resource, sys; sys.exit(repr([resource.getrlimit(what) for what in"
        "(resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]))"
    )
    ended = run(tmp_path, code, time_s=7, memory_mib=900, file_bytes=12345)
    size = 900 << 20
    assert ended.stderr.strip() == f"[(7, 8), ({size}, {size}), (12345, 12345), (0, 0)]"


def test_what_a_child_starts_ends_with_it(tmp_path):
    """A grandchild that waits for ever is killed too; killing takes the system a moment."""
    code = (
        "import os, signal\n"
        "reader, writer = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.write(writer, b'x'); signal.pause()\n"
        "os.read(reader, 1)\n"
        "open('pid', 'w').write(str(os.getpgid(0)))\n"
    )
    assert run(tmp_path, code).code == 0
    group = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 20
    while group in _groups() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert group not in _groups()


def _groups():
    """Process groups with a member that runs."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if state != "Z":
            found.add(int(group))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals by their Linux names")
def test_says_how_a_child_ended(tmp_path):
    spin = run(tmp_path, "while True: pass", time_s=1)
    assert (spin.late, spin.reason in ("SIGXCPU", "SIGKILL")) == (True, True)
    sleep = run(tmp_path, "import time; time.sleep(60)", time_s=1)
    assert (sleep.late, sleep.reason) == (True, "SIGKILL")
    write = run_limited(
        ["/bin/sh", "-c", "echo 1234567890 > x"], tmp_path, Limits(20, 1024, file_bytes=5)
    )
    assert (write.late, write.reason) == (False, "SIGXFSZ")


def test_rejects_a_system_without_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(children.os, "name", "nt")
    with pytest.raises(DataError, match="needs a system with resource limits"):
        run(tmp_path, "")
