import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from accelsim.errors import AccelsimError, ConfigError, DataError, UnknownNameError
from accelsim.registry import Family, Registry


def shelf(entries):
    registry = Registry("thing", lambda: [registry.register(n, e) for n, e in entries.items()])
    return registry


def test_is_a_sorted_mapping():
    registry = shelf({"b": 2, "a": 1})
    assert dict(registry) == {"a": 1, "b": 2}
    assert list(registry) == ["a", "b"]
    assert len(registry) == 2
    assert "a" in registry
    assert "c" not in registry


def test_discovers_once_and_on_first_look_up():
    calls = []
    registry = Registry("thing", lambda: calls.append(1))
    assert calls == []
    assert list(registry) == list(registry) == []
    assert calls == [1]


def test_a_second_thread_waits_for_the_first_look_up():
    started, go_on = threading.Event(), threading.Event()

    def discover():
        registry.register("a", 1)
        assert registry["a"] == 1  # its own look-ups find what is there, and do not wait
        started.set()
        assert go_on.wait(10)
        registry.register("b", 2)

    registry = Registry("thing", discover)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(list, registry)
        assert started.wait(10)
        second = pool.submit(lambda: registry["b"])
        with pytest.raises(TimeoutError):
            second.result(timeout=0.05)
        go_on.set()
        assert first.result(10) == ["a", "b"]
        assert second.result(10) == 2


def test_a_member_that_two_threads_make_is_one_object():
    barrier = threading.Barrier(2)

    def make(name):
        barrier.wait(10)
        return object()

    registry = shelf({})
    registry.register_family(Family("n", "n", "one", make))
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(registry.__getitem__, ["n", "n"])
    assert one is other


def test_a_discovery_that_fails_is_tried_again():
    calls = []

    def discover():
        calls.append(1)
        if len(calls) == 1:
            raise OSError("no")
        registry.register("a", 1)

    registry = Registry("thing", discover)
    with pytest.raises(OSError, match="no"):
        list(registry)
    assert list(registry) == ["a"]


def test_an_unknown_name_is_told_the_nearest():
    registry = shelf({"ax_fpm": 1, "exact_fp32": 2})
    with pytest.raises(
        UnknownNameError,
        match=r"^no thing named 'ax_fmp'; known: ax_fpm, exact_fp32. Did you mean 'ax_fpm'\?$",
    ):
        registry["ax_fmp"]
    with pytest.raises(KeyError):
        registry["ax_fmp"]
    assert issubclass(UnknownNameError, AccelsimError)
    assert registry.get("ax_fmp") is None


def test_rejects_a_name_taken_twice():
    registry = shelf({"a": 1})
    assert "a" in registry
    with pytest.raises(ValueError, match="thing 'a' is registered twice"):
        registry.register("a", 2)


def family(registry):
    registry.register_family(
        Family("n<k>", r"n(?P<k>\d+)", "numbers", lambda name, k: (name, int(k)))
    )
    return registry


def test_a_family_makes_members_by_name_and_lists_none():
    registry = family(shelf({"a": 1}))
    assert registry["n12"] == ("n12", 12)
    assert registry["n12"] is registry["n12"]
    assert "n3" in registry
    assert "nx" not in registry
    assert list(registry) == ["a"]
    assert [one.form for one in registry.families] == ["n<k>"]
    with pytest.raises(UnknownNameError, match="known: a, n<k>"):
        registry["m3"]


def test_membership_agrees_with_look_up():
    """A member of a family with numbers out of range, and a file that is none, are not in it."""

    def make(name, k):
        if k == "0":
            raise ConfigError(f"{name}: k must be >= 1")
        return int(k)

    def open_file(path):
        raise DataError(f"{path} is damaged")

    registry = shelf({"a": 1})
    registry.register_family(Family("n<k>", r"n(?P<k>\d+)", "numbers", make))
    registry.register_files(".thing", open_file)
    for name, error in (("n0", ConfigError), ("x.thing", DataError)):
        assert name not in registry
        assert registry.recognizes(name)
        with pytest.raises(error):
            registry[name]
    assert "n1" in registry
    assert registry.recognizes("n1")
    assert registry.recognizes("a")
    for name in ("b", 1, None):
        assert name not in registry
        assert not registry.recognizes(name)


def test_a_registered_name_comes_before_a_family():
    registry = family(shelf({"n1": "own"}))
    assert registry["n1"] == "own"


def test_names_with_the_suffix_are_files_read_anew(tmp_path):
    def open_file(path):
        try:
            return Path(path).read_text()
        except OSError as error:
            raise UnknownNameError(path) from error

    registry = shelf({"a": 1})
    registry.register_files(".thing", open_file)
    file = tmp_path / "x.thing"
    assert str(file) not in registry
    for text in ("one", "two"):
        file.write_text(text)
        assert registry[str(file)] == text
    assert str(file) in registry
