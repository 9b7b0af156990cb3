"""From the nodes of an exported graph to layers: names, constants, and who reads which words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from accelsim.errors import TraceError
from accelsim.layer import INPUT, Layer, Operand, Parameter, VectorLayer, View
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.words import MixedImagesError, NeedsCopyError, Words, elements
from accelsim.vector_functions import VECTOR_FUNCTIONS

if TYPE_CHECKING:
    import torch

__all__ = [
    "Builder",
    "Handler",
    "as_images",
    "by_operator",
    "four",
    "path_of",
    "plane_of",
    "shape_of",
    "where",
]

Made = TypeVar("Made")


class Builder:
    """The layers made so far, and what the graph's nodes stand for.

    Parameters
    ----------
    program : torch.export.ExportedProgram
    label : str
        Name of the network.
    """

    def __init__(self, program: Any, label: str) -> None:
        self.label = label
        self.layers: list[Layer] = []
        self.tensors: dict[str, Words] = {}
        """Graph node -> the words that its tensor is."""
        self.lists: dict[str, list[Words]] = {}
        """Graph node -> the same of several tensors."""
        self.constants: dict[str, Any] = _constants(program)
        self.refused: dict[str, str] = {}
        """Graph node that is not modelled -> what to say to who reads it."""
        self.folded = set[str]()
        """Graph nodes of constants that were computed from others."""
        self.parameters: dict[str, np.ndarray] = {}
        """Name -> array that layers of the vector unit read."""
        self.storages: dict[str, str] = {}
        """Graph node -> the node whose memory it is a view of in torch."""
        self.inputs = set(program.graph_signature.user_inputs)

    def input(self, node: Any) -> None:
        """Let *node*, if it is the module's input, stand for the images."""
        if node.name in self.inputs:
            self.put(node, Words.dense(INPUT, shape_of(node, node)))

    def put(self, node: Any, words: Words, storage: str | None = None) -> None:
        """Let *node* stand for *words*, in memory of its own unless *storage* names another's."""
        self.tensors[node.name] = words
        self.storages[node.name] = node.name if storage is None else storage

    def refuse(self, node: Any, why: str) -> None:
        """Let whoever reads what *node* makes raise TraceError with *why*, or with an earlier one.

        What nobody reads is not computed: nn.MultiheadAttention averages weights by default.
        """
        if node.target._schema.is_mutable:
            raise TraceError(why)
        earlier = (self.refused.get(one.name) for one in node.all_input_nodes)
        self.refused[node.name] = next(filter(None, earlier), why)

    def words(self, node: Any, value: Any) -> Words:
        """Return the words of tensor *value*, which *node* reads."""
        self.check_refused(value)
        if getattr(value, "name", None) not in self.tensors:
            raise TraceError(
                f"{where(node)}: its input must come from the images, got {value!r}; "
                "a constant or a second input is not modelled"
            )
        return self.tensors[value.name]

    def check_refused(self, value: Any) -> None:
        """Raise TraceError if *value* is what a node that was refused makes."""
        why = self.refused.get(getattr(value, "name", ""))
        if why is not None:
            raise TraceError(why)

    def arranged(self, node: Any, words: Words, use: Callable[[Words], Made]) -> Made:
        """Return what *use* makes of *words*, or of a copy where it needs another order."""
        try:
            return use(words)
        except NeedsCopyError:
            return use(self.copied(node, words))

    def copied(self, node: Any, words: Words) -> Words:
        """Return the same tensor as words of a copy, dense and in order; *node* needs it."""
        return self.elementwise(node, self.name(node, "_copy"), "copy", words, rearranged=True)

    def images(self, node: Any, words: Words) -> tuple[Words, View | None]:
        """Return images (N, C, H, W) that *node* reads, and how: None, all in their order."""

        def use(words: Words) -> tuple[Words, View | None]:
            if not words.images_first:
                raise MixedImagesError
            view = words.view(words.dims[1:])
            return words, None if words.in_order else view

        return self.arranged(node, words, use)

    def elementwise(
        self,
        node: Any,
        name: str,
        op: str,
        *operands: Words,
        settings: tuple[float, ...] = (),
        rearranged: bool = False,
    ) -> Words:
        """Add a layer of vector function *op* for *node*; return its output.

        The operands are broadcast, the first one is no parameter. Where that one is all of a
        layer's output, the results lie as it does, unless they are to be *rearranged*. A function
        of rows or planes has them in the last dimensions.
        """
        kept = VECTOR_FUNCTIONS[op].reduces
        try:
            found = elements(*operands, rearranged=rearranged, kept=kept)
        except NeedsCopyError:
            operands = tuple(
                one if one.is_parameter else self.copied(node, one) for one in operands
            )
            found = elements(*operands, rearranged=rearranged, kept=kept)
        view, *others = (_as_images(view, kept) for view in found.views)
        read = tuple(self._operand(*one) for one in zip(operands[1:], others, strict=True))
        first = operands[0]
        self.layers.append(
            VectorLayer(name, op, first.source, view.shape, view.shape, None, view, read, settings)
        )
        if found.in_place:
            return replace(first, source=name)
        return first.made_by(name, found.dims)

    def _operand(self, words: Words, view: View) -> Operand | Parameter:
        if words.is_parameter:
            return Parameter(self.parameters[words.source], view)
        return Operand(words.source, view)

    def operand(self, node: Any, value: Any, images: int) -> Words:
        """Return the words of *value*, a tensor or a parameter that so many images read."""
        if not self.is_constant(value):
            return self.words(node, value)
        values = self.constant(node, value, "operand", infinite=True)
        return self.parameter(value.name, values, images)

    def parameter(self, name: str, values: np.ndarray, images: int) -> Words:
        """Return the words of the parameter *values*, which so many images read."""
        self.parameters[name] = values
        return Words.parameter(name, images, values.shape)

    def overwrite(self, node: Any, value: Any, name: str) -> None:
        """Let all views of tensor *value* stand for the output of layer *name* instead.

        Raises
        ------
        TraceError
            One of them is of words that the machine holds elsewhere.
        """
        old, storage = self.words(node, value).source, self.storages[value.name]
        for other, words in self.tensors.items():
            if self.storages[other] != storage:
                continue
            if words.source != old:
                raise TraceError(
                    f"{where(node)}: an in-place operator on a tensor is not modelled where "
                    f"another view of it ({other}) is rearranged in memory; call it out of place"
                )
            self.tensors[other] = replace(words, source=name)

    def constant(self, node: Any, value: Any, what: str, *, infinite: bool = False) -> np.ndarray:
        """Return parameter or buffer *value* as float32, which may hold infinity only if said."""
        self.check_refused(value)
        tensor = self.constants.get(getattr(value, "name", ""))
        if tensor is None:
            raise TraceError(f"{where(node)}: its {what} must be a parameter, got {value!r}")
        array = tensor.detach().cpu().numpy()
        if array.dtype != np.float32:
            raise TraceError(f"{where(node)}: its {what} must be float32, got {array.dtype}")
        if np.isnan(array).any() or not (infinite or np.isfinite(array).all()):
            raise TraceError(f"{where(node)}: its {what} holds NaN or infinity")
        return np.ascontiguousarray(array)

    def bias(self, node: Any, value: Any) -> np.ndarray | None:
        """Return the bias of *node*, None without one."""
        return None if value is None else self.constant(node, value, "bias")

    def is_constant(self, value: Any) -> bool:
        """Return whether *value* is a parameter, a buffer, or a view of one."""
        return getattr(value, "name", None) in self.constants

    def fold(self, node: Any) -> bool:
        """Let *node* stand for a constant if torch computes it from constants alone; say whether.

        An in-place operator only works on what was computed here: parameters stay as they are.
        """
        import torch

        if not all(map(self.is_constant, node.all_input_nodes)):
            return False
        in_place = node.target._schema.is_mutable
        if in_place and getattr(node.args[0], "name", None) not in self.folded:
            return False
        if torch.Tag.nondeterministic_seeded in node.target.tags:
            return False
        args, kwargs = torch.fx.node.map_arg(
            (node.args, node.kwargs), lambda one: self.constants[one.name]
        )
        with torch.no_grad():
            made = node.target(*args, **kwargs)
        if not isinstance(made, torch.Tensor):
            return False
        self.constants[node.name] = made
        self.folded.add(node.name)
        return True

    def name(self, node: Any, suffix: str = "") -> str:
        """Return a unique name: the module's path, or the operator's name if none is its own."""
        base = (path_of(node) or node.name) + suffix
        taken = {layer.name for layer in self.layers} | {INPUT}
        name, number = base, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        return name

    def output(self, node: Any) -> str:
        """Return the name of the layer whose output the graph's output *node* returns."""
        returned = node.args[0]
        for value in returned:
            self.check_refused(value)
        if len(returned) != 1 or getattr(returned[0], "name", None) not in self.tensors:
            names = [getattr(value, "name", repr(value)) for value in returned]
            raise TraceError(
                f"{self.label} must return one tensor that depends on the images, "
                f"got {len(returned)}: {', '.join(names)}"
            )
        words = self.tensors[returned[0].name]
        if words.source == INPUT:
            raise TraceError(f"{self.label} returns its input; there is nothing to simulate")
        if not words.images_first or words.shape[0] != words.images:
            raise TraceError(
                f"{self.label} returns a tensor of shape {words.shape}, which mixes images: its "
                f"first dimension must be the images', {words.images}"
            )
        return words.source if words.in_order else self.copied(returned[0], words).source


