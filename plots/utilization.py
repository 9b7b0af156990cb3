"""How much each PE works in four dataflows: the gallery's picture.

No results are read; the timing of LeNet-5 is simulated here, on digits one at a time.
"""

from pathlib import Path

import accelsim
from accelsim.figures import utilization_by_pe

model, images, _ = accelsim.load_workload("lenet5_digits", limit=1)
trace = accelsim.trace(model, images, name="lenet5_digits")
edge = accelsim.Accelerator.preset("edge_16x16")
machines = [
    edge.replace(name=f"{dataflow} 16x16", **{"array.dataflow": dataflow})
    for dataflow in ("os", "ws", "is")
]
machines.append(accelsim.Accelerator.preset("eyeriss_168").replace(name="rs 12x14"))
runs = [accelsim.simulate(trace, machine, values=False) for machine in machines]
utilization_by_pe(runs).savefig(Path(__file__).with_name("utilization_by_pe.png"), dpi=110)
