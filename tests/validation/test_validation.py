"""Tables of measured chips: sources, totals, what is refused."""

from pathlib import Path

import pandas as pd
import pytest

import accelsim.validation
from accelsim.errors import ConfigError
from accelsim.validation import eyeriss_layers, validate_eyeriss


@pytest.mark.parametrize(
    "path", sorted(Path(accelsim.validation.__file__).parent.glob("*.csv")), ids=lambda p: p.name
)
def test_every_row_names_its_source(path):
    table = pd.read_csv(path)
    assert len(table)
    assert table["source"].str.len().min() > 10
    assert not table.isna().any(axis=None)


def test_layers_are_those_of_the_networks():
    layers = eyeriss_layers()
    macs = pd.Series([one.shape.macs for one in layers]).groupby([one.network for one in layers])
    # Tables V and VI: 2.66 G and 46.04 G, for 4 and 3 images.
    assert dict(macs.sum() / 1e9) == pytest.approx({"alexnet": 2.66, "vgg16": 46.04}, rel=0.002)
    assert {(one.network, one.mapping_source) for one in layers} == {
        ("alexnet", "published"),
        ("vgg16", "inferred"),
    }


def test_totals_and_errors(monkeypatch):
    first, second, *_ = eyeriss_layers()
    monkeypatch.setattr("accelsim.validation.eyeriss.eyeriss_layers", lambda: [first, second])
    seen = []
    table = validate_eyeriss("chosen", progress=lambda *where: seen.append(where))
    assert seen == [(0, 2, "CONV1"), (1, 2, "CONV2")]
    assert list(table["layer"]) == ["CONV1", "CONV2", "total"]
    assert list(table["mapping_source"][:2]) == ["chosen", "chosen"]
    one, two, total = (table.iloc[place] for place in range(3))
    assert total["simulated_ms"] == one["simulated_ms"] + two["simulated_ms"]
    assert total["error"] == pytest.approx(total["simulated_ms"] / (16.5 + 39.2) - 1)


def test_rejects_an_unknown_mapping():
    with pytest.raises(ConfigError, match=r"no mapping 'tabel'; known: table, chosen\. Did you"):
        validate_eyeriss("tabel")
