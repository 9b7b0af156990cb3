"""What the tests of the scripts in plots/ share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PLOTS = Path(__file__).parents[2] / "plots"


@pytest.fixture
def script(monkeypatch):
    """Import the script of a name; its command line is what `sys.argv` is made to hold."""

    def load(name, *arguments):
        path = PLOTS / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"plots_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        return module

    return load
