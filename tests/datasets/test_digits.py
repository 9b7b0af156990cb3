"""scikit-learn's digits, scaled and split."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from accelsim.datasets import SPLITS, load_dataset
from accelsim.datasets.digits import resize_bilinear


@pytest.mark.parametrize(("split", "count"), [("train", 1437), ("test", 360)])
def test_digits_have_their_shapes_and_range(split, count):
    images, labels = load_dataset("digits", split)
    assert images.shape == (count, 1, 28, 28)
    assert images.dtype == np.float32
    assert images.flags.c_contiguous
    assert (images.min(), images.max()) == (0, 1)
    assert labels.shape == (count,)
    assert labels.dtype == np.int64


def test_digits_test_split_is_stratified():
    """360 of 1,797: each class keeps its share to within one image."""
    counts = {
        split: np.bincount(load_dataset("digits", split)[1], minlength=10) for split in SPLITS
    }
    total = counts["train"] + counts["test"]
    assert np.abs(counts["test"] - total * 360 / 1797).max() < 1


def test_digits_split_is_the_one_the_weights_were_trained_on():
    """Another split would put training images into the test: it shows here, not in the accuracy."""
    digest = hashlib.sha256(load_dataset("digits", "test")[1].tobytes()).hexdigest()
    assert digest == "4493b2052e7b4258621d51f10f17a672594c5e3f2beaa1cf97c818dc583aafe7"


def test_every_call_gives_arrays_of_its_own():
    load_dataset("digits", "test")[0][:] = 0
    assert load_dataset("digits", "test")[0].max() == 1


def test_a_data_folder_does_not_matter(tmp_path):
    assert len(load_dataset("digits", "test", tmp_path)[0]) == 360


def test_bilinear_interpolation_agrees_with_torch():
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(0).random((2, 8, 8))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images)[:, None], size=28, mode="bilinear", align_corners=False
    )
    assert_allclose(resize_bilinear(images, 28), expected[:, 0].numpy(), atol=1e-12)
