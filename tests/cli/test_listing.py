"""Tests of accelsim list and show."""

import pytest


@pytest.mark.parametrize(
    "kind",
    [
        "multipliers",
        "accumulators",
        "dataflows",
        "workloads",
        "attacks",
        "presets",
        "dram",
        "tables",
        "datasets",
    ],
)
def test_list_and_show_everything(accelsim, kind):
    code, out, _ = accelsim("list", kind)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    from accelsim.cli.catalog import Catalog

    for name in Catalog().names(kind):
        assert name in out
        code, shown, _ = accelsim("show", name)
        assert code == 0
        assert len(shown) > 80


def test_list_all_and_version(accelsim):
    assert "edge_16x16" in accelsim("list")[1]
    assert accelsim("--version")[1].startswith("accelsim 0.")
