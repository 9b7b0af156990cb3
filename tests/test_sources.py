"""Where kept files lie; `source_digest` is tested with what depends on it."""

import sys
from pathlib import Path

import pytest

from accelsim.sources import cache_root


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_chosen_folder_comes_first(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/chosen")
    assert cache_root() == Path("/chosen")


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".cache/accelsim"),
        ("darwin", "Library/Caches/accelsim"),
        ("win32", "AppData/Local/accelsim/Cache"),
    ],
)
def test_the_users_cache_directory(monkeypatch, home, platform, folder):
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_root() == home / folder


def test_the_environment_moves_the_users_cache_directory(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_root() == Path("/x/accelsim")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache_root() == Path("/local/accelsim/Cache")
