"""The device that a verb's model runs on."""

from __future__ import annotations

from typing import Annotated

import typer

from omnireel.errors import InvalidInput

Device = Annotated[str, typer.Option(help="Device that the model runs on: cpu, cuda or cuda:1.")]


def present_device(name: str) -> str:
    """``name``, before anything is loaded for it.

    Raises:
        InvalidInput: this machine has no such device, or torch knows none of that name.

    """
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter where torch has no CUDA
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"this machine has no device {name!r} ({reason}); use --device cpu", field="--device"
        ) from error
    return name
