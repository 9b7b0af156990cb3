"""The timeline of a run: what goes on over time, and as files of viewers.

One cycle is shown as one microsecond in a Chrome trace and as one nanosecond in a VCD.
"""

from accelsim.timeline.activity import (
    activity,
    glb_peak_bytes_per_cycle,
    peak_bytes_per_cycle,
)
from accelsim.timeline.perfetto import write_perfetto
from accelsim.timeline.selection import STRETCHES, WINDOWS, checked_cycles
from accelsim.timeline.vcd import write_vcd

__all__ = [
    "STRETCHES",
    "WINDOWS",
    "activity",
    "checked_cycles",
    "glb_peak_bytes_per_cycle",
    "peak_bytes_per_cycle",
    "write_perfetto",
    "write_vcd",
]