Handler = Callable[[Builder, Any, Arguments], None]
"""Adds what a node stands for, given its arguments, to a builder."""


def by_operator(kinds: Mapping[Handler, str]) -> dict[str, Handler]:
    """Return operator -> handler for handlers with the names of their operators, blank between."""
    return {
        f"aten.{operator}": handler
        for handler, operators in kinds.items()
        for operator in operators.split()
    }


def path_of(node: Any) -> str:
    """Return the path of the innermost module that called *node*, "" for the root."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return paths[-1] if paths else ""


def where(node: Any) -> str:
    """Return what to call *node* in a message."""
    return path_of(node) or f"the model ({node.name})"


def shape_of(node: Any, value: Any, rank: int | None = None) -> tuple[int, ...]:
    """Return the shape of the tensor *value*, which *node* reads or makes."""
    tensor = getattr(value, "meta", {}).get("val")
    if tensor is None or not hasattr(tensor, "shape"):
        raise TraceError(f"{where(node)}: expected a tensor, got {value!r}")
    shape = tuple(int(extent) for extent in tensor.shape)
    if rank is not None and len(shape) != rank:
        raise TraceError(
            f"{where(node)}: expected a tensor of {rank} dimensions, got shape {shape}"
        )
    return shape


def as_images(words: Words) -> Words:
    """Return *words* (N, C, H, W), or (N, C, L) as images of one column."""
    return words.within(3) if len(words.dims) == 3 else words


def plane_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns of images (N, C, H, W), or of (N, C, L), which has one column.

    >>> plane_of((2, 3, 8))
    (8, 1)
    """
    height, width = (*shape[2:], 1)[:2]
    return height, width


def four(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return *shape* as (N, ..., C, H, W); a matrix has 1 x 1 images.

    >>> four((2, 10))
    (2, 10, 1, 1)
    """
    return (*shape, *(1,) * (4 - len(shape)))


def _as_images(view: View, kept: int) -> View:
    """Return *view* as (N, ..., C, H, W), its *kept* last dimensions as the last ones.

    >>> _as_images(View.dense((2, 10)), 1).shape, _as_images(View.dense((2, 10)), 0).shape
    ((2, 1, 1, 10), (2, 10, 1, 1))
    """
    missing, at = (1,) * (4 - len(view.shape)), len(view.shape) - kept
    return view._replace(
        shape=(*view.shape[:at], *missing, *view.shape[at:]),
        strides=(*view.strides[:at], *missing, *view.strides[at:]),
    )


def _constants(program: Any) -> dict[str, torch.Tensor]:
    """Return graph node -> tensor for parameters, buffers and lifted constants."""
    signature = program.graph_signature
    state = {**program.state_dict, **program.constants}
    named = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return {node: state[name] for node, name in named.items() if name in state}
