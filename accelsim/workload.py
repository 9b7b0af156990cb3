"""Workload: a network with its data and its weights, trained or random, found by name.

Every ``.py`` file in the folder ``workloads/`` that registers a `Workload` is a workload; nothing
else has to be told. The path of an ``.onnx`` file is the name of the network in it. Importing this
module does not import torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import operator
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import DATASETS, FILE_FORM, Split, read_split
from accelsim.datasets.base import check_labels as check_classes
from accelsim.errors import ConfigError, DataError
from accelsim.recipe import Recipe
from accelsim.registry import Registry
from accelsim.resources import resource_dir
from accelsim.weights import draw_model, read_weights

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "WORKLOADS",
    "Recipe",
    "Workload",
    "check_images",
    "check_labels",
    "fits",
    "load_workload",
    "weights_hash",
    "weights_text",
    "workload_split",
]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network, the data it is for, and where its weights are from.

    Attributes
    ----------
    name, title : str
        Name in the registry, and one line for a listing.
    dataset : str or None
        Key of `accelsim.datasets.DATASETS`, or the name of random images; None: the data must be
        named, since the network takes images of many shapes.
    build : callable
        Returns the untrained `torch.nn.Module`; it imports torch itself.
    weights : str
        File name of the trained weights in the folder of the workloads, or their path;
        ``"random:SEED"`` where none are shipped.
    input_shape : tuple of int or None
        Channels, height, width of one image; None for any, () for any shape.
    classes : int or None
        Number of classes; the model returns (N, classes) logits. None: nobody says.
    recipe : Recipe, optional
        How the weights are trained; None: not here.
    source : str
        Where the architecture and the training come from.
    trained : bool
        Whether *build* returns the network with its weights.
    """

    name: str
    title: str
    dataset: str | None
    build: Callable[[], nn.Module]
    weights: str = "random:0"
    input_shape: tuple[int | None, ...]
    classes: int | None
    recipe: Recipe | None = None
    source: str
    trained: bool = False

    @property
    def weights_path(self) -> Path:
        """Path of the network's own weights."""
        return resource_dir("workloads") / self.weights

    @property
    def card(self) -> dict[str, Any] | None:
        """What is known of the shipped weights; None where none are shipped."""
        path = self.weights_path.with_suffix(".json")
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @property
    def seed(self) -> int | None:
        """Seed of its random weights; None where its weights are trained."""
        return _seed(self.weights)

    @property
    def label(self) -> str:
        """Title, and that its weights are random if they are."""
        return self.title if self.seed is None else f"{self.title}; {_random(self.seed)}"


