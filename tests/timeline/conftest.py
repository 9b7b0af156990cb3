import pandas as pd
import pytest

from accelsim.config import Accelerator
from accelsim.machine.state import Entry


@pytest.fixture
def machine():
    """4 x 4 PEs."""
    return Accelerator.preset("tiny_4x4")


@pytest.fixture
def timeline():
    """Two transfers in, a pass, a transfer out; the second waits 6 cycles for the first."""
    read = ("read ifmap", "fc", 0, 16, 0, 0, 2)
    behind = ("read weight", "fc", 0, 8, 0, 6, 1)
    write = ("write ofmap", "fc", 0, 4, 0, 0, 1)
    rows = [
        *(Entry(0, 6, block, *read) for block in ("dram", "dma_read")),
        *(Entry(6, 9, block, *behind) for block in ("dram", "dma_read")),
        Entry(10, 16, "array", "pass", "fc", 0, 24, 48),
        *(Entry(16, 20, block, *write) for block in ("dram", "dma_write")),
    ]
    return pd.DataFrame(rows)
