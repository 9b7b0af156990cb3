import itertools
import random
import sys

import pandas as pd
import pytest

import accelsim
from accelsim.errors import ConfigError, UnknownNameError
from accelsim.store import Store
from accelsim.sweeps import Range, driver
from accelsim.sweeps.search import Objective, Search, pareto, parse_objectives, search_of
from accelsim.sweeps.space import Space, parse_values

FIELDS = {"array.rows": Range(2, 9), "array.cols": [4, 8], "clock_mhz": Range(50, 200, step=50)}


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.csv"
    path.write_text("a, 64, 8, 9\nb, 64, 8, 900\n")
    return str(path)


@pytest.fixture
def puts(monkeypatch, in_this_process):
    """The keys that were stored, in order."""
    stored, put = [], Store.put
    monkeypatch.setattr(Store, "put", lambda *a: stored.append(a[1]) or put(*a))
    return stored


def swept(net, out, grid=FIELDS, **how):
    return accelsim.sweep(net, grid, out=out, values=False, **how)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,x", ["1", "2", "x"]),
        ("4..7", Range(4, 7)),
        ("4..8:2", Range(4, 8, 2)),
        ("0.5..2:0.5", Range(0.5, 2.0, 0.5)),
        ("1..1e3:log", Range(1, 1000.0, log=True)),
        ("runs/..x", ["runs/..x"]),
    ],
)
def test_values_and_ranges_as_text(text, expected):
    assert parse_values(text, str) == expected
    if isinstance(expected, Range):
        assert parse_values(str(expected), str) == expected


def test_a_range_reaches_its_end():
    assert Range(0.1, 0.3, step=0.1).values() == pytest.approx([0.1, 0.2, 0.3])
    assert Range(4, 9, step=2).values() == [4, 6, 8]
    rng = random.Random(1)
    assert {Range(4, 9, step=2).draw(rng) for _ in range(60)} == {4, 6, 8}
    assert {Range(1, 3, log=True).draw(rng) for _ in range(60)} == {1, 2, 3}
    assert all(0.5 <= Range(0.5, 2.0, log=True).draw(rng) <= 2 for _ in range(60))


@pytest.mark.parametrize(
    "numbers", [(8, 4), (1, 2, 0), (1, float("inf")), ("a", 2), (True, 2), (0, 4, None, True)]
)
def test_rejects_a_range_that_is_none(numbers):
    with pytest.raises(ConfigError, match="a range is LOW..HIGH"):
        Range(*numbers)


def test_the_grid_is_every_combination():
    points = list(Space(FIELDS).grid())
    assert len(points) == len(Space(FIELDS)) == 8 * 2 * 4
    assert points[1] == {"array.rows": 2, "array.cols": 4, "clock_mhz": 100}
    with pytest.raises(ConfigError, match=r"clock_mhz=1.5..2.5 has no step, .* .1.5..2.5:STEP"):
        Space({"clock_mhz": Range(1.5, 2.5)}).grid()
    with pytest.raises(ConfigError, match=r"array.rows=4..64:log has no step, .* .4..64:STEP"):
        Space({"array.rows": Range(4, 64, log=True)}).grid()
    with pytest.raises(ConfigError, match="4,000,000 points, more than 1,000,000"):
        Space({"a": Range(1, 2000), "b": Range(1, 2000)}).grid()


def test_random_points_differ_and_begin_alike():
    def points(number, seed=0):
        search = search_of("random", Space(FIELDS), points=number, seed=seed, objectives=())
        return next(search.batches())

    assert points(10) == points(20)[:10]
    assert points(10) != points(10, seed=1)
    assert len({tuple(point.values()) for point in points(64)}) == 64
    assert len(points(1000)) == 64  # there are no more


