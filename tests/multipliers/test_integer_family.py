"""What all families of integer units share: names, widths, sign and magnitude, messages."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.energy import load_table
from accelsim.errors import ConfigError, UnknownNameError
from accelsim.multipliers import MULTIPLIERS

CORES = [
    "mitchell", "mbm", "drum3", "roba", "kulkarni", "bam_h1v3", "truncated1", "perforated_j1k2",
    "ama1", "ama3_cut4",
]  # fmt: skip


@pytest.mark.parametrize("core", CORES)
def test_signed_is_sign_magnitude_around_the_unsigned_core(core):
    """All pairs of 4 bits: the most negative one, -8, has the magnitude 8 of the core's 0..15."""
    signed, unsigned = MULTIPLIERS[f"{core}_s4"], MULTIPLIERS[f"{core}_u4"]
    values = np.arange(-8, 8)
    a, w = values[:, None], values[None]
    negative = (a < 0) != (w < 0)
    magnitudes = unsigned.product(np.abs(a), np.abs(w))
    assert magnitudes.any()
    expected = np.where(negative, -magnitudes, magnitudes)
    np.testing.assert_array_equal(signed.product(a, w), expected)
    assert (signed.operands.name, unsigned.operands.name) == ("int4", "uint4")


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", ["s", "u"])
def test_the_widest_operands_have_a_product(core, kind):
    unit = MULTIPLIERS[f"{core}_{kind}16"]
    low, high = unit.operands.low, unit.operands.high
    extremes = unit.product([low, low, high], [low, high, high])
    # Minimally biased products near the greatest operands have one bit more.
    assert np.abs(extremes).max() < (2**33 if core == "mbm" else 2**32)
    assert extremes[0] >= 0


def test_members_are_made_once_and_not_listed():
    assert MULTIPLIERS["drum5_u12"] is MULTIPLIERS["drum5_u12"]
    assert "drum5_u12" in MULTIPLIERS
    assert "drum5_u12" not in list(MULTIPLIERS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mitchell_u17", "multiplier 'mitchell_u17': bits must lie in 2..16, got 17"),
        ("roba_s1", "multiplier 'roba_s1': bits must lie in 2..16, got 1"),
        ("exact_int99", "multiplier 'exact_int99': bits must lie in 2..16, got 99"),
        ("drum1_u8", "'drum1_u8': k must lie in 2..8, got 1"),
        ("drum9_u8", "'drum9_u8': k must lie in 2..8, got 9"),
        ("kulkarni_u6", "'kulkarni_u6': bits must be a power of two, got 6"),
        ("bam_h9v0_u8", "h must lie in 0..8, got 9"),
        ("bam_h0v16_u8", "v must lie in 0..15, got 16"),
        ("truncated8_u8", "t must lie in 0..7, got 8"),
        ("perforated_j8k1_u8", "j must lie in 0..7, got 8"),
        ("perforated_j0k0_u8", "k must lie in 1..8, got 0"),
        ("perforated_j6k3_u8", "k must lie in 1..2, got 3"),
        ("ama5_cut17_u8", "c must lie in 0..16, got 17"),
    ],
)
def test_rejects_numbers_out_of_range(name, message):
    assert name not in MULTIPLIERS
    with pytest.raises(ConfigError, match=message):
        MULTIPLIERS[name]


@pytest.mark.parametrize(
    "name", ["drum04_u8", "drum_u8", "ama6_u8", "mitchell_8", "mbm_i8", "exact_int08"]
)
def test_rejects_what_is_no_name_of_a_family(name):
    assert name not in MULTIPLIERS
    with pytest.raises(UnknownNameError, match="mitchell_<u|s><bits>"):
        MULTIPLIERS[name]


def test_units_without_a_published_or_derived_figure_have_no_delay():
    assert MULTIPLIERS["mbm_u8"].delay_ps == 1430
    assert MULTIPLIERS["ama5_u8"].delay_source.startswith("derived")
    for name in ("mbm_u12", "mitchell_u8", "drum6_u12"):
        assert MULTIPLIERS[name].delay_ps is None
        assert MULTIPLIERS[name].delay_source == "no published figure"
    assert MULTIPLIERS["ama5_u12"].delay_ps is None
    assert MULTIPLIERS["ama5_u12"].delay_source.endswith("see the unit's circuit")


@pytest.mark.parametrize(
    ("name", "exact", "energy", "area"),
    [
        ("mbm_u8", "exact_uint8", 21.6 / 35.3, 288.4 / 445.0),
        ("mbm_u16", "exact_uint16", 47.9 / 182.2, 686.3 / 1900.9),
        ("drum6_u16", "exact_uint16", 0.296 / 1.04, 649 / 2165),
        ("drum6_s16", "exact_int16", 1 - 0.59, 649 / 2165),
        ("roba_s16", "exact_int16", 1 - 0.45, 1 - 0.32),
        ("kulkarni_u8", "exact_uint8", 1 - 0.415, 1),
        ("kulkarni_u16", "exact_uint16", 1 - 0.318, 1),
    ],
)
def test_energy_is_the_exact_units_times_the_published_ratio(name, exact, energy, area):
    """Ratios of powers or energies, and of areas for the leakage, as the rows' notes name them."""
    table = load_table("cmos45")
    for look_up, action, ratio in (
        (table.energy_pj, "compute", energy),
        (table.power_mw, "leak", area),
    ):
        expected = ratio * look_up(f"multiplier.{exact}", action)
        assert look_up(f"multiplier.{name}", action) == pytest.approx(expected, rel=1e-6)
    assert MULTIPLIERS[name].delay_ps is not None
