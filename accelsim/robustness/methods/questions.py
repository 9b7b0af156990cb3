"""Questions: a model that tells classes only, and so many times only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from accelsim.robustness.classifier import Classifier

__all__ = ["NoQuestionsLeftError", "Questions", "starting_points"]


class NoQuestionsLeftError(Exception):
    """The limit is reached: what was found until then is in `Questions.nearest`."""


class Questions(nn.Module):
    """A model for attacks that see classes only, on N images at once.

    Of all candidates that it is asked about it keeps, for each image, the nearest in L2 that fools,
    so that an attack can be stopped at any time. All images are asked about together and have the
    same number of questions left.

    Parameters
    ----------
    classifier : Classifier
    images : (N, C, H, W) float32 tensor
    labels : (N,) int64 tensor
    limit : int
        Questions an image.

    Attributes
    ----------
    left : int
    nearest : (N, C, H, W) float32 tensor
        The images themselves where nothing fooled yet.
    """

    def __init__(self, classifier: Classifier, images: Tensor, labels: Tensor, limit: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.images = images
        self.labels = labels
        self.left = limit
        self.nearest = images.clone()
        self._distance = torch.full((len(images),), torch.inf)

    def forward(self, candidates: Tensor) -> Tensor:
        """Return the classes of (N, C, H, W) candidates, as logits of 1 and 0."""
        return one_hot(self._ask(candidates), self.classifier.classes).float()

    def fools(self, candidates: Tensor) -> Tensor:
        """Return which of (K, N, C, H, W) candidates have another class than the label, (K, N)."""
        size = max(1, self.classifier.batch_size // len(self.images))
        parts = [self._ask(some.flatten(0, 1)) for some in candidates.split(size)]
        return torch.cat(parts).unflatten(0, candidates.shape[:2]) != self.labels

    def _ask(self, candidates: Tensor) -> Tensor:
        times = len(candidates) // len(self.images)
        if times > self.left:
            raise NoQuestionsLeftError
        self.left -= times
        with torch.no_grad():
            classes = self.classifier.model(candidates).argmax(dim=1)
        for some, found in zip(
            candidates.unflatten(0, (times, -1)), classes.unflatten(0, (times, -1)), strict=True
        ):
            distance = (some - self.images).flatten(1).norm(dim=1)
            better = (found != self.labels) & (distance < self._distance)
            self.nearest[better] = some[better]
            self._distance[better] = distance[better]
        return classes


def starting_points(
    classifier: Classifier, images: Tensor, labels: Tensor, limit: int
) -> tuple[Tensor, Tensor, int]:
    """Return one example an image from which to start, where there is one, and what was asked.

    Uniform random images are drawn until one has another class than the label, *limit* times at
    most. Where none has, the nearest of the other images with another label serves: the model is
    taken to be right on all images.

    Returns
    -------
    points : (N, C, H, W) float32 tensor
    found : (N,) bool tensor
    asked : int
        Questions an image, at most.
    """
    points = images.clone()
    left = torch.arange(len(images))
    asked = 0
    while len(left) and asked < limit:
        points[left] = torch.rand(points[left].shape)
        with torch.no_grad():
            classes = classifier.model(points[left]).argmax(dim=1)
        left = left[classes == labels[left]]
        asked += 1
    found = torch.ones(len(images), dtype=torch.bool)
    for image in left.tolist():
        others = torch.nonzero(labels != labels[image])[:, 0]
        found[image] = len(others) > 0
        if found[image]:
            distance = (images[others] - images[image]).flatten(1).norm(dim=1)
            points[image] = images[others[distance.argmin()]]
    return points, found, asked
