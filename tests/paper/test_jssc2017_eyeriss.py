"""Eyeriss as measured (JSSC 52(1), 2017, Tables V and VI): processing latency, counts.

Aim: 15 % a layer and 10 % in total, without a constant fitted to these rows. What comes out is
pinned to half a percent, so that a change of the model shows. The largest errors, and why:

- CONV5 (+11): CONV4 and CONV5 have one mapping, so a model gives both the same cycles a MAC, but
  the chip needs 6 % fewer for CONV5. What is simulated lies above both: weights are loaded and each
  row of windows (4 images a pass) is begun before anything else, which the chip seems to hide in
  part.
- GLB accesses of CONV3 (+38): the mapping of Table III has 64 steps over channels, the accesses of
  Table V fit 43 (q * r = 6) to three digits. The latency is 1.2 % shorter with those.
- GLB accesses of VGG-16's CONV1-1 to CONV3-3 (+3.5): less than two a psum and step over channels,
  with whatever mapping; unexplained.
"""

import pytest

from accelsim.dataflows.row_stationary import check_mapping
from accelsim.validation import eyeriss_array, eyeriss_layers, validate_eyeriss

ERRORS = {
    ("alexnet", "CONV1"): -3.0,
    ("alexnet", "CONV2"): -3.0,
    ("alexnet", "CONV3"): 3.9,
    ("alexnet", "CONV4"): 4.2,
    ("alexnet", "CONV5"): 11.2,
    ("alexnet", "total"): 0.9,
    ("vgg16", "CONV1-1"): -2.0,
    ("vgg16", "CONV1-2"): -1.6,
    ("vgg16", "CONV2-1"): -1.6,
    ("vgg16", "CONV2-2"): -1.6,
    ("vgg16", "CONV3-1"): 3.1,
    ("vgg16", "CONV3-2"): 3.1,
    ("vgg16", "CONV3-3"): 3.1,
    ("vgg16", "CONV4-1"): -0.6,
    ("vgg16", "CONV4-2"): -0.5,
    ("vgg16", "CONV4-3"): -0.5,
    ("vgg16", "CONV5-1"): 1.1,
    ("vgg16", "CONV5-2"): 0.7,
    ("vgg16", "CONV5-3"): 0.7,
    ("vgg16", "total"): -0.1,
}
"""Of processing latency, signed, in %."""


@pytest.fixture(scope="module")
def table():
    return validate_eyeriss().set_index(["network", "layer"])


def test_every_layer_is_within_15_percent_and_both_totals_within_10(table):
    assert set(table.index) == set(ERRORS)
    layers = table.drop("total", level="layer")
    assert (layers["error"].abs() <= 0.15).all()
    assert (table.xs("total", level="layer")["error"].abs() <= 0.10).all()
    for row, error in ERRORS.items():
        assert 100 * table.loc[row, "error"] == pytest.approx(error, abs=0.5), row


def test_active_pes_are_the_published_ones(table):
    layers = table.drop("total", level="layer")
    differing = layers[layers["active_pes_measured"] != layers["active_pes_simulated"]]
    # 163 is no product of whole sets; the two layers of the same shape have 168.
    assert list(differing.index) == [("vgg16", "CONV5-1")]


def test_glb_accesses(table):
    error = 100 * table["glb_error"]
    for layer in ("CONV1", "CONV2", "CONV4", "CONV5"):
        assert abs(error["alexnet", layer]) < 0.5
    assert error["alexnet", "CONV3"] == pytest.approx(37.9, abs=0.5)
    for layer, _ in error["vgg16"].items():
        assert -0.5 < error["vgg16", layer] < 3.7


def test_total_latency_is_told_but_not_claimed(table):
    """The chip compresses fmaps on the link (RLC), which is not modelled, nor is its DRAM."""
    total = table.xs("total", level="layer")["total_error"]
    assert 100 * total["alexnet"] == pytest.approx(2.3, abs=0.5)
    assert 100 * total["vgg16"] == pytest.approx(-9.0, abs=0.5)


def test_mappings_fit_the_chip_and_published_counts_follow_from_them():
    """Table III's GLB sizes: 72.2 + 15.5, 91.1 + 3.8, 84.5 + 7.0, 84.5 + 10.5 KB."""
    kib = []
    for one in eyeriss_layers():
        check_mapping(one.shape, one.mapping, eyeriss_array(), layer=one.layer)
        m, shape = one.mapping, one.shape
        rows = (m.e - 1) * shape.stride[0] + shape.r
        width = (m.f - 1) * shape.stride[1] + shape.s
        words = (m.m * m.n * m.e * m.f, m.n * m.q * m.r * rows * width)
        kib.append(tuple(round(2 * count / 1024, 1) for count in words))
    assert kib[:5] == [(72.2, 15.5), (91.1, 3.8), (84.5, 7.0), (84.5, 10.5), (84.5, 10.5)]
