"""Recipe: how a workload's weights are trained, as numbers and words that a card can keep."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.errors import ConfigError, nearest

__all__ = ["OPTIMIZERS", "SCHEDULES", "Recipe"]

OPTIMIZERS = {
    "adam": "Adam",
    "sgd": "stochastic gradient descent with Nesterov momentum {momentum:g}",
}
"""Name -> what it is; its weight decay is added to the gradient."""

SCHEDULES = {
    "cosine": "learning rate falling along a half cosine to 0",
    "triangle": "learning rate rising linearly to its peak over the first quarter of all batches, "
    "then falling linearly to 0",
}
"""Name -> how the learning rate goes; `Recipe.learning_rate` is its largest value."""


@dataclass(frozen=True)
class Recipe:
    """How a workload's weights are trained; fixed in its file, so that a retraining is the same.

    Mini-batches in an order drawn anew for each epoch, on the cross entropy.

    Attributes
    ----------
    epochs : float
        Passes over the training images; the last one may be a part.
    batch_size : int
        Images a step.
    learning_rate : float
        The largest one; the schedule says when.
    weight_decay : float
        Share of each parameter that is added to its gradient.
    optimizer, schedule : str
        Keys of `OPTIMIZERS` and `SCHEDULES`.
    momentum : float
        Of ``"sgd"``; ``"adam"`` has torch's constants.
    label_smoothing : float
        Share of the target that is spread evenly over the classes.
    flip : bool
        Mirror every image at its vertical axis with probability 1/2.
    crop_padding : int
        Surround every image with that many rows and columns of zeros, and cut one of its size out.
    batch_norm : bool
        Train with batch normalization behind every convolution, folded into its weights at the end.
    threads : int
        One: the order of torch's sums, and so the bits of the weights, depends on the number.

    Raises
    ------
    ConfigError
        If the optimizer or the schedule is not known.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    optimizer: str = "adam"
    schedule: str = "cosine"
    momentum: float = 0.9
    label_smoothing: float = 0.0
    flip: bool = False
    crop_padding: int = 0
    batch_norm: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        for field, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            value = getattr(self, field)
            if value not in known:
                raise ConfigError(
                    f"Recipe.{field} must be one of {', '.join(known)}, got {value!r}."
                    f"{nearest(value, known)}"
                )

    @property
    def text(self) -> str:
        """What optimizer and schedule are, for people.

        >>> Recipe(epochs=1, batch_size=8, learning_rate=0.1).text
        'Adam, cross entropy, learning rate falling along a half cosine to 0'
        """
        optimizer = OPTIMIZERS[self.optimizer].format(momentum=self.momentum)
        return f"{optimizer}, cross entropy, {SCHEDULES[self.schedule]}"
