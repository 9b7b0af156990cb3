"""ViT-Ti/16: the smallest vision transformer of DeiT, 12 blocks of width 192 with 3 heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Workload

if TYPE_CHECKING:
    from torch import nn


def build(
    size: int = 224, patch: int = 16, width: int = 192, depth: int = 12, heads: int = 3
) -> nn.Module:
    """Return the untrained network: (N, 3, 224, 224) images to (N, 1000) logits, 1.25 G MACs each.

    A convolution makes a token of each patch; a class token is put before them and the position
    embedding added; *depth* blocks of attention and a GELU network of four times the width, each
    behind a layer norm and added to its input; layer norm; linear from the class token. Parameters
    are named as in DeiT's and timm's.
    """
    import torch
    from torch import Tensor, nn
    from torch.nn.functional import scaled_dot_product_attention

    from accelsim.normalization import imagenet_normalization

    class PatchEmbedding(nn.Module):
        """(N, 3, H, W) images to (N, patches, width) tokens."""

        def __init__(self) -> None:
            super().__init__()
            self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

        def forward(self, images: Tensor) -> Tensor:
            return self.proj(images).flatten(2).transpose(1, 2)

    class Attention(nn.Module):
        """Each token's mean of all tokens' values, weighted by softmax of query times key."""

        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(width, 3 * width)
            self.proj = nn.Linear(width, width)

        def forward(self, tokens: Tensor) -> Tensor:
            count, length, _ = tokens.shape
            split = self.qkv(tokens).reshape(count, length, 3, heads, width // heads)
            query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
            mixed = scaled_dot_product_attention(query, key, value)
            return self.proj(mixed.transpose(1, 2).reshape(count, length, width))

    class Mlp(nn.Module):
        """Linear, GELU, linear, on each token by itself."""

        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(width, 4 * width)
            self.act = nn.GELU()
            self.fc2 = nn.Linear(4 * width, width)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.fc2(self.act(self.fc1(tokens)))

    class Block(nn.Module):
        """Attention and linear layers, each added to what it got."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(width, eps=1e-6)
            self.attn = Attention()
            self.norm2 = nn.LayerNorm(width, eps=1e-6)
            self.mlp = Mlp()

        def forward(self, tokens: Tensor) -> Tensor:
            tokens = tokens + self.attn(self.norm1(tokens))
            return tokens + self.mlp(self.norm2(tokens))

    class VisionTransformer(nn.Module):
        """The whole network."""

        def __init__(self) -> None:
            super().__init__()
            self.normalization = imagenet_normalization()
            self.patch_embed = PatchEmbedding()
            self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
            length = (size // patch) ** 2 + 1
            self.pos_embed = nn.Parameter(0.02 * torch.randn(1, length, width))
            self.blocks = nn.Sequential(*(Block() for _ in range(depth)))
            self.norm = nn.LayerNorm(width, eps=1e-6)
            self.head = nn.Linear(width, 1000)

        def forward(self, images: Tensor) -> Tensor:
            patches = self.patch_embed(self.normalization(images))
            first = self.cls_token.expand(len(images), -1, -1)
            tokens = torch.cat([first, patches], dim=1) + self.pos_embed
            return self.head(self.norm(self.blocks(tokens))[:, 0])

    return VisionTransformer()


WORKLOADS.register(
    "vit_tiny",
    Workload(
        name="vit_tiny",
        title="ViT-Ti/16 (the smallest vision transformer of DeiT) for ImageNet",
        dataset="random:3x224x224",
        build=build,
        input_shape=(3, 224, 224),
        classes=1000,
        source=(
            "A. Dosovitskiy et al., 'An Image is Worth 16x16 Words', ICLR 2021, in the size of "
            "H. Touvron et al., 'Training data-efficient image transformers', ICML 2021"
        ),
    ),
)