def test_an_optimizer_stays_on_the_steps_of_a_range():
    space = Space({"array.rows": Range(4, 15, step=4)})
    how = {"points": 16, "seed": 0, "objectives": [Objective("latency_us")]}
    points = next(search_of("tpe", space, **how).batches())
    assert {point["array.rows"] for point in points} == {4, 8, 12}


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_an_optimizer_goes_on_where_it_stopped_and_shares_its_points(
    net, tmp_path, puts, monkeypatch, method
):
    how = {"search": method, "points": 40, "seed": 3, "objectives": ["latency_us", "energy_uj"]}
    whole = swept(net, tmp_path / "whole", **how)
    made, once = list(puts), set(puts)
    assert len(once) == len(made) == len(whole) <= 40

    # Stopped after 8 points, and the same again: the same table, and no point twice.
    puts.clear()
    stop = Store.put

    def interrupted(store, key, row):
        if len(puts) == 8:
            raise KeyboardInterrupt
        stop(store, key, row)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            swept(net, tmp_path / "part", **how)
    again = swept(net, tmp_path / "part", **how)
    assert puts == made
    assert again.equals(whole)

    # A grid in the same folder has only the rest to do; its best are as good.
    puts.clear()
    grid = swept(net, tmp_path / "part", objectives=how["objectives"])
    assert set(puts).isdisjoint(once)
    assert len(grid) == 64 == len(once | set(puts))
    best = grid.loc[grid["pareto"], "latency_us"].min()
    assert best <= whole.loc[whole["pareto"], "latency_us"].min() <= grid["latency_us"].median()


def test_the_front_is_what_no_row_betters():
    rows = [{"a": a, "b": b, "error": ""} for a, b in itertools.product(range(3), range(3))]
    rows.append({"error": "failed"})
    least = pareto(rows, parse_objectives(["a", "b"]))
    assert [index for index, best in enumerate(least) if best] == [0]
    mixed = pareto(rows, parse_objectives(["a", "b:max"]))
    assert [index for index, best in enumerate(mixed) if best] == [2]
    ties = pareto([rows[0], rows[0], rows[1], rows[3]], parse_objectives(["a:min"]))
    assert ties == [True, True, True, False]


def test_impossible_points_of_an_optimizer_are_rows(net, tmp_path, puts):
    fields = {"glb.forwarding": [True, False], "glb.unified": [True, False]}
    table = swept(net, tmp_path / "s", fields, search="nsga2", points=16)
    bad = table["error"].str.contains("forwarding needs unified")
    assert 0 < bad.sum() < len(table) == 4 - 0
    assert not table.loc[bad, "pareto"].any()
    with pytest.raises(ConfigError, match="no field 'array.rwos'"):
        swept(net, tmp_path / "t", {"array.rwos": [1, 2]}, search="tpe", points=4)


def test_a_later_batch_of_impossible_points_is_rows(net, tmp_path, puts, monkeypatch):
    class Proposed(Search):
        total, learns = 3, True

        def batches(self):
            for rows in (4, 0, 8):
                yield [{"array.rows": rows}]

    monkeypatch.setattr(driver, "search_of", lambda *a, **how: Proposed())
    table = swept(net, tmp_path / "s", search="tpe", points=3)
    assert table["array.rows"].tolist() == [4, 0, 8]
    assert table["error"].astype(bool).tolist() == [False, True, False]


def test_workloads_are_a_field_and_stores_are_shared(net, tmp_path, puts):
    other = tmp_path / "other.csv"
    other.write_text("a, 5, 8, 9\n")
    shared = tmp_path / "all.sqlite"
    grid = {"workload": [net, str(other)], "array.rows": [4, 8]}
    table = swept(net, tmp_path / "s", grid, store=shared)
    assert table["workload"].tolist() == ["net", "net", "other", "other"]
    assert len(puts) == 4
    swept(str(other), tmp_path / "t", {"array.rows": [2, 4, 8]}, store=shared)
    assert len(puts) == 5
    assert not (tmp_path / "t" / driver.STORE).exists()


