"""accelsim train: a workload's weights from scratch."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.options import DataOption, WorkloadArgument
from accelsim.cli.output import note, progress, warn

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
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, whatever checkpoint there is.")
    ] = False,
) -> None:
    """Train WORKLOAD by the recipe in its file; write weights and a JSON card beside them.

    A checkpoint beside them is kept after each epoch, and every minute: killed or interrupted, the
    same command goes on, to the same bits.

    Example: accelsim train lenet5_digits --out lenet5.safetensors
    """
    from pathlib import Path

    from accelsim.training import checkpoint_path
    from accelsim.training import train as run_training

    checkpoint = checkpoint_path(Path(out))
    if checkpoint.is_file() and not restart:
        note(f"goes on from {checkpoint}")
    try:
        with progress(f"train {workload}") as update:
            card = run_training(
                workload,
                epochs=epochs,
                seed=seed,
                out=out,
                data=data,
                restart=restart,
                progress=update,
            )
    except KeyboardInterrupt:
        further = f"goes on from {checkpoint}" if checkpoint.is_file() else "starts again"
        warn(f"{out} was not written; the same command {further}")
        raise typer.Exit(130) from None
    for text in card["data_notes"]:
        note(text)
    for split in ("train", "test"):
        print(f"{split} accuracy {100 * card[f'{split}_accuracy']:.2f} %")
    note(f"wrote {out}")
