"""The bridge to the Adversarial Robustness Toolbox (ART): a model as its attacks want it.

ART draws from the global random states of NumPy and, in its data loader, of torch; `seeded` lends
it seeded ones and puts the caller's back. Importing this module imports neither ART nor torch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Classifier", "seeded"]


class Classifier:
    """A copy of a model, ready to be attacked, that counts the images which go through it.

    The copy is in eval mode and its parameters take no gradient. The loss is the cross entropy of
    its logits.

    Attributes
    ----------
    art : art.estimators.classification.PyTorchClassifier
        What ART's attacks want.
    batch_size : int
        Images that go through the model at once.
    forwards : int
        Images that went through the model so far.

    Raises
    ------
    ConfigError
        If ART is not installed.
    """

    def __init__(
        self, model: nn.Module, input_shape: tuple[int, ...], classes: int, batch_size: int
    ) -> None:
        import torch

        try:
            from art.estimators.classification import PyTorchClassifier
        except ImportError as error:
            raise ConfigError(
                "attacks need the Adversarial Robustness Toolbox, which cannot be imported "
                f"({error}); pip install 'adversarial-robustness-toolbox>=1.20.1,<2'"
            ) from error
        self.batch_size = batch_size
        self.forwards = 0
        copied = copy.deepcopy(model).eval().requires_grad_(False)
        self.art = PyTorchClassifier(
            model=self._opaque(copied),
            loss=torch.nn.CrossEntropyLoss(),
            input_shape=input_shape,
            nb_classes=classes,
            clip_values=(0.0, 1.0),
            device_type="cpu",
        )

    def _opaque(self, model: nn.Module) -> nn.Module:
        """Hide *model* in a module that counts: ART takes an nn.Sequential to pieces."""
        from torch import nn

        classifier = self

        class Counted(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, images: Any) -> Any:
                classifier.forwards += len(images)
                # Some of ART's attacks come with float64 although they were given float32.
                return self.model(images.float())

        return Counted().eval()


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
