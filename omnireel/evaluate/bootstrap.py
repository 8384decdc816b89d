"""Bootstrap intervals of a mean over clusters (Efron and Tibshirani, 1993, chapters 8 and 13)."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A point estimate with the bounds of its percentile interval; NaN where they are unknown."""

    estimate: float
    low: float
    high: float
    count: int
    """Observations behind it."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Low and high; None where they are unknown."""
        return None if math.isnan(self.low) else (self.low, self.high)

    def shown(self, form: str = ".2f") -> str:
        """For people: "0.52 [0.44..0.61]", or "0.52" where the bounds are unknown."""
        estimate = format(self.estimate, form)
        if self.bounds is None:
            return estimate
        low, high = (format(bound, form) for bound in self.bounds)
        return f"{estimate} [{low}..{high}]"


@dataclass(frozen=True)
class BootstrapConfig:
    """``level``: share of resamples inside the interval."""

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise InvalidInput("at least one resample", field="resamples")
        if not 0.0 < self.level < 1.0:
            raise InvalidInput(f"level {self.level} is not between 0 and 1", field="level")


def bootstrap(
    rows_ND: Sequence[Sequence[float]] | F64,
    clusters: Sequence[Hashable],
    statistic: Callable[[F64], F64],
    config: BootstrapConfig | None = None,
) -> Interval:
    """The interval of ``statistic(sum of rows over all observations)``.

    Whole clusters (prompts, say) are drawn with replacement, because observations of one cluster
    are alike. ``statistic`` maps sums ``(R, D)`` of R resamples to R numbers; they may be infinite,
    and resamples where it is not a number are left out. One cluster alone tells nothing about
    others, so its bounds are unknown.

    Raises:
        InvalidInput: no observations, or not one cluster name for each.
    """
    config = config or BootstrapConfig()
    estimate, values_R = resampled(rows_ND, clusters, statistic, config)
    values_R = values_R[~np.isnan(values_R)]
    return Interval(estimate, *percentiles(values_R, config), len(rows_ND))


def percentiles(values_R: F64, config: BootstrapConfig) -> tuple[float, float]:
    """Bounds of the percentile interval of resampled values; NaN without values."""
    if len(values_R) == 0:
        return float("nan"), float("nan")
    tail = (1.0 - config.level) / 2
    # No interpolation between values: a ratio may be infinite in some resamples.
    low, high = np.quantile(values_R, [tail, 1.0 - tail], method="inverted_cdf")
    return float(low), float(high)


def resampled(
    rows_ND: Sequence[Sequence[float]] | F64,
    clusters: Sequence[Hashable],
    statistic: Callable[[F64], F64],
    config: BootstrapConfig,
) -> tuple[float, F64]:
    """The statistic, and its values in resamples ``(R,)``; none of these for a single cluster.

    Arguments and errors as of :func:`bootstrap`.
    """
    rows = np.asarray(rows_ND, np.float64)
    if len(rows) == 0:
        raise InvalidInput("an interval needs at least one observation", field="rows")
    if len(rows) != len(clusters):
        raise InvalidInput(
            f"{len(clusters)} cluster names for {len(rows)} observations", field="clusters"
        )
    index = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(index), rows.shape[1]))
    np.add.at(sums, [index[name] for name in clusters], rows)
    estimate = float(statistic(sums.sum(0, keepdims=True))[0])
    rng = np.random.default_rng(config.seed)
    if len(index) < 2:
        return estimate, np.empty(0)
    times = rng.multinomial(len(index), np.full(len(index), 1 / len(index)), config.resamples)
    return estimate, statistic(times @ sums)


def mean_interval(
    scores: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    config: BootstrapConfig | None = None,
) -> Interval:
    """The mean of ``scores`` with its interval; every score is its own cluster by default."""
    names = range(len(scores)) if clusters is None else clusters
    rows = np.asarray([(score, 1.0) for score in scores], np.float64).reshape(-1, 2)
    return bootstrap(rows, list(names), _ratio, config)


def _ratio(sums_RD: F64) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        out: F64 = sums_RD[:, 0] / sums_RD[:, 1]
    return out
