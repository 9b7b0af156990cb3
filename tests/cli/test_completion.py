"""Tests of what a shell completes, over the protocol that bash uses."""

import contextlib
import os
import select
import shutil
import subprocess
import sys

import pytest

from accelsim.cli import main
from accelsim.figures.kinds import FIGURES
from accelsim.sweeps.search import SEARCHES


@pytest.fixture
def complete(capsys, monkeypatch):
    """Return the words that the last word of a line may become, the way bash asks."""

    def run(line):
        words = line.split(" ") if isinstance(line, str) else line
        monkeypatch.setenv("_ACCELSIM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit) as caught:
            main([])
        assert not caught.value.code
        return capsys.readouterr().out.split()

    return run


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("accelsim simu", ["simulate"]),
        ("accelsim config s", ["show", "schema"]),
        ("accelsim simulate lenet5_d", ["lenet5_digits"]),
        ("accelsim simulate lenet5_digits -m ax_fpm_", ["ax_fpm_carry", "ax_fpm_flat"]),
        ("accelsim characterize exact_fp", ["exact_fp32"]),
        ("accelsim simulate x --accelerator ey", ["eyeriss_168"]),
        ("accelsim config show ey", ["eyeriss_168"]),
        ("accelsim score x --attack fg", ["fgsm"]),
        ("accelsim score x --scenario b", ["black_box"]),
        ("accelsim score x --source to", ["torch"]),
        ("accelsim score x --set q", ["quantization.activations=", "quantization.weights=",
                                      "quantization.per_channel="]),
        ("accelsim simulate x --set array.ro", ["array.rows="]),
        ("accelsim sweep x --vary dram.k", ["dram.kind="]),
        ("accelsim simulate x --set array.dataflow=", [f"array.dataflow={name}"
                                                       for name in ("is", "os", "rs", "ws")]),
        ("accelsim simulate x --set mapper.objective=t", ["mapper.objective=traffic"]),
        ("accelsim simulate x --set array.rows=", []),
        ("accelsim simulate x --set layer_m", ["layer_multipliers."]),
        ("accelsim simulate x --set layer_multipliers.conv1=ax_fpm_", [
            f"layer_multipliers.conv1=ax_fpm_{name}" for name in ("carry", "flat")]),
        ("accelsim simulate x --set nothing=", []),
        ("accelsim plot x --kind r", ["robustness", "roofline"]),
        ("accelsim plot x --kind ", [*FIGURES]),
        ("accelsim sweep x --search n", ["nsga2"]),
        ("accelsim sweep x --search ", [*SEARCHES]),
        ("accelsim list mul", ["multipliers"]),
        ("accelsim show cmos4", ["cmos45"]),
        ("accelsim show drum<", []),
        ("accelsim simulate x --qu", ["--quiet"]),
    ],
)  # fmt: skip
def test_bash_is_told(complete, line, found):
    assert sorted(complete(line)) == sorted(found)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("simulate x --set array.dataflow = w", ["ws"]),
        ("simulate x --set array.dataflow =", ["is", "os", "rs", "ws"]),
        ("simulate x --set array.rows = 8 --set multiplier = ax_fpm_f", ["ax_fpm_flat"]),
        ("simulate x --set = mapper.objective = t", ["traffic"]),
        ("simulate x --set = array.ro", ["array.rows="]),
        ("plot x --kind = roo", ["roofline"]),
        ("simulate x --out = r --qu", ["--quiet"]),
    ],
)
def test_bash_is_told_what_stands_behind_the_sign_at_which_it_breaks_words(complete, line, found):
    assert sorted(complete(["accelsim", *line.split()])) == found


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_key_pressed_in_bash_completes_a_value(tmp_path):
    """At a terminal, with the script that --show-completion prints; the command then runs."""
    pty = pytest.importorskip("pty")
    program = tmp_path / "accelsim"
    code = "from accelsim.cli import main; main()"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n")
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    asked = {**os.environ, "PATH": path, "_ACCELSIM_COMPLETE": "source_bash"}
    script = subprocess.run([program], env=asked, capture_output=True, check=True).stdout
    (tmp_path / "script").write_bytes(script)
    typed = (
        f"source {tmp_path / 'script'}; accelsim() {{ printf '<%s>' \"$@\"; exit; }}\n"
        "accelsim simulate x --set mapper.objective=t\t\n"
    )
    ours, its = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        env={**os.environ, "PATH": path},
        stdin=its, stdout=its, stderr=its, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    os.write(ours, typed.encode())
    shown = b""
    # Linux says that the other end has gone with an error.
    with contextlib.suppress(OSError):
        while select.select([ours], [], [], 60)[0] and (part := os.read(ours, 1024)):
            shown += part
    bash.kill()
    bash.wait()
    os.close(ours)
    assert b"<simulate><x><--set><mapper.objective=traffic>" in shown


@pytest.mark.parametrize("kind", ["workloads", "multipliers", "attacks", "presets"])
def test_completing_names_imports_no_torch(kind):
    """Nor what draws, nor tables: not even where nothing is kept from earlier."""
    code = (
        "import sys; from accelsim.cli import catalog, completion\n"
        "catalog._folder = lambda: None\n"
        f"assert completion.names({kind!r})('')\n"
        "print(sorted({'torch', 'matplotlib', 'pandas', 'art', 'foolbox'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_key_pressed_imports_next_to_nothing():
    """Where names are kept: neither numpy nor the units."""
    code = (
        "import sys; from accelsim.cli import main\n"
        "try: main([])\n"
        "finally: print(sorted({'torch', 'numpy', 'numba', 'pandas'} & {*sys.modules}))"
    )
    asked = {"COMP_WORDS": "accelsim show ax_fpm_f", "COMP_CWORD": "2"}
    environment = {**os.environ, **asked, "_ACCELSIM_COMPLETE": "complete_bash"}
    for _ in range(2):  # the first one may have to make what is kept
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
    assert done.stdout.split() == ["ax_fpm_flat", "[]"], done.stderr