def test_fail_fast_stops_and_keeps(net, tmp_path, puts):
    wide, grid = tmp_path / "wide.csv", {"glb.ifmap_kib": [64, 0.5, 32]}
    wide.write_text("a, 3, 300, 3, 3, 1, 1, 1\n")
    table = swept(str(wide), tmp_path / "s", grid, fail_fast=True)
    assert len(table) == len(puts) == 2
    assert table["error"].iloc[1]
    assert len(swept(str(wide), tmp_path / "s", grid)) == 3


def test_a_full_disk_loses_nothing(net, tmp_path, puts, monkeypatch):
    """The file may grow to so many pages and no further: what SQLite does where a disk is full."""
    grid = {"array.rows": Range(2, 60)}
    prepare = Store._prepare

    def small(store):
        prepare(store)
        store._database.execute("PRAGMA max_page_count=8")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "_prepare", small)
        with pytest.raises(accelsim.AccelsimError, match="disk is full; what it has is kept"):
            swept(net, tmp_path / "s", grid)
    kept = len(puts) - 1  # the last one was refused
    assert 3 < kept < 59
    with Store(tmp_path / "s" / driver.STORE) as store:
        assert len(store.rows()) == kept
    puts.clear()
    assert len(swept(net, tmp_path / "s", grid)) == 59
    assert len(puts) == 59 - kept


def test_a_network_that_changed_meanwhile_is_not_mixed_in(net, tmp_path, puts, monkeypatch):
    real = driver._evaluate

    def changed(todo, *rest):
        with open(net, "a") as file:
            file.write("c, 1, 1, 1\n")
        driver.forget_inputs()
        return real(todo, *rest)

    monkeypatch.setattr(driver, "_evaluate", changed)
    table = swept(net, tmp_path / "s", {"array.rows": [4]})
    assert "is another network here than where the sweep was started" in table["error"].iloc[0]


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"search": "nsga3"}, UnknownNameError, "no search named 'nsga3'; .* mean 'nsga2'"),
        ({"search": "random"}, ConfigError, "search random needs the number of points"),
        ({"search": "tpe", "points": 0}, ConfigError, "points must be an int >= 1, got 0"),
        ({"search": "tpe", "points": 2, "seed": -1}, ConfigError, "seed must be an int >= 0"),
        ({"points": 3}, ConfigError, "a grid has the points it has"),
        ({"objectives": ["a:best"]}, ConfigError, "COLUMN:max, got 'a:best'"),
        ({"objectives": ["a", "a:max"]}, ConfigError, "each may be there once"),
        ({"objectives": []}, ConfigError, "objectives must be a list of columns"),
        ({"objectives": ["accuracy:max"]}, ConfigError, "objective 'accuracy' needs values"),
    ],
)
def test_rejects_a_bad_search_before_the_first_point(net, tmp_path, how, error, message):
    with pytest.raises(error, match=message):
        swept(net, tmp_path / "s", **how)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("latncy_us", "no objective 'latncy_us'.*mean 'latency_us'"),
        ("multiplier", "objective 'multiplier' is 'exact_fp32' here, and no number"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"search": "nsga2", "points": 4}])
def test_rejects_an_objective_that_is_no_number_with_the_first_row(
    net, tmp_path, puts, objective, message, how
):
    for kept in (1, 1):  # the second time the row is in the store already
        with pytest.raises(ConfigError, match=message):
            swept(net, tmp_path / "s", objectives=[objective], **how)
        assert len(puts) == kept
        assert len(pd.read_csv(tmp_path / "s" / "results.csv")) == kept


def test_what_varies_is_an_objective_of_every_search(net, tmp_path, puts):
    for how in ({}, {"search": "tpe", "points": 4}):
        table = swept(net, tmp_path / "s", objectives=["array.rows"], **how)
        assert table.loc[table["pareto"], "array.rows"].unique() == table["array.rows"].min()


def test_a_missing_package_is_told(net, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'accelsim\[search\]'"):
        swept(net, tmp_path / "s", search="nsga2", points=4)


def test_objectives_read_as_they_are_written():
    assert parse_objectives(["a", "b:min", "c:max"]) == (
        Objective("a"), Objective("b"), Objective("c", maximize=True),
    )  # fmt: skip
