"""What the tests of the checks share: a study over runs made by hand."""

from __future__ import annotations

import pytest

from accelsim.robustness.checks import Study

ACCESS = {
    "fgsm": "gradient",
    "pgd": "gradient",
    "pgd_long": "gradient",
    "pgd_margin": "gradient",
    "cw": "gradient",
    "cw_double": "gradient",
    "deepfool": "gradient",
    "square": "score",
    "lsa": "score",
    "hopskipjump": "label",
    "noise": "none",
}
LOSS = {
    "fgsm": "cross entropy",
    "pgd": "cross entropy",
    "pgd_margin": "margin",
    "square": "margin",
    "lsa": "probability",
}


@pytest.fixture(scope="session")
def study(runs):
    """A study of ax_fpm over the runs given; keywords go to `Study`."""

    def make(*parts, **settings):
        declared = {
            "target": "ax_fpm",
            "access": ACCESS,
            "loss": LOSS,
            "iterated": {"fgsm": "pgd"},
            "doubled": {"pgd": "pgd_long"},
            "curves": {"cw scaled": {1.0: "cw", 2.0: "cw_double"}},
        }
        return Study(runs(*parts), **declared | settings)

    return make


@pytest.fixture(scope="session")
def share():
    """*hits* of *of* images, the first ones."""
    return lambda hits, of=100: [1] * hits + [0] * (of - hits)
