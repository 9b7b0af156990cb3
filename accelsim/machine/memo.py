"""A memo of layers: what ran before on a machine that does the same is not run again.

Without values a layer's record depends on its shapes and tiling, on the sections of the accelerator
that its blocks read, and on the state in which the layer before left the DRAM. The key is all of
that and nothing else: identical layers of a network share a record, and so do configurations that
differ in what the layer does not feel, such as the energy table, the name, a clock at which the
units take as many cycles, another multiplier with the same timing, or, for a layer of the vector
unit, the whole array. The units' names, which are in a record's counts, are put in afterwards.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from accelsim.accumulators import accumulator_of
from accelsim.clock import clock_mhz_of
from accelsim.config import Accelerator
from accelsim.layer import Operand
from accelsim.layer_units import by_unit
from accelsim.machine.array import array_model
from accelsim.machine.block import Block
from accelsim.machine.dram import Dram
from accelsim.machine.program import MacStep, VectorStep, unit_work
from accelsim.multipliers import MULTIPLIERS

if TYPE_CHECKING:
    from accelsim.machine.machine import LayerRecord

__all__ = ["LayerMemo", "layer_key", "machine_key", "step_key"]

UNITS = ("multiplier", "accumulator")


class LayerMemo:
    """Records of layers by what determines them, for runs without values.

    Parameters
    ----------
    limit : int
        Records that are kept, some 2 KiB each; the oldest go first.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self.limit = limit
        self.hits = self.misses = 0
        self._records: dict[Hashable, tuple[LayerRecord, Hashable]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def find(
        self, key: Hashable, name: str, start: int, accelerator: Accelerator
    ) -> tuple[LayerRecord, Hashable] | None:
        """Return the record under *key* for a layer *name* at cycle *start*, and the DRAM's state
        after it; None where there is none."""
        found = self._records.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        record, after = found
        names = dict(zip(UNITS, _unit_names(accelerator), strict=True))
        counts = {
            (names.get(component, component), action): count
            for (component, action), count in record.counts.items()
        }
        end = start + record.total_cycles
        return (
            replace(record, layer=name, cycle_start=start, cycle_end=end, counts=counts),
            after,
        )

    def keep(self, key: Hashable, record: LayerRecord, after: Hashable) -> None:
        """Keep what a layer did, and the DRAM's state *after* it."""
        if len(self._records) >= self.limit:
            del self._records[next(iter(self._records))]
        counts = {
            (family if (family := component.partition(".")[0]) in UNITS else component, action): n
            for (component, action), n in record.counts.items()
        }
        self._records[key] = replace(record, counts=counts), after


def machine_key(accelerator: Accelerator) -> Hashable:
    """Return what all layers feel of *accelerator*.

    Two machines with equal keys take the same cycles and count the same for every network whose
    layers get the same tilings.
    """
    keys = {unit: layer_key(machine) for unit, machine in by_unit(accelerator).items()}
    own = frozenset((layer, keys[unit]) for layer, unit in accelerator.layer_multipliers.items())
    return keys[accelerator.multiplier], own


def layer_key(accelerator: Accelerator) -> tuple[Hashable, Hashable]:
    """Return what of a machine of one unit layers of the vector unit feel, and others besides."""
    dram = accelerator.dram
    memories = (
        accelerator.glb,
        dram,
        accelerator.dma,
        accelerator.vector_unit,
        clock_mhz_of(accelerator) if dram.is_device else None,
    )
    unit = MULTIPLIERS[accelerator.multiplier]
    psum_bytes = accumulator_of(unit, accelerator.accumulator).bytes
    return memories, (array_model(accelerator), psum_bytes, unit_work(accelerator))


def step_key(
    step: MacStep | VectorStep, machine: tuple[Hashable, Hashable], dram: Dram
) -> Hashable:
    """Return what determines the record of *step* on a machine of this `layer_key`."""
    memories, array = machine
    before = dram.history()
    placed = before is not None

    def seen(block: Block | None) -> Hashable:
        return block if placed or block is None else (block.counts, block.strides)

    if isinstance(step, VectorStep):
        layer = step.layer
        parts = tuple(
            (part.channels, part.rows, seen(part.ifmap), seen(part.ofmap)) for part in step.parts
        )
        beside = tuple(seen(block) for block in step.beside)
        shapes = layer.input_shape, layer.output_shape, layer.window, bool(layer.places)
        return memories, before, step.stays, step.op, shapes, parts, beside
    one, second = step.layer, isinstance(step.layer.weight, Operand)
    own = step.op, one.shape, second, step.bias is not None, step.tiling
    # What a tile moves is told by shape and tiling; only a DRAM with rows feels where it lies.
    blocks = step.walks, step.ifmap, step.weights, step.bias, step.ofmap, step.spilled
    return memories, before, step.stays, own, blocks if placed else None, array


def _unit_names(accelerator: Accelerator) -> tuple[str, str]:
    unit = MULTIPLIERS[accelerator.multiplier]
    adder = accumulator_of(unit, accelerator.accumulator)
    return f"multiplier.{unit.name}", f"accumulator.{adder.name}"
