"""A denoising loop whose state is the number of its steps: a wrong one shows in the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from services.common.checkpoints import DenoisingState


class CountedSteps:
    """Iterate for the numbers of the steps to do; ``error`` is then 0 if every step was done once,
    by whomever."""

    def __init__(self, num_steps: int, start: DenoisingState | None) -> None:
        self._num_steps = num_steps
        self._first = start.step + 1 if start else 1
        self._count = int(start.latents_CTHW[0, 0, 0, 0]) if start else 0

    def __iter__(self) -> Iterator[int]:
        for step in range(self._first, self._num_steps + 1):
            self._count += 1
            yield step

    def latents(self) -> Callable[[], npt.NDArray[np.float32]]:
        """The state after the present step, however late it is asked for."""
        count = self._count
        return lambda: np.full((1, 1, 1, 1), count, np.float32)

    @property
    def error(self) -> int:
        """Steps too many, or too few."""
        return self._count - self._num_steps
