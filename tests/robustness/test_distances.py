"""Tests of accelsim.robustness.distances."""

import numpy as np

from accelsim.robustness.distances import DISTANCES, distances


def test_a_pixel_counts_once_whatever_its_channels_and_nothing_is_infinitely_near():
    images = np.zeros((3, 2, 1, 2), np.float32)
    examples = images.copy()
    examples[0, :, 0, 1] = 0.5, 1
    examples[1, 0] = 0.5
    found = distances(images, examples)
    assert tuple(found) == DISTANCES
    np.testing.assert_array_equal(found["l0"], [1, 2, 0])
    np.testing.assert_allclose(found["l2"], [1.25**0.5, 0.5**0.5, 0])
    np.testing.assert_array_equal(found["linf"], [1, 0.5, 0])
    np.testing.assert_allclose(found["mse"], [1.25 / 4, 0.5 / 4, 0])
    np.testing.assert_allclose(found["psnr"], [-10 * np.log10(1.25 / 4), 9.0309, np.inf], rtol=1e-5)
