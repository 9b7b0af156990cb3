"""What the tests of robustness share: the shipped network, and one to compute by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from accelsim.workload import load_workload


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Torch's threads spin while they wait, and so slow each other down where tests run abreast."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def lenet():
    """Model, images and labels of the shipped LeNet-5, 24 images."""
    return load_workload("lenet5_digits", limit=24)


@pytest.fixture
def tiny():
    """Two pixels, two classes: the brighter pixel wins; four images, the last one mislabeled."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(2))
    images = np.array([[0.6, 0.5], [0.9, 0.1], [0.2, 0.5], [0.1, 0.9]], np.float32)
    return model, images.reshape(4, 1, 1, 2), np.array([0, 0, 1, 0])


def outcomes_of_a_run(fooled, **settings):
    """Return the outcomes of one run: whether each image fools the target, or (source, target).

    By default images of 10 classes, all classified right, one PGD in a linf ball of 0.1 on the
    target itself; *settings* change a column, a list changes it image by image.
    """
    pairs = [one if isinstance(one, tuple) else (one, one) for one in fooled]
    epsilon = settings.get("epsilon", 0.1)
    distance = 0.1 if math.isnan(epsilon) else min(epsilon, 1.0)
    columns = {
        "scenario": "white_box",
        "source": settings.get("target", "ax_fpm"),
        "gradient": "exact",
        "target": "ax_fpm",
        "attack": "pgd",
        "settings": "",
        "norm": "linf",
        "aim": "budget",
        "epsilon": epsilon,
        "scale": 1.0,
        "seed": 0,
        "image": list(range(len(pairs))),
        "label": [number % 10 for number in range(len(pairs))],
        "source_right": True,
        "target_right": True,
        "source_fooled": [bool(source) for source, _ in pairs],
        "target_fooled": [bool(target) for _, target in pairs],
        "l0": 100.0,
        "l2": 10 * distance,
        "linf": distance,
        "mse": distance**2,
        "psnr": -20 * math.log10(distance),
        "cause": ["" if source else "budget" for source, _ in pairs],
        "forwards": 40.0,
        "gradients": 40.0,
        "confidence_clean": 0.9,
        "confidence_attacked": [0.1 if target else 0.6 for _, target in pairs],
        "margin_clean": 4.0,
        "margin_attacked": [-1.0 if target else 2.0 for _, target in pairs],
    }
    return pd.DataFrame(columns | settings)


@pytest.fixture(scope="session")
def run():
    """The outcomes of one run made by hand, see `outcomes_of_a_run`."""
    return outcomes_of_a_run


@pytest.fixture(scope="session")
def runs():
    """Several such runs as one table."""
    return lambda *parts: pd.concat(parts, ignore_index=True)
