"""What the tests of robustness share: the shipped network, and one to compute by hand."""

from __future__ import annotations

import numpy as np
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
