"""Random images: of the shape their name gives, always the same, without labels."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import DATASETS, fingerprint, load_dataset, read_split
from accelsim.errors import ConfigError, DataError


def test_images_have_the_shape_of_the_name_and_are_the_same_each_time():
    found = read_split("random:3x5x7", "test")
    assert (found.pixels.shape, found.pixels.dtype) == ((128, 3, 5, 7), np.uint8)
    assert found.labels is None
    assert_array_equal(read_split("random:3x5x7", "test").pixels, found.pixels)
    assert (read_split("random:3x5x7", "train").pixels != found.pixels).mean() > 0.9
    assert abs(found.images.mean() - 0.5) < 0.02


def test_they_stand_in_for_another_set():
    images, labels = load_dataset("mnist", "test", "random:1x28x28")
    assert (images.shape, labels) == ((128, 1, 28, 28), None)


def test_the_first_ones_and_the_fingerprint_do_without_labels():
    found = read_split("random:1x2x2", "test")
    few = found.first(3)
    assert (len(few), few.labels) == (3, None)
    assert fingerprint(few.images, few.labels) != fingerprint(few.images, np.zeros(3, np.int64))


def test_rejects_a_use_of_labels():
    with pytest.raises(DataError, match=r"the images of 'random:1x2x2' have no labels; .*--data"):
        read_split("random:1x2x2", "test").truth  # noqa: B018


@pytest.mark.parametrize("shape", ["0x2x2", "1x5000x2"])
def test_rejects_sizes_out_of_range(shape):
    with pytest.raises(ConfigError, match=r"each size must be in 1\.\.4096, got"):
        DATASETS[f"random:{shape}"]
