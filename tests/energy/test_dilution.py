"""`accelsim.energy.diluted`: a unit's saving at the levels around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.energy import LEVELS, diluted
from accelsim.energy.account import CLOCK, COMPONENTS
from accelsim.errors import DataError

ENERGIES = st.fixed_dictionaries(
    {name: st.floats(0.1, 1e6) for name in COMPONENTS}, optional={CLOCK: st.floats(0.1, 1e6)}
)


@given(ENERGIES, st.floats(0, 3))
def test_it_is_the_account_with_another_multiplier(energy, ratio):
    other = {**energy, "multiplier": ratio * energy["multiplier"]}
    for level, components in LEVELS.items():
        total, changed = (
            sum(one[name] for name in components if name in one) for one in (energy, other)
        )
        assert diluted(energy, ratio)[level] == pytest.approx(changed / total)


@given(ENERGIES, st.floats(0, 0.99))
def test_a_saving_shrinks_from_level_to_level(energy, ratio):
    unit, pe, chip, system = diluted(energy, ratio).values()
    assert unit == pytest.approx(ratio)
    assert unit < pe < chip < system < 1


def test_the_system_is_everything():
    assert set(LEVELS["system"]) == {*COMPONENTS, CLOCK}


@pytest.mark.parametrize("ratio", [-0.1, float("nan"), float("inf")])
def test_refuses_a_ratio_that_is_none(ratio):
    with pytest.raises(DataError, match="ratio must be a finite number >= 0"):
        diluted(dict.fromkeys(COMPONENTS, 1.0), ratio)


def test_refuses_energies_that_lack_a_component():
    with pytest.raises(DataError, match="multiplier, dram missing"):
        diluted({name: 1 for name in COMPONENTS if name not in ("multiplier", "dram")}, 0.5)
