"""Tests of accelsim.resources."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from accelsim import resources
from accelsim.errors import AccelsimError
from accelsim.resources import RESOURCES, resource_dir


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty folder that accelsim takes for its package."""
    folder = tmp_path / "accelsim"
    folder.mkdir()
    monkeypatch.setattr(resources, "_package_dir", lambda: folder)
    return folder


def make(folder):
    folder.mkdir()
    (folder / "__init__.py").touch()
    return folder


@pytest.mark.parametrize("name", RESOURCES)
def test_finds_the_shipped_folders(name):
    assert (resource_dir(name) / "__init__.py").is_file()


def test_setup_cfg_names_every_package_and_maps_the_folders():
    """Packages are listed by hand, since two lie outside: one forgotten is not shipped."""
    root = Path(__file__).parents[1]
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    found = {
        ".".join(path.parent.relative_to(root).parts)
        for path in (root / "accelsim").rglob("__init__.py")
    }
    listed = set(config["options"]["packages"].split())
    assert listed == found | {f"accelsim.{name}" for name in RESOURCES}
    mapped = dict(
        line.split(" = ") for line in config["options"]["package_dir"].split("\n") if line
    )
    assert mapped == {f"accelsim.{name}": name for name in RESOURCES}


def test_prefers_the_folder_inside_the_package(package):
    (package.parent / "setup.cfg").touch()
    make(package.parent / "workloads")
    inside = make(package / "workloads")
    assert resource_dir("workloads") == inside


def test_finds_the_sibling_in_a_checkout(package):
    (package.parent / "setup.cfg").touch()
    sibling = make(package.parent / "workloads")
    (package / "workloads").mkdir()  # left over, without __init__.py
    assert resource_dir("workloads") == sibling


def test_rejects_a_stranger_beside_an_installed_package(package):
    make(package.parent / "workloads")
    with pytest.raises(AccelsimError, match="'workloads' of accelsim is missing; looked at"):
        resource_dir("workloads")


def test_rejects_a_missing_folder(package, monkeypatch, tmp_path):
    (package.parent / "setup.cfg").touch()
    elsewhere = tmp_path / "user"
    elsewhere.mkdir()
    make(elsewhere / "workloads")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(AccelsimError, match="Reinstall accelsim, or run it from a complete"):
        resource_dir("workloads")


def test_rejects_an_unknown_name():
    with pytest.raises(AccelsimError, match=r"'workload'; known: .* Did you mean 'workloads'"):
        resource_dir("workload")
