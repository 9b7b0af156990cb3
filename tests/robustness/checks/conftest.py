"""What the tests of the checks share: a study over runs made by hand."""

from __future__ import annotations

import pytest

from accelsim.robustness.checks import Study

OWN = dict.fromkeys(("pgd_long", "pgd_margin"), "gradient")
"""Attacks that are not in ATTACKS."""


@pytest.fixture(scope="session")
def study(runs):
    """A study of ax_fpm over the runs given; keywords go to `Study`."""

    def make(*parts, **settings):
        declared = {
            "target": "ax_fpm",
            "access": OWN,
            "loss": {"pgd_margin": "margin"},
            "doubled": {"pgd": "pgd_long"},
        }
        return Study(runs(*parts), **declared | settings)

    return make


@pytest.fixture(scope="session")
def share():
    """*hits* of *of* images, the first ones."""
    return lambda hits, of=100: [1] * hits + [0] * (of - hits)
