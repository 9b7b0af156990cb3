"""Shared fixtures: a small trace and runs of it."""

import numpy as np
import pytest

import accelsim


@pytest.fixture(scope="session")
def small_trace():
    """The first two test images of the built-in workload."""
    model, images, _ = accelsim.load_workload("lenet5_digits", limit=2)
    return accelsim.trace(model, images, name="lenet5_digits")


@pytest.fixture(scope="session")
def small_labels():
    return accelsim.load_workload("lenet5_digits", limit=2)[2]


@pytest.fixture(scope="session")
def runs(small_trace, small_labels):
    """One run per unit on the default machine."""
    machine = accelsim.Accelerator.preset("edge_16x16")
    return [
        accelsim.simulate(
            small_trace, machine.replace(multiplier=unit), labels=small_labels, seed=7
        )
        for unit in ("exact_fp32", "ax_fpm")
    ]


@pytest.fixture
def rng():
    return np.random.default_rng(0)
