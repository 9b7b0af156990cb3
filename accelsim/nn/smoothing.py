"""Smoothed gradients: the mean over noisy copies of the input, for an attacker who averages."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accelsim.errors import ConfigError, DataError
from accelsim.nn.wrapper import Wrapper

__all__ = ["SmoothedModule", "smoothed"]


def smoothed(model: nn.Module, sigma: float, samples: int = 8, seed: int = 0) -> SmoothedModule:
    """Return *model* with the gradient averaged over noisy inputs: expectation over transformation.

    ::

        value    model(x)                                       the model's own bits
        gradient mean over i < samples of J(x + n_i)^T g        g: that of the loss at model(x)
        n_i      normal, of standard deviation sigma, not clipped to the range of pixels

    Parameters
    ----------
    model : torch.nn.Module
        Takes one tensor (N, ...) and returns one; an `accelsim.nn.ApproximateModule` of any
        gradient, or any other. It is wrapped, not copied. In evaluation mode, or batch norm and
        dropout see the noisy copies too.
    sigma : float
        Above 0, in units of the input.
    samples : int
        Noisy copies, at least 1. Each costs a forward and a backward pass.
    seed : int
        The noise of an image is drawn from *seed* and the image's own bits. So the same image has
        the same gradient at every call, at every place in every batch, as far as *model* does.

    Returns
    -------
    SmoothedModule

    Raises
    ------
    ConfigError
        For a model that is no module, or a setting outside its range.

    Notes
    -----
    Only calls whose input needs a gradient run the noisy copies; then gradients of the parameters
    are means too. The forward pass raises `DataError` for inputs or outputs that are no float32
    tensor (N, ...).

    Sources
    -------
    A. Athalye et al., "Synthesizing Robust Adversarial Examples", ICML 2018: expectation over
    transformation. D. Smilkov et al., "SmoothGrad", 2017: with Gaussian noise.

    >>> net = smoothed(nn.Linear(2, 1), sigma=0.1, samples=4)
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> net(x).sum().backward()
    >>> torch.allclose(x.grad, net.network.weight)
    True
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    number = isinstance(sigma, int | float) and not isinstance(sigma, bool)
    if not (number and math.isfinite(sigma) and sigma > 0):
        raise ConfigError(
            f"sigma must be a finite number > 0, got {sigma!r}; without noise use the model itself"
        )
    for name, value, least in (("samples", samples, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} must be an int >= {least}, got {value!r}")
    return SmoothedModule(model, float(sigma), samples, seed)


class SmoothedModule(Wrapper):
    """A model with a smoothed gradient, made by `smoothed`; ``state_dict()`` is the model's.

    Attributes
    ----------
    network : torch.nn.Module
        The model itself.
    sigma, samples, seed
        As given to `smoothed`.
    """

    def __init__(self, network: nn.Module, sigma: float, samples: int, seed: int) -> None:
        super().__init__(network)
        self.sigma = sigma
        self.samples = samples
        self.seed = seed

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's outputs for (N, ...) *images*."""
        if not isinstance(images, Tensor) or images.dtype != torch.float32 or images.dim() == 0:
            kind = getattr(images, "dtype", type(images).__name__)
            raise DataError(f"a smoothed model takes a float32 tensor (N, ...), got {kind}")
        if not (torch.is_grad_enabled() and images.requires_grad):
            return _one_tensor(self.network(images))
        with torch.no_grad():
            value = _one_tensor(self.network(images))
        copies = [self.network(images + noise) for noise in self._noise(images)]
        return _Smoothed.apply(value, torch.stack(copies).mean(0))

    def extra_repr(self) -> str:
        """Return the settings for the module's ``repr``."""
        return f"sigma={self.sigma}, samples={self.samples}, seed={self.seed}"

    def _noise(self, images: Tensor) -> Tensor:
        """Return the noise of all samples, (samples, N, ...)."""
        drawn = np.empty((self.samples, *images.shape), np.float32)
        for index, image in enumerate(images.detach().contiguous().numpy()):
            digest = hashlib.sha256(image.tobytes()).digest()
            words = np.frombuffer(digest, np.uint32).tolist()
            generator = np.random.default_rng([self.seed, *words])
            drawn[:, index] = generator.standard_normal(drawn[:, index].shape, np.float32)
        return torch.from_numpy(drawn).mul_(self.sigma)


class _Smoothed(torch.autograd.Function):
    """The value of one tensor, the gradient of another."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, mean: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        return None, grads[0]


def _one_tensor(outputs: Any) -> Tensor:
    if not isinstance(outputs, Tensor):
        raise DataError(
            f"a smoothed model must return one tensor, got {type(outputs).__name__}; wrap it in a "
            "module that returns its logits"
        )
    return outputs
