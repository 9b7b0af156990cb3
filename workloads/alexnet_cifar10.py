"""AlexNet for CIFAR-10: five convolutions and three linear layers, as of 2012, on 32x32 pixels."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Recipe, Workload

if TYPE_CHECKING:
    from torch import nn


def build() -> nn.Module:
    """Return the untrained network: (N, 3, 32, 32) images to (N, 10) logits, 24.2 M MACs each.

    Normalization; conv 3x3 pad 1 of 32, pool 2, 64, pool 2, 96, 96, 128 channels, pool 2; linear
    2048-1024-512-10; a ReLU behind each layer but the last.
    """
    from torch import nn

    from accelsim.normalization import Normalization

    def convolution(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU()]

    return nn.Sequential(
        OrderedDict(
            normalization=Normalization([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
            features=nn.Sequential(
                *convolution(3, 32),
                nn.MaxPool2d(2),
                *convolution(32, 64),
                nn.MaxPool2d(2),
                *convolution(64, 96),
                *convolution(96, 96),
                *convolution(96, 128),
                nn.MaxPool2d(2),
            ),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(
                nn.Linear(128 * 4 * 4, 1024),
                nn.ReLU(),
                nn.Linear(1024, 512),
                nn.ReLU(),
                nn.Linear(512, 10),
            ),
        )
    )


WORKLOADS.register(
    "alexnet_cifar10",
    Workload(
        name="alexnet_cifar10",
        title="AlexNet (32 to 128 channels of 3x3) on CIFAR-10",
        dataset="cifar10",
        build=build,
        weights="alexnet_cifar10.safetensors",
        input_shape=(3, 32, 32),
        classes=10,
        recipe=Recipe(
            epochs=5.1,
            batch_size=128,
            learning_rate=0.12,
            weight_decay=5e-4,
            optimizer="sgd",
            schedule="triangle",
            label_smoothing=0.05,
            flip=True,
            crop_padding=2,
            batch_norm=True,
        ),
        source=(
            "architecture: after A. Krizhevsky, I. Sutskever and G. E. Hinton, 'ImageNet "
            "Classification with Deep Convolutional Neural Networks', NIPS 2012, scaled to 32x32 "
            "pixels; weights: trained by this project on all 50,000 training images; data: CIFAR-10"
        ),
    ),
)
