"""LeNet-5 in its classic shape (LeCun et al. 1998): 6, 16, 120, 84 and 10 outputs, 5x5 kernels."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Recipe, Workload

if TYPE_CHECKING:
    from torch import nn


def build() -> nn.Module:
    """Return the untrained network: (N, 1, 28, 28) images to (N, 10) logits, 416,520 MACs each.

    conv 1-6 5x5 pad 2, ReLU, pool 2, conv 6-16 5x5, ReLU, pool 2, linear 400-120, ReLU,
    linear 120-84, ReLU, linear 84-10.
    """
    from torch import nn

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, kernel_size=5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, kernel_size=5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(16 * 5 * 5, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


SOURCE = (
    "architecture: Y. LeCun et al., 'Gradient-Based Learning Applied to Document Recognition', "
    "Proc. IEEE 86(11), 1998, as usually written today: ReLU and max pooling in place of tanh and "
    "trainable subsampling, every map of conv2 fed by all of conv1, linear logits; weights: "
    "trained by this project with the recipe of this file"
)

for dataset, images, recipe in (
    ("digits", "1,797 handwritten digits", Recipe(epochs=20, batch_size=32, learning_rate=2e-3)),
    ("mnist", "MNIST", Recipe(epochs=5, batch_size=64, learning_rate=2e-3)),
):
    WORKLOADS.register(
        f"lenet5_classic_{dataset}",
        Workload(
            name=f"lenet5_classic_{dataset}",
            title=f"LeNet-5 (classic: 6-16-120-84-10, 5x5) on {images}",
            dataset=dataset,
            build=build,
            weights=f"lenet5_classic_{dataset}.safetensors",
            input_shape=(1, 28, 28),
            classes=10,
            recipe=recipe,
            source=SOURCE,
        ),
    )
