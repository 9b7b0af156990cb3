"""Batch normalization for the time of a training: put in before it, folded away after it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_batch_norm", "insert_batch_norm"]


class _NormalizedConvolution(nn.Module):
    """A convolution and the batch normalization that `insert_batch_norm` put behind it."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.normalization = nn.BatchNorm2d(convolution.out_channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.normalization(self.convolution(images))

    def folded(self) -> nn.Conv2d:
        """Return one convolution that does in eval mode what both do there."""
        return fuse_conv_bn_eval(self.convolution.eval(), self.normalization.eval())


def insert_batch_norm(model: nn.Module) -> None:
    """Put a batch normalization behind every convolution of *model*, in place."""
    for name, child in list(model.named_children()):
        if isinstance(child, nn.Conv2d):
            setattr(model, name, _NormalizedConvolution(child))
        else:
            insert_batch_norm(child)


def fold_batch_norm(model: nn.Module) -> None:
    """Make every convolution of *model* do what the batch normalization put behind it does.

    In place, and in eval mode: with running means and variances. The network and the names of its
    parameters are then what they were before `insert_batch_norm`.
    """
    for name, child in list(model.named_children()):
        if isinstance(child, _NormalizedConvolution):
            setattr(model, name, child.folded())
        else:
            fold_batch_norm(child)
