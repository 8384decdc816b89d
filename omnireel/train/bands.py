"""Bands that held-out metrics should stay in: outside of one, a run goes back to a checkpoint.

A student that burns in, freezes or makes one clip of everything has a finite loss all the while;
what it makes of held-out prompts tells (:mod:`omnireel.train.objectives.watch`).
"""

from __future__ import annotations

from collections.abc import Mapping

from omnireel.errors import InvalidInput


def check_bands(bands: Mapping[str, tuple[float, float]], validate: int, save: int) -> None:
    """Refuse bands that hold nothing, and checkpoints that were not validated: a run could go back
    to one that is outside of its bands already.

    Args:
        bands: metric of a validation -> least and largest value.
        validate: steps between validations.
        save: steps between checkpoints.

    Raises:
        InvalidInput: naming the field.

    """
    for name, (least, largest) in bands.items():
        if not least < largest:
            raise InvalidInput(
                f"the band of {name} is [least, largest], not [{least:g}, {largest:g}]",
                field="trainer.bands",
            )
    if bands and save % validate:
        raise InvalidInput(
            "with bands, checkpoints are what was validated: make checkpoint_every "
            f"({save}) a multiple of validate_every ({validate})",
            field="trainer.checkpoint_every",
        )


def outside(metrics: Mapping[str, float], bands: Mapping[str, tuple[float, float]]) -> str:
    """Which metrics are outside of their bands, in words; empty where none is. What is not a number
    is outside.

    Raises:
        InvalidInput: a metric with a band was not measured.

    """
    unknown = sorted(bands.keys() - metrics.keys())
    if unknown:
        raise InvalidInput(
            f"the validation has no {', '.join(unknown)}; bands are for {', '.join(metrics)}",
            field="trainer.bands",
        )
    return ", ".join(
        f"held-out {name} {metrics[name]:.4g} is outside {least:g} to {largest:g}"
        for name, (least, largest) in bands.items()
        if not least <= metrics[name] <= largest
    )