def _import_workload_files() -> None:
    """Import every file of the folder by its path, so that no other folder is ever searched."""
    for path in sorted(resource_dir("workloads").glob("*.py")):
        name = f"accelsim.workloads.{path.stem}"
        if path.stem.startswith("_") or name in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ConfigError(f"workload file {path} is not a Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[name]
            if not isinstance(error, Exception):
                raise
            raise ConfigError(
                f"workload file {path} cannot be imported: {type(error).__name__}: {error}"
            ) from error


def _open_onnx_file(path: str) -> Workload:
    from accelsim.onnx.workload import onnx_workload

    return onnx_workload(path)


WORKLOADS: Registry[Workload] = Registry("workload", _import_workload_files)
WORKLOADS.register_files(".onnx", _open_onnx_file)


def load_workload(
    name: str,
    split: str = "test",
    limit: int | None = None,
    weights: str | PathLike[str] | None = None,
    data: str | PathLike[str] | None = None,
) -> tuple[nn.Module, NDArray[np.float32], NDArray[np.int64] | None]:
    """Return a workload's model with images and labels of one split.

    Parameters
    ----------
    name : str
        Key of `WORKLOADS`, or path of an ONNX file.
    split : str
        ``"test"`` or ``"train"``.
    limit : int, optional
        Take the first *limit* images only.
    weights : path, optional
        Weights instead of the workload's own: safetensors, or a state dict saved by torch, which is
        read without running any code it may hold; ``"random:SEED"``: drawn by that seed.
    data : path, optional
        The data folder, or another set instead of the workload's: see
        `accelsim.datasets.read_split`.

    Returns
    -------
    model : torch.nn.Module
        In eval mode, on the CPU.
    images : (N, C, H, W) float32
    labels : (N,) int64, or None
        None where the weights are random, so that nothing is ever right or wrong, or the images.

    Raises
    ------
    UnknownNameError
        If no workload has that name.
    ConfigError
        If *split* or *limit* cannot be used.
    DataError
        If the data cannot be read or are not what the network takes, *limit* exceeds the split, or
        the weights are not those of this network.
    """
    workload = WORKLOADS[name]
    found = workload_split(workload, split, data)
    if limit is not None:
        count = _checked_limit(limit)
        if count > len(found):
            raise DataError(
                f"limit asks for {count} images, but the {split} split of {found.dataset!r} "
                f"has {len(found)}"
            )
        found = found.first(count)
    seed = _seed(workload.weights if weights is None else weights)
    if seed is not None:
        return draw_model(workload.build, seed).eval(), found.images, None
    model = workload.build()
    if workload.trained and weights is None:
        return model.eval(), found.images, found.labels
    path = workload.weights_path if weights is None else Path(weights)
    if weights is None and not path.is_file():
        raise DataError(
            f"workload {name!r} has no weights at {path}; make them with: "
            f"accelsim train {name} --out {path}"
        )
    read_weights(model, path)
    return model.eval(), found.images, found.labels


def weights_text(name: str, weights: str | PathLike[str] | None = None) -> str:
    """Return which weights `load_workload` takes, in words for tables and manifests.

    >>> weights_text("lenet5_digits", "random:3")
    'random weights, seed 3'

    Raises
    ------
    DataError
        If there is a file and it cannot be read.
    """
    given = WORKLOADS[name].weights if weights is None else weights
    seed = _seed(given)
    if seed is not None:
        return _random(seed)
    return f"{Path(given).name}, SHA-256 {weights_hash(name, weights)}"


def _seed(weights: str | PathLike[str]) -> int | None:
    """Return the seed that ``"random:SEED"`` names, None where *weights* is a file."""
    match = re.fullmatch(r"random:(\d{1,18})", str(weights))
    return None if match is None else int(match[1])


def _random(seed: int) -> str:
    return f"random weights, seed {seed}"


def workload_split(
    workload: Workload, split: str, data: str | PathLike[str] | None = None
) -> Split:
    """Return one split of the data a workload is for, checked to be what its network takes.

    Parameters
    ----------
    workload : Workload
    split, data
        As `accelsim.datasets.read_split` takes them.

    Raises
    ------
    ConfigError, DataError
        As there; and DataError if images have another shape, or there are more classes.
    """
    dataset = workload.dataset
    if workload.trained and data is not None:
        dataset, data = fspath(data), None
    if dataset is None:
        raise DataError(
            f"{workload.name} leaves the size of its images open "
            f"({_times(workload.input_shape) or 'any shape'}), so the data must be named (--data): "
            f"{', '.join(DATASETS)}, {FILE_FORM}, folder:PATH"
        )
    found = read_split(dataset, split, data)
    shape = found.pixels.shape[1:]
    if workload.input_shape and not fits(shape, workload.input_shape):
        raise DataError(
            f"workload {workload.name!r} takes images of {_times(workload.input_shape)}, but those "
            f"of {found.dataset!r} have {_times(shape)}; give other data, or scale them"
        )
    if found.labels is not None:
        check_labels(found.labels, len(found), workload.classes)
    return found


def fits(shape: Sequence[int], declared: Sequence[int | None]) -> bool:
    """Return whether *shape* is the *declared* one, of which None may be any size.

    >>> fits((3, 8, 8), (3, None, 8)), fits((3, 8), (3, 8, 8))
    (True, False)
    """
    return len(shape) == len(declared) and all(
        want in (None, size) for want, size in zip(declared, shape, strict=True)
    )


def _times(shape: Sequence[int | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in shape)


def weights_hash(name: str, weights: str | PathLike[str] | None = None) -> str:
    """Return the first 16 hex digits of the SHA-256 of the weights file that `load_workload` reads.

    Of a network with its weights in one file or several it is that of the first one and of all
    weights.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    workload = WORKLOADS[name]
    path = workload.weights_path if weights is None else Path(weights)
    try:
        digest = hashlib.sha256(path.read_bytes())
    except OSError as error:
        raise DataError(f"weights file {path} cannot be read: {error.strerror}") from None
    if workload.trained and weights is None:
        for tensor in workload.build().state_dict().values():
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def _checked_limit(limit: object) -> int:
    try:
        count = -1 if isinstance(limit, bool) else operator.index(limit)  # type: ignore[arg-type]
    except TypeError:
        count = -1
    if count < 1:
        raise ConfigError(f"limit must be an int >= 1 (or None for all images), got {limit!r}")
    return count


def check_images(
    images: Any, shape: tuple[int, int, int] | None = None, *, any_rank: bool = False
) -> NDArray[np.float32]:
    """Return *images* unchanged if they are finite float32 images, else raise.

    Parameters
    ----------
    images : (N, C, H, W) float32 ndarray
    shape : tuple of int, optional
        (C, H, W) that every image must have.
    any_rank : bool
        Inputs of other networks are as good, (N, ...): signals (N, C, L), tokens, features.

    Raises
    ------
    DataError
        If the type, rank, shape or dtype is another one, there is no image, or a pixel is NaN or
        infinite.

    >>> check_images(np.zeros((2, 1, 8, 8), np.float32), (1, 8, 8)).shape
    (2, 1, 8, 8)
    """
    expected = "(N, ...)" if any_rank else "(N, C, H, W)"
    if shape is not None:
        expected = "(N, " + ", ".join(map(str, shape)) + ")"
    if not isinstance(images, np.ndarray):
        raise DataError(
            f"images must be a NumPy array {expected} float32, got {type(images).__name__}"
        )
    fits = images.ndim >= 2 if any_rank else images.ndim == 4
    if not fits or (shape is not None and images.shape[1:] != tuple(shape)):
        raise DataError(f"images must have shape {expected}, got {images.shape}")
    if images.size == 0:
        raise DataError(f"images must hold at least one image {expected}, got {images.shape}")
    if images.dtype != np.float32:
        raise DataError(
            f"images must be float32, got {images.dtype}; convert with images.astype('float32')"
        )
    bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
    if bad.size:
        raise DataError(
            f"images must be finite, got NaN or infinity in {bad.size} of {len(images)} images, "
            f"first in image {bad[0]}"
        )
    return images


def check_labels(labels: Any, count: int, classes: int | None = None) -> NDArray[np.int64]:
    """Return *labels* as (count,) int64 if they label *count* images, else raise.

    Raises
    ------
    DataError
        If they are not a one-dimensional array of integers, one an image, in 0..classes-1.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"labels must be a one-dimensional array of integers, got shape {array.shape} "
            f"{array.dtype}"
        )
    if len(array) != count:
        raise DataError(f"labels must be one an image: got {len(array)} for {count} images")
    check_classes(array, classes)
    return array.astype(np.int64)
