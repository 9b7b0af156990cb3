"""Listings kept on disk: the same as fresh ones, never older than the sources, never in the way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from accelsim import multipliers
from accelsim.cli import catalog as module
from accelsim.cli.catalog import KINDS, catalog

ROOT = Path(__file__).parents[2]

EVERY_KIND = """
import json, sys
from accelsim.cli.catalog import KINDS, catalog
kept = [[kind, list(names.items())] for kind, names in catalog(KINDS)]
loaded = sorted({"numba", "numpy", "pandas", "torch"} & {*sys.modules})
fresh = [[kind, list(make().items())] for kind, make in KINDS.items()]
print(json.dumps([loaded, kept, fresh]))
"""

VERB = """
import atexit, sys
atexit.register(lambda: print("numba" in sys.modules, file=sys.stderr))
from accelsim.cli import main
main(sys.argv[1:])
"""


def run(code, cache, *arguments, root=ROOT):
    """Run *code* in a fresh process; return what it printed on stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_what_is_kept_is_what_is_made(tmp_path):
    loaded, made, fresh = json.loads(run(EVERY_KIND, tmp_path)[0])
    assert "numba" in loaded
    assert made == fresh
    assert json.loads(run(EVERY_KIND, tmp_path)[0]) == [[], fresh, fresh]


def test_verbs_without_a_kernel_do_not_import_numba(tmp_path):
    cold, loaded = run(VERB, tmp_path, "list", "multipliers")
    assert loaded.split() == ["True"]
    assert run(VERB, tmp_path, "list", "multipliers") == (cold, "False\n")
    run(VERB, tmp_path, "list")
    for verb in (["list"], ["show", "tiny_4x4"], ["show", "lenet5_digits"]):
        assert run(VERB, tmp_path, *verb)[1].split() == ["False"], verb


def test_a_changed_unit_is_noticed(tmp_path):
    """In a copy of the package, whose file is changed between two listings."""
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    for name in ("accelsim", "energy_tables", "workloads"):
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    shutil.copy(ROOT / "setup.cfg", tree)
    assert "a unit renamed" not in run(VERB, cache, "list", "multipliers", root=tree)[0]
    unit = tree / "accelsim" / "multipliers" / "exact_fp32.py"
    text = unit.read_text()
    title = multipliers.MULTIPLIERS["exact_fp32"].title
    assert text.count(title) == 1
    unit.write_text(text.replace(title, "a unit renamed"))
    assert "a unit renamed" in run(VERB, cache, "list", "multipliers", root=tree)[0]


def test_every_source_of_a_listing_counts(tmp_path, monkeypatch):
    for folder in ("package", "energy_tables", "workloads"):
        (tmp_path / folder / "inner").mkdir(parents=True)
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "package")
    monkeypatch.setattr(module, "resource_dir", lambda name: tmp_path / name)
    folders = [module._folder()]
    for name in (
        "package/inner/unit.py",
        "package/inner/preset.yaml",
        "energy_tables/table.csv",
        "workloads/net.py",
    ):
        for text in ("1", "2"):
            (tmp_path / name).write_text(text)
            folders.append(module._folder())
    assert len(set(folders)) == 9
    (tmp_path / "workloads" / "weights.safetensors").write_text("no source")
    assert module._folder() == folders[-1]


@pytest.mark.parametrize("content", [b"", b'{"a": "b"', b'["a"]', b'{"a": 1}', b"\xff\xfe"])
def test_a_corrupt_listing_costs_only_time(tmp_path, content):
    file = tmp_path / "multipliers.json"
    file.write_bytes(content)
    assert module._kept(file, lambda: {"unit": "title"}) == {"unit": "title"}
    assert module._kept(file, lambda: {}) == {"unit": "title"}


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("no folder")
    file = tmp_path / "file" / "listing" / "multipliers.json"
    for title in ("one", "two"):
        assert module._kept(file, lambda title=title: {"unit": title}) == {"unit": title}


def test_entries_of_this_process_are_listed_and_not_kept(tmp_path, monkeypatch):
    """This process has imported a registry: a unit may have been registered beside the files."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(KINDS, "multipliers", lambda: {"own": "of this process"})
    assert dict(catalog(["multipliers"])) == {"multipliers": {"own": "of this process"}}
    assert list(tmp_path.iterdir()) == []
