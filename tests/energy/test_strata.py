"""Stratified samples of populations whose totals are known."""

import numpy as np
import pytest

from accelsim.energy.strata import LEAST, stratified
from accelsim.statistics import Z95


def population(rng, sizes, draw):
    """Return strata of members (n, 1), each with a mean and a spread of its own."""
    return [(rng.uniform(0, 5) + rng.uniform(0.1, 3) * draw(rng, size))[:, None] for size in sizes]


def sample(strata, members, rng):
    """Return (estimated total, half width of its interval, the sample)."""

    def measure(own):
        return np.array([strata[h][rng.integers(len(strata[h]))] for h in own])

    sizes = np.array([len(stratum) for stratum in strata])
    found = stratified(sizes, measure, members)
    total = float((sizes @ found.means)[0])
    return total, Z95 * float(np.sqrt((sizes**2 @ found.variances)[0])), found


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        (lambda rng, n: rng.standard_normal(n), 0.92),
        (lambda rng, n: rng.exponential(size=n), 0.92),
        (lambda rng, n: (rng.random(n) < 0.3) * rng.exponential(size=n), 0.90),
    ],
    ids=["normal", "exponential", "mostly zeros"],
)
def test_intervals_cover_the_total_about_as_often_as_they_say(draw, least):
    """300 samples of 600 of 6 strata; binomial noise is 1.3 % for 95 %, skew costs a little."""
    rng = np.random.default_rng(1)
    strata = population(rng, [5000, 200, 1000, 40, 3000, 10], draw)
    truth = sum(float(stratum.sum()) for stratum in strata)
    found = [sample(strata, 600, rng)[:2] for _ in range(300)]
    covered = np.mean([abs(total - truth) <= half for total, half in found])
    assert least <= covered <= 0.99
    totals = np.array([total for total, _ in found])
    # Unbiased: the mean of 300 totals is off by no more than four of its standard errors.
    assert abs(totals.mean() - truth) <= 4 * totals.std() / np.sqrt(300)
    # And the intervals are those of the scatter that there is.
    assert np.mean([half for _, half in found]) / Z95 == pytest.approx(totals.std(), rel=0.15)


def test_members_go_where_they_tell_most():
    """Half by Neyman, N_h s_h being 1000 x 1, 1000 x 3 and none; half alike."""
    rng = np.random.default_rng(2)
    strata = [np.tile([[-s], [s]], (500, 1)).astype(float) for s in (1, 3, 0)]
    counts = sample(strata, 2000, rng)[2].counts
    free = 2000 - 2 * 3 * LEAST
    shares = [1 / 8 + 1 / 6, 3 / 8 + 1 / 6, 1 / 6]
    assert (counts - LEAST) / free == pytest.approx(shares, abs=0.03)
    assert counts.sum() <= 2000 - 3 * LEAST


def test_what_does_not_vary_is_known_exactly_and_sampled_in_proportion():
    strata = [np.full((300, 1), 2.0), np.full((100, 1), 7.0)]
    total, half, found = sample(strata, 432, np.random.default_rng(0))
    assert (total, half) == (1300.0, 0.0)
    assert found.counts.tolist() == [LEAST + 300, LEAST + 100]
    assert found.measured == found.counts.sum() + 2 * LEAST


def test_every_stratum_has_its_least_members_even_where_fewer_were_asked_for():
    strata = [np.ones((5, 1))] * 4
    assert sample(strata, 10, np.random.default_rng(0))[2].counts.tolist() == [LEAST] * 4
