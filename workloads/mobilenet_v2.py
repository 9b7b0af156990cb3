"""MobileNetV2 for ImageNet: inverted residuals of depthwise convolutions."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Workload

if TYPE_CHECKING:
    from torch import nn

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks, stride of the first block (table 2 of the paper)."""


def build() -> nn.Module:
    """Return the untrained network: (N, 3, 224, 224) images to (N, 1000) logits, 301 M MACs each.

    conv 32 3x3 stride 2, the blocks of `STAGES` (1x1 expansion, 3x3 depthwise, 1x1 projection, plus
    the input where the shapes agree), conv 1280 1x1, average over all pixels, linear to 1000; batch
    norm behind each convolution, ReLU6 behind it but for projections. Parameters are named as in
    torchvision's.
    """
    from torch import Tensor, nn

    from accelsim.normalization import imagenet_normalization

    def convolution(
        inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(),
        )

    class InvertedResidual(nn.Module):
        """Expansion, depthwise convolution, projection, plus the input where that is possible."""

        def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
            super().__init__()
            hidden = inputs * expansion
            self.conv = nn.Sequential(
                *([] if expansion == 1 else [convolution(inputs, hidden, 1)]),
                convolution(hidden, hidden, 3, stride, groups=hidden),
                nn.Conv2d(hidden, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
            self.residual = stride == 1 and inputs == outputs

        def forward(self, images: Tensor) -> Tensor:
            return images + self.conv(images) if self.residual else self.conv(images)

    features: list[nn.Module] = [convolution(3, 32, 3, stride=2)]
    channels = 32
    for expansion, width, count, stride in STAGES:
        for place in range(count):
            step = stride if place == 0 else 1
            features.append(InvertedResidual(channels, width, step, expansion))
            channels = width
    features.append(convolution(channels, 1280, 1))
    return nn.Sequential(
        OrderedDict(
            normalization=imagenet_normalization(),
            features=nn.Sequential(*features),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000)),
        )
    )


WORKLOADS.register(
    "mobilenet_v2",
    Workload(
        name="mobilenet_v2",
        title="MobileNetV2 (width 1.0) for ImageNet",
        dataset="random:3x224x224",
        build=build,
        input_shape=(3, 224, 224),
        classes=1000,
        source=(
            "M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen, 'MobileNetV2: Inverted "
            "Residuals and Linear Bottlenecks', CVPR 2018"
        ),
    ),
)
