"""Seconds that a rank works on a pack, as a linear function of what is in it.

::

    seconds = fixed + a sum(N_i) + b sum(Nc_i^2 + Nt_i (Nc_i + Nt_i))           on one rank
    seconds = fixed + (a N + b Q) / d + e N (d - 1) / d^2                        on d ranks

The quadratic term is exact for asymmetric attention (see :attr:`SampleLength.pairs`). With Ulysses
degree d a rank holds N / d tokens and exchanges (d - 1) / d of them. Token counts alone say little:
attention of one long clip outweighs that of many images with as many tokens. The coefficients are
counted operations (:meth:`CostModel.from_flops`) or, as attention reaches another share of a
device's peak than products do, fitted to measured times (:func:`fit_cost`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.train.balance.lengths import SampleLength

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CostModel:
    """Coefficients in seconds: per pack, per token, per query-key pair, per exchanged token."""

    fixed_s: float
    token_s: float
    pair_s: float
    exchange_s: float = 0.0

    def __post_init__(self) -> None:
        values = (self.fixed_s, self.token_s, self.pair_s, self.exchange_s)
        if not all(np.isfinite(v) and v >= 0 for v in values) or self.token_s + self.pair_s <= 0:
            raise InvalidInput(
                f"cost coefficients must be finite, not negative and not all 0: {self}",
                field="cost",
            )

    @classmethod
    def from_flops(
        cls, *, width: int, depth: int, mlp_ratio: float, flops_per_s: float, bytes_per_s: float
    ) -> CostModel:
        """What counting says before anything is measured.

        Args:
            width: model width; ``depth`` layers; ``mlp_ratio`` hidden over model width.
            flops_per_s: what a rank sustains; a training step takes three times a forward pass.
            bytes_per_s: of the all-to-all, per rank; activations of two bytes.

        """
        projections = 2 * width**2 * (4 + 2 * mlp_ratio)
        exchanged = 2 * 3 * 4 * width * depth  # q, k, v and output, there and back: 3 x 4 x D
        return cls(
            fixed_s=0.0,
            token_s=3 * depth * projections / flops_per_s,
            pair_s=3 * depth * 4 * width / flops_per_s,
            exchange_s=exchanged / bytes_per_s,
        )

    def sample_seconds(self, length: SampleLength, degree: int = 1) -> float:
        """Time that a sample adds to a pack on each of ``degree`` ranks."""
        work = self.token_s * length.tokens + self.pair_s * length.pairs
        return work / degree + self.exchange_s * length.tokens * (degree - 1) / degree**2

    def pack_seconds(self, lengths: Sequence[SampleLength], degree: int = 1) -> float:
        """Time of a whole pack on each of ``degree`` ranks."""
        return self.fixed_s + sum(self.sample_seconds(length, degree) for length in lengths)


@dataclass(frozen=True)
class CostMeasurement:
    """How long a forward and backward pass over a pack took on each of ``degree`` ranks."""

    lengths: tuple[SampleLength, ...]
    seconds: float
    degree: int = 1


def fit_cost(measurements: Sequence[CostMeasurement]) -> CostModel:
    """Coefficients of least *relative* squared error, none negative.

    Relative, so that short packs count as much as long ones. With four columns at most, every set
    of columns is tried and the best that has no negative coefficient wins, which is the exact
    solution of non-negative least squares.

    Raises:
        InvalidInput: fewer measurements than coefficients, or times that are not positive.

    """
    rows = np.array([_features(m) for m in measurements], np.float64).reshape(-1, 4)
    seconds = np.array([m.seconds for m in measurements], np.float64)
    columns = [i for i in range(4) if rows[:, i].any()]
    if len(rows) < len(columns) + 1 or not (np.isfinite(seconds).all() and (seconds > 0).all()):
        raise InvalidInput(
            f"a cost model needs at least {max(4, len(columns) + 1)} measurements with positive "
            f"times, not {len(rows)}; measure packs of different lengths",
            field="measurements",
        )
    relative = rows / seconds[:, None]
    best: tuple[float, Floats] | None = None
    for size in range(1, len(columns) + 1):
        for chosen in itertools.combinations(columns, size):
            solution = _least_squares(relative[:, chosen])
            error = float(np.square(relative[:, chosen] @ solution - 1).sum())
            if (solution >= 0).all() and (best is None or error < best[0]):
                best = error, np.zeros(4)
                best[1][list(chosen)] = solution
    if best is None:
        raise InvalidInput("the measured times fit no cost model", field="measurements")
    return CostModel(*(float(v) for v in best[1]))


def relative_errors(cost: CostModel, measurements: Sequence[CostMeasurement]) -> Floats:
    """Predicted over measured time, minus 1, of every measurement."""
    return np.array([cost.pack_seconds(m.lengths, m.degree) / m.seconds - 1 for m in measurements])


def _features(m: CostMeasurement) -> tuple[float, float, float, float]:
    tokens = sum(length.tokens for length in m.lengths)
    pairs = sum(length.pairs for length in m.lengths)
    d = m.degree
    return 1.0, tokens / d, pairs / d, tokens * (d - 1) / d**2


def _least_squares(columns: Floats) -> Floats:
    """Solve ``columns x = 1``; columns are scaled first, as pairs outnumber packs by far."""
    scale = np.abs(columns).max(axis=0)
    solution, *_ = np.linalg.lstsq(columns / scale, np.ones(len(columns)), rcond=None)
    result: Floats = solution / scale
    return result
