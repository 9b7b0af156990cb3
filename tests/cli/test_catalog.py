"""Listings kept on disk: the same as fresh ones, never older than the sources, never in the way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from accelsim import multipliers
from accelsim.cli import catalog as module
from accelsim.cli.catalog import KINDS, Catalog
from accelsim.cli.pages import PAGES, Page
from accelsim.importing import import_multiplier
from accelsim.sources import cache_root

ROOT = Path(__file__).parents[2]

EVERY_TEXT = """
import json, pathlib, sys
from dataclasses import asdict
from accelsim.cli import catalog as module
from accelsim.cli.pages import PAGES
module.cache_root = lambda: pathlib.Path(sys.argv[1])
catalog, KINDS = module.Catalog(), module.KINDS  # not LIVE ones, which are never kept
names = {kind: catalog.names(kind) for kind in KINDS}
pages = {kind: {name: asdict(catalog.page(kind, name)) for name in names[kind]} for kind in KINDS}
loaded = sorted({"numba", "numpy", "pandas", "torch"} & {*sys.modules})
made = {kind: make() for kind, make in KINDS.items()}
made_pages = {kind: {name: asdict(PAGES[kind](name)) for name in made[kind]} for kind in KINDS}
print(json.dumps([loaded, [names, pages], [made, made_pages]]))
"""

VERBS = """
import contextlib, io, json, pathlib, sys
from accelsim.cli import catalog as module
from accelsim.cli import main
module.cache_root = lambda: pathlib.Path(sys.argv[1])
shown = []
for verb in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(io.StringIO()) as stream, contextlib.suppress(SystemExit):
        main(verb)
    shown.append(stream.getvalue())
print(json.dumps([sorted({"numba", "torch"} & {*sys.modules}), shown]))
"""


def run(code, cache, *arguments, root=ROOT):
    """Run *code* in a fresh process; return what it printed on stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def shown(kept, *verbs, root=ROOT):
    """Return the compiling libraries that a process loads for *verbs*, and what each prints."""
    return json.loads(run(VERBS, cache_root(), kept, json.dumps(verbs), root=root)[0])


@pytest.fixture(scope="module")
def every_text(tmp_path_factory):
    """A folder in which names and pages of everything are kept, and what its maker printed.

    Compiled products come from the cache of the other tests.
    """
    folder = tmp_path_factory.mktemp("kept")
    return folder, json.loads(run(EVERY_TEXT, cache_root(), folder)[0])


def test_what_is_kept_is_what_is_made(every_text):
    """Names and pages of everything that is listed; from disk no library is behind them."""
    folder, (loaded, kept, made) = every_text
    assert "numba" in loaded
    assert kept == made
    assert json.loads(run(EVERY_TEXT, cache_root(), folder)[0]) == [[], made, made]


def test_verbs_without_a_kernel_import_neither_numba_nor_torch(every_text, accelsim):
    """They print what this process does, which keeps nothing."""
    names = (
        *("exact_fp32", "drum<k>_<u|s><bits>", "float32", "os", "lenet5_digits", "fgsm"),
        *("tiny_4x4", "cmos45"),
    )
    verbs = [["list"], *(["show", name] for name in names)]
    assert shown(every_text[0], *verbs) == [[], [accelsim(*verb)[1] for verb in verbs]]


def test_a_changed_unit_is_noticed(tmp_path):
    """In a copy of the package, whose file is changed between two listings and two pages."""
    tree = tmp_path / "tree"
    for name in ("accelsim", "energy_tables", "workloads"):
        # With the compiled modules, which are as old as their sources in the copy, too.
        ignored = shutil.ignore_patterns("*.safetensors")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    shutil.copy(ROOT / "setup.cfg", tree)
    unit = tree / "accelsim" / "multipliers" / "exact_fp32.py"
    text = unit.read_text()
    title = multipliers.MULTIPLIERS["exact_fp32"].title
    assert text.count(title) == 1
    for new in (title, "a unit renamed"):
        unit.write_text(text.replace(title, new))
        # A process for each: one that has imported the units keeps nothing.
        for verb in (["list", "multipliers"], ["show", "exact_fp32"]):
            _, (printed,) = shown(tmp_path / "kept", verb, root=tree)
            assert ("a unit renamed" in printed) == (new != title)


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


@pytest.fixture
def titles(tmp_path, monkeypatch):
    """Titles of units that this process lists, as one that has registered none of its own."""
    titles = {"unit": "title"}
    monkeypatch.setattr(module, "REGISTRIES", ())
    monkeypatch.setattr(module, "cache_root", lambda: tmp_path)
    monkeypatch.setitem(KINDS, "multipliers", lambda: dict(titles))
    monkeypatch.setitem(PAGES, "multipliers", lambda name: Page(titles[name], prose=name))
    return titles


def texts():
    catalog = Catalog()
    return catalog.names("multipliers"), catalog.page("multipliers", "unit")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe", b"0\n{}", None])
def test_a_corrupt_text_costs_only_time(tmp_path, titles, content):
    made = ({"unit": "title"}, Page("title", prose="unit"))
    assert texts() == made
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:-1] if content is None else content)
    assert texts() == made
    titles["unit"] = "not looked at"
    assert texts() == made


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, titles):
    module._folder().write_text("no folder")
    for title in ("one", "two"):
        titles["unit"] = title
        assert texts() == ({"unit": title}, Page(title, prose="unit"))


def test_a_text_made_while_a_source_changes_is_not_kept(tmp_path, titles, monkeypatch):
    """It may hold what stands in the source now, under the digest of what stood there before."""
    catalog = Catalog()
    folder = module._folder()
    monkeypatch.setattr(module, "_folder", lambda: tmp_path / "changed")
    assert catalog.names("multipliers") == titles
    assert not folder.exists()
    assert not (tmp_path / "changed").exists()


def test_entries_of_this_process_are_listed_and_not_kept(tmp_path, titles, monkeypatch):
    """This process has imported a registry: a unit may have been registered beside the files."""
    monkeypatch.setattr(module, "REGISTRIES", (multipliers.__name__,))
    for title in ("one", "two"):
        titles["unit"] = title
        assert texts() == ({"unit": title}, Page(title, prose="unit"))
    assert list(tmp_path.iterdir()) == []


def test_a_unit_file_is_read_anew_each_time(tmp_path):
    """Its page changes with the file, which no digest of the sources covers."""
    file = tmp_path / "own.npz"
    for product in (6, 7):
        table = np.full((4, 4), product, np.int32)
        import_multiplier(
            table, name="own", bits=2, signed=False, operand_order="activation,weight", out=file
        )
        _, (page,) = shown(cache_root(), ["show", str(file)])
        assert ["product(2,", "3)", str(product)] in map(str.split, page.splitlines())
