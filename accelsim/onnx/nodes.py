"""Nodes of an ONNX graph as submodules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accelsim.errors import AccelsimError
from accelsim.onnx.base import Call, Value
from accelsim.onnx.operators import OPERATORS
from accelsim.onnx.reading import Graph
from accelsim.onnx.static import evaluate

__all__ = ["OnnxNode", "StaticNode", "free_name"]


VARIADIC = 100
"""An operator that can have more inputs than that can have any number of them."""

_VALUE, _PARAMETER, _CONSTANT = "value", "parameter", "constant"


class OnnxNode(nn.Module):
    """A node that reads what comes from the images, with its initializers.

    Parameters
    ----------
    proto : onnx.NodeProto
    name : str
    graph : Graph
    constants : mapping
        Name -> array, of what the graph has computed so far.
    parameters : dict
        Name -> parameter, of other nodes; new ones are added, so that nodes share them.

    Attributes
    ----------
    call : Call
    reads, makes : tuple of str
        Names of what it reads of other nodes, and of its outputs.
    """

    def __init__(
        self,
        proto: Any,
        name: str,
        graph: Graph,
        constants: Mapping[str, np.ndarray],
        parameters: dict[str, nn.Parameter],
    ) -> None:
        from onnx import defs, helper

        super().__init__()
        schema = defs.get_schema(proto.op_type, graph.opset, "")
        defaults = [(key, one.default_value) for key, one in schema.attributes.items()]
        given = {key: one for key, one in defaults if one.name}
        given.update({one.name: one for one in proto.attribute})
        attributes = {key: _plain(helper.get_attribute_value(one)) for key, one in given.items()}
        batch = graph.input_shape[0] if graph.input_shape else None
        self.call = Call(
            name, proto.op_type, schema.since_version, attributes, len(proto.output), batch
        )
        if proto.op_type not in OPERATORS:
            raise self.call.error(
                "this operator is modelled for shapes and constants only, here it reads what "
                "depends on the images; export the model with other operators"
            )
        self.makes = tuple(proto.output)
        self.reads = tuple(one for one in proto.input if one and one not in constants)
        self._inputs = [
            self._input(position, one, constants.get(one), parameters)
            for position, one in enumerate(proto.input)
        ]
        if schema.max_input < VARIADIC:
            self._inputs += [(_CONSTANT, None)] * (schema.max_input - len(proto.input))

    def _input(
        self,
        position: int,
        name: str,
        constant: np.ndarray | None,
        parameters: dict[str, nn.Parameter],
    ) -> tuple[str, Any]:
        """Return whence an input comes: a value by its place, a parameter by its name, or it."""
        operator = OPERATORS[self.call.op]
        if not name:
            return _CONSTANT, None
        if constant is None:
            return _VALUE, self.reads.index(name)
        if position in operator.constants:
            return _CONSTANT, constant
        if position in operator.numbers and constant.ndim == 0:
            return _CONSTANT, float(constant)
        if constant.dtype != np.float32:
            raise self.call.error(
                f"its input {name!r} is {constant.dtype} and must be float32; export the model in "
                "float32"
            )
        own = free_name(self, name)
        if position in operator.buffers:
            self.register_buffer(own, torch.from_numpy(np.array(constant)))
            return _PARAMETER, own
        if name not in parameters:
            parameters[name] = nn.Parameter(torch.from_numpy(np.array(constant)))
        self.register_parameter(own, parameters[name])
        return _PARAMETER, own

    def forward(self, images: int, *values: Value) -> tuple[Value, ...]:
        """Return the outputs for *values*, those that it reads, of so many images."""
        call, operator = replace(self.call, images=images), OPERATORS[self.call.op]
        inputs = []
        for position, (kind, found) in enumerate(self._inputs):
            value = found
            if kind == _PARAMETER:
                value = getattr(self, found)
            elif kind == _VALUE:
                value = values[found]
                if position in operator.constants and isinstance(value, Tensor):
                    raise call.error(
                        f"its input {self.reads[found]!r} must not depend on the images' values"
                    )
                if position not in operator.constants and isinstance(value, np.ndarray):
                    value = _as_operand(value, position in operator.numbers)
            inputs.append(value)
        try:
            made = operator.handle(call, *inputs)
        except AccelsimError:
            raise
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            shapes = ", ".join(str(tuple(one.shape)) for one in inputs if isinstance(one, Tensor))
            hint = ""
            if call.batch not in (None, images):
                hint = f"; the file is for batches of {call.batch}, got {images} images"
            raise call.error(f"cannot be computed of {shapes}: {error}{hint}") from error
        return made if isinstance(made, tuple) else (made,)

    def extra_repr(self) -> str:
        """Return the operator, for torch's listing of modules."""
        return self.call.op


class StaticNode(nn.Module):
    """A node of shapes and constants alone; they are known as soon as the images' shape is.

    Parameters and attributes are those of `OnnxNode`.
    """

    def __init__(
        self, proto: Any, name: str, graph: Graph, constants: Mapping[str, np.ndarray]
    ) -> None:
        super().__init__()
        self.makes = tuple(proto.output)
        self.reads = tuple(one for one in proto.input if one and one not in constants)
        self._proto, self._name, self._opset = proto, name, graph.opset
        self._constants = {one: constants[one] for one in proto.input if one in constants}

    def forward(self, images: int, *values: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the outputs for *values*, those that it reads."""
        known = {**self._constants, **dict(zip(self.reads, values, strict=True))}
        return tuple(evaluate(self._proto, self._name, self._opset, known).values())

    def extra_repr(self) -> str:
        """Return the operator, for torch's listing of modules."""
        return str(self._proto.op_type)


def free_name(module: nn.Module, name: str) -> str:
    """Return *name* as an attribute that *module* has not got yet.

    >>> free_name(nn.Linear(1, 1), "/layer.1/weight:0"), free_name(nn.Linear(1, 1), "weight")
    ('layer_1_weight_0', 'weight_2')
    """
    base = re.sub(r"[^0-9A-Za-z_-]+", "_", name).strip("_") or "node"
    free, number = base, 2
    while hasattr(module, free):
        free, number = f"{base}_{number}", number + 1
    return free


def _plain(attribute: Any) -> Any:
    return attribute.decode(errors="replace") if isinstance(attribute, bytes) else attribute


def _as_operand(value: np.ndarray, number: bool) -> Any:
    """Return shapes and constants as what torch computes with."""
    return value.item() if number and value.ndim == 0 else torch.from_numpy(np.array(value))
