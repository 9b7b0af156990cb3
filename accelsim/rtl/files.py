"""What an export is made of: sources of the package, hex files, parameters, a Makefile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from accelsim.folders import prepare_folder, versions, write_results

__all__ = ["hex_words", "makefile", "parameters", "source", "write_export"]

_MAKEFILE = """\
# make            both simulators; each prints PASS or FAIL with what it measured
# make icarus     no build to speak of, slow to run
# make verilator  builds for a while, runs fast
SOURCES := {sources}
# Of the C++ that Verilator writes: -O0 builds in half the time, -O3 runs faster.
OPT ?= -O1

all: icarus verilator

icarus: bench.vvp
\tvvp -n bench.vvp

verilator: obj_dir/Vbench
\tobj_dir/Vbench

bench.vvp: $(SOURCES) parameters.vh
\tiverilog -g2012 -o $@ $(SOURCES)

# A loop through the bits of a vector gives wrong values in Verilator 5.006: an error here.
obj_dir/Vbench: $(SOURCES) parameters.vh
\tverilator --binary -O1 -Wno-fatal -Wno-lint -Wno-style -Wno-TIMESCALEMOD -Werror-UNOPTFLAT \\
\t\t-MAKEFLAGS "OPT_FAST=$(OPT) OPT_SLOW=-O0 OPT_GLOBAL=-O0" --top-module bench $(SOURCES)

clean:
\trm -rf bench.vvp obj_dir

.PHONY: all icarus verilator clean
"""


def source(name: str) -> str:
    """Return the text of a file in ``accelsim/rtl/verilog``."""
    return (resources.files("accelsim.rtl") / "verilog" / name).read_text(encoding="utf-8")


def makefile(sources: Iterable[str]) -> str:
    """Return a Makefile that runs the test bench of *sources*."""
    return _MAKEFILE.format(sources=" ".join(sources))


def parameters(values: Mapping[str, int | str]) -> str:
    """Return ``parameters.vh``, what sources and test bench are made with."""
    lines = "".join(f"localparam {name} = {value};\n" for name, value in values.items())
    return f"// What was exported.\n{lines}"


def hex_words(patterns: Iterable[int], bits: int) -> str:
    """Return a file for $readmemh: one word a line.

    >>> hex_words([1, 255], 12)
    '001\\n0ff\\n'
    """
    digits = -(-bits // 4)
    return "".join(f"{pattern:0{digits}x}\n" for pattern in patterns)


def write_export(folder: str | Path, files: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    """Make *folder* an export of these *files*, whole or not at all, in place of one that it was.

    Parameters
    ----------
    folder : path
        New, empty or an export already.
    files : mapping of str to str
        Name -> text.
    facts : mapping
        What was exported and what is expected of it, for ``manifest.json``.

    Raises
    ------
    DataError
        The folder holds something else or cannot be written.
    """
    path = prepare_folder(folder, "rtl")
    contents = {name: text.encode() for name, text in files.items()}
    write_results(path, contents, {"kind": "rtl", "versions": versions(), **facts})
