"""ResNet-18 and ResNet-50 for ImageNet: residual blocks with batch norm in four stages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Workload

if TYPE_CHECKING:
    from torch import nn

BASIC = ((3, 1), (3, 1))
BOTTLENECK = ((1, 1), (3, 1), (1, 4))
"""Of each convolution of a block: kernel, and outputs as a multiple of the stage's width."""


def build(block: tuple[tuple[int, int], ...], blocks: tuple[int, int, int, int]) -> nn.Module:
    """Return the untrained network: (N, 3, 224, 224) images to (N, 1000) logits.

    conv 64 7x7 stride 2 pad 3, pool 3/2, four stages of *blocks* of width 64, 128, 256 and 512,
    average over all pixels, linear to 1000. The first block of a stage but the first halves height
    and width, in its (first) 3x3 convolution; where a block changes the shape, a 1x1 convolution
    takes its input along. Parameters are named as in torchvision's.
    """
    from torch import Tensor, nn

    from accelsim.normalization import imagenet_normalization

    class Block(nn.Module):
        """Convolutions with batch norm and ReLU, plus the input."""

        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            channels, strided = inputs, stride
            for number, (kernel, factor) in enumerate(block, start=1):
                step = strided if kernel == 3 else 1
                strided = 1 if kernel == 3 else strided
                convolution = nn.Conv2d(
                    channels, width * factor, kernel, step, padding=kernel // 2, bias=False
                )
                channels = width * factor
                setattr(self, f"conv{number}", convolution)
                setattr(self, f"bn{number}", nn.BatchNorm2d(channels))
            self.relu = nn.ReLU()
            self.downsample = None
            if stride != 1 or inputs != channels:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
                )

        def forward(self, images: Tensor) -> Tensor:
            made = images
            for number in range(1, len(block) + 1):
                made = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(made))
                if number < len(block):
                    made = self.relu(made)
            kept = images if self.downsample is None else self.downsample(images)
            return self.relu(made + kept)

    network = nn.Sequential()
    network.normalization = imagenet_normalization()
    network.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
    network.bn1 = nn.BatchNorm2d(64)
    network.relu = nn.ReLU()
    network.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    channels = 64
    for number, count in enumerate(blocks):
        width, stage = 64 * 2**number, nn.Sequential()
        for place in range(count):
            stage.append(Block(channels, width, stride=2 if number > 0 and place == 0 else 1))
            channels = width * block[-1][1]
        setattr(network, f"layer{number + 1}", stage)
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.flatten = nn.Flatten()
    network.fc = nn.Linear(channels, 1000)
    return network


for depth, block, blocks in ((18, BASIC, (2, 2, 2, 2)), (50, BOTTLENECK, (3, 4, 6, 3))):
    WORKLOADS.register(
        f"resnet{depth}",
        Workload(
            name=f"resnet{depth}",
            title=f"ResNet-{depth} for ImageNet",
            dataset="random:3x224x224",
            build=partial(build, block, blocks),
            input_shape=(3, 224, 224),
            classes=1000,
            source=(
                "K. He, X. Zhang, S. Ren and J. Sun, 'Deep Residual Learning for Image "
                "Recognition', CVPR 2016; a bottleneck's stride is in its 3x3 convolution, as in "
                "torchvision ('v1.5')"
            ),
        ),
    )
