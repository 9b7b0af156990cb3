"""A model as attacks want it: counted, in float32, in the forms of the libraries that attack it.

The libraries draw from the global random states of NumPy and torch; `seeded` lends them seeded ones
and puts the caller's back. Importing this module imports none of them, nor torch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Classifier", "check_foolbox", "missing_library", "seeded"]


class Classifier:
    """A copy of a model, ready to be attacked, that counts what goes through it.

    The copy is in eval mode and its parameters take no gradient.

    Attributes
    ----------
    model : torch.nn.Module
        Images (N, C, H, W) in [0, 1], of any floating-point type, to logits.
    input_shape : tuple of int
        (C, H, W).
    classes : int
    batch_size : int
        Images that go through the model at once.
    forwards, gradients : int
        Images that went through the model so far, and those that had a gradient come back.
    """

    def __init__(
        self, model: nn.Module, input_shape: tuple[int, ...], classes: int, batch_size: int
    ) -> None:
        self.input_shape = input_shape
        self.classes = classes
        self.batch_size = batch_size
        self.forwards = self.gradients = 0
        self.model = self._counted(copy.deepcopy(model).eval().requires_grad_(False))

    @cached_property
    def art(self) -> Any:
        """The model for ART, whose loss is the cross entropy; raises as `for_art`."""
        from torch.nn import CrossEntropyLoss

        return self.for_art(CrossEntropyLoss())

    def for_art(self, loss: Any) -> Any:
        """Return a ``PyTorchClassifier`` of the model with *loss*, of logits and labels.

        Raises
        ------
        ConfigError
            If ART is not installed.
        """
        try:
            from art.estimators.classification import PyTorchClassifier
        except ImportError as error:
            raise missing_library("Adversarial Robustness Toolbox", ART, error) from error
        return PyTorchClassifier(
            model=self.model,
            loss=loss,
            input_shape=self.input_shape,
            nb_classes=self.classes,
            clip_values=(0.0, 1.0),
            device_type="cpu",
        )

    @cached_property
    def foolbox(self) -> Any:
        """The model for Foolbox: a ``foolbox.PyTorchModel``; raises as `for_foolbox`."""
        return self.for_foolbox(self.model)

    def for_foolbox(self, module: nn.Module) -> Any:
        """Return a ``foolbox.PyTorchModel`` of *module*, which stands between it and the model.

        Raises
        ------
        ConfigError
            If Foolbox is not installed.
        """
        check_foolbox()
        from accelsim.robustness.methods import PyTorchModel

        return PyTorchModel(module.eval(), bounds=(0, 1), device="cpu")

    def _counted(self, model: nn.Module) -> nn.Module:
        """Hide *model* in a module that counts: ART takes an nn.Sequential to pieces."""
        from torch import nn

        classifier = self

        class Counted(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, images: Tensor) -> Tensor:
                classifier.forwards += len(images)
                # Some attacks come with float64 although they were given float32.
                logits = self.model(images.float())
                if logits.requires_grad:
                    logits.register_hook(classifier._count_gradient)
                return logits

        return Counted().eval()

    def _count_gradient(self, gradient: Tensor) -> None:
        self.gradients += len(gradient)


ART = "adversarial-robustness-toolbox>=1.20.1,<2"
FOOLBOX = "foolbox>=3.3.4,<4"


def missing_library(library: str, requirement: str, error: ImportError) -> ConfigError:
    """Return the error of an attack whose *library* is missing; pip's *requirement* brings it."""
    return ConfigError(
        f"this attack needs {library}, which cannot be imported ({error}); "
        f"pip install '{requirement}'"
    )


def check_foolbox() -> None:
    """Raise `ConfigError` unless Foolbox, and what is built on it here, can be imported."""
    try:
        import_module("accelsim.robustness.methods")
    except ImportError as error:
        raise missing_library("Foolbox", FOOLBOX, error) from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's and torch's global random states inside the block; then put the old ones back.

    Parameters
    ----------
    seed : int
        0..2^32-1, which is what NumPy takes.
    """
    import torch

    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(state)
