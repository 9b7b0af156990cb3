"""accelsim train: a workload's weights from scratch."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.options import DataOption, WorkloadArgument
from accelsim.cli.output import note, progress

__all__ = ["train"]


def train(
    workload: WorkloadArgument,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="The weights, a .safetensors file.")
    ],
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Instead of the recipe's number.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Initial weights and order of images.")] = 0,
    data: DataOption = None,
) -> None:
    """Train WORKLOAD by the recipe in its file; write weights and a JSON card beside them.

    Example: accelsim train lenet5_digits --out lenet5.safetensors
    """
    from accelsim.training import train as run_training

    try:
        with progress(f"train {workload}") as update:
            card = run_training(
                workload,
                epochs=epochs,
                seed=seed,
                out=out,
                data=data,
                progress=lambda epoch, epochs, loss: update(epoch, epochs, f"loss {loss:.4f}"),
            )
    except KeyboardInterrupt:
        note(f"{out} was not written; the same command starts again")
        raise typer.Exit(130) from None
    for text in card["data_notes"]:
        note(text)
    for split in ("train", "test"):
        print(f"{split} accuracy {100 * card[f'{split}_accuracy']:.2f} %")
    note(f"wrote {out}")
