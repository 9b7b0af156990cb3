"""LeNet-5 of the "Defensive Approximation" release: 32 and 64 channels of 3x3, 200 hidden units."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Recipe, Workload

if TYPE_CHECKING:
    from torch import nn


def build() -> nn.Module:
    """Return the untrained network: (N, 1, 28, 28) images to (N, 10) logits, 4.47 M MACs each.

    conv 1-32 3x3 pad 1, ReLU, pool 2, conv 32-64 3x3 pad 1, ReLU, pool 2, linear 3136-200, ReLU,
    linear 200-10.
    """
    from torch import nn

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, kernel_size=3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 64, kernel_size=3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear1=nn.Linear(64 * 7 * 7, 200),
            relu3=nn.ReLU(),
            linear2=nn.Linear(200, 10),
        )
    )


SOURCE = (
    "architecture: the LeNet-5 released with Guesmi et al., 'Defensive Approximation', "
    "ASPLOS 2021 (it is AdverTorch's MNIST example); weights: trained by this project with the "
    "recipe of this file"
)

for dataset, images, recipe in (
    ("digits", "1,797 handwritten digits", Recipe(epochs=10, batch_size=32, learning_rate=1e-3)),
    ("mnist", "MNIST", Recipe(epochs=3, batch_size=64, learning_rate=1e-3)),
):
    WORKLOADS.register(
        f"lenet5_{dataset}",
        Workload(
            name=f"lenet5_{dataset}",
            title=f"LeNet-5 (32 and 64 channels of 3x3) on {images}",
            dataset=dataset,
            build=build,
            weights=f"lenet5_{dataset}.safetensors",
            input_shape=(1, 28, 28),
            classes=10,
            recipe=recipe,
            source=SOURCE,
        ),
    )
