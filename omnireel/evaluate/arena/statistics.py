"""Strengths with ties, agreement of judges, and the smallest difference that could be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.evaluate.bootstrap import F64, BootstrapConfig, Interval
from omnireel.evaluate.gsb import Verdict

SIGN = {Verdict.GOOD: 1.0, Verdict.SAME: 0.0, Verdict.BAD: -1.0}
_ORDER = (Verdict.GOOD, Verdict.SAME, Verdict.BAD)
_RIDGE = 1e-2
"""Keeps strengths finite when a system never loses; worth a hundredth of a trial."""


@dataclass(frozen=True)
class Outcome:
    """``first`` against ``second`` on one draw of one prompt, as one judge saw it."""

    first: str
    second: str
    prompt: str
    verdict: Verdict
    judge: str = ""
    draw: int = 0


@dataclass(frozen=True)
class Strengths:
    """``by_model``: natural logarithm of the strength, mean 0; ``tie`` that of Davidson's ν.

    Bounds are unknown (NaN) for one prompt, and for a system that fared alike in all trials with
    each of the others: no resample could show another outcome.
    """

    by_model: Mapping[str, Interval]
    tie: float


def davidson(outcomes: Sequence[Outcome], config: BootstrapConfig | None = None) -> Strengths:
    """Bradley-Terry strengths with ties (Davidson, 1970), with prompt-clustered intervals.

    P(i wins) : P(tie) : P(j wins) = p_i : ν sqrt(p_i p_j) : p_j. With θ = log p and η = log ν this
    is a logit with linear features, whose likelihood has one maximum; Newton's method finds it.

    Raises:
        InvalidInput: no outcomes.

    """
    if not outcomes:
        raise InvalidInput("strengths need at least one trial", field="outcomes")
    config = config or BootstrapConfig(resamples=200)
    models = sorted({m for o in outcomes for m in (o.first, o.second)})
    pairs = sorted({(o.first, o.second) for o in outcomes})
    features_G3D = np.stack([_features(models, *pair) for pair in pairs])
    prompts = sorted({o.prompt for o in outcomes})
    counts_PG3 = np.zeros((len(prompts), len(pairs), 3))
    for o in outcomes:
        at = prompts.index(o.prompt), pairs.index((o.first, o.second)), _ORDER.index(o.verdict)
        counts_PG3[at] += 1
    found = _fit(features_G3D, counts_PG3.sum(0))
    rng = np.random.default_rng(config.seed)
    share = np.full(len(prompts), 1 / len(prompts))
    times = rng.multinomial(len(prompts), share, config.resamples)
    drawn = np.stack([_fit(features_G3D, np.tensordot(t, counts_PG3, 1)) for t in times])
    tail = (1 - config.level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    several_G = (counts_PG3.sum(0) > 0).sum(1) > 1
    varied = {m for pair, several in zip(pairs, several_G, strict=True) if several for m in pair}
    unknown = [name not in varied or len(prompts) < 2 for name in models]
    low[:-1][unknown] = high[:-1][unknown] = np.nan
    return Strengths(
        {
            name: Interval(float(found[k]), float(low[k]), float(high[k]), len(outcomes))
            for k, name in enumerate(models)
        },
        float(found[-1]),
    )


def _features(models: Sequence[str], first: str, second: str) -> F64:
    """Rows: first wins, tie, second wins. Columns: θ of every model, then η."""
    out = np.zeros((3, len(models) + 1))
    i, j = models.index(first), models.index(second)
    out[0, i] = out[2, j] = 1.0
    out[1, [i, j]] = 0.5
    out[1, -1] = 1.0
    return out


def _fit(features_G3D: F64, counts_G3: F64) -> F64:
    size = features_G3D.shape[-1]
    x = np.zeros(size)
    totals_G = counts_G3.sum(1)
    for _ in range(50):
        logits_G3 = features_G3D @ x
        p_G3 = np.exp(logits_G3 - logits_G3.max(1, keepdims=True))
        p_G3 /= p_G3.sum(1, keepdims=True)
        mean_GD = np.einsum("gk,gkd->gd", p_G3, features_G3D)
        gradient = np.einsum("gk,gkd->d", counts_G3, features_G3D) - totals_G @ mean_GD - _RIDGE * x
        square = np.einsum("g,gk,gkd,gke->de", totals_G, p_G3, features_G3D, features_G3D)
        hessian = square - np.einsum("g,gd,ge->de", totals_G, mean_GD, mean_GD)
        step = np.linalg.solve(hessian + _RIDGE * np.eye(size), gradient)
        # A bound on the step keeps early ones, where the curve is flat, from overshooting.
        x += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    x[:-1] -= x[:-1].mean()
    out: F64 = x
    return out


def krippendorff_alpha(ratings: Sequence[Mapping[Any, float]]) -> float | None:
    """Agreement of judges beyond chance (Krippendorff, 2011), with the interval metric.

    Args:
        ratings: one mapping for each judge, from item to value (good 1, same 0, bad -1).

    Returns:
        1 for perfect agreement, 0 for that of chance; None when no two judged the same item, or
        when every value is the same.

    """
    items = sorted({item for judge in ratings for item in judge}, key=repr)
    units = [[judge[item] for judge in ratings if item in judge] for item in items]
    pairable = [unit for unit in units if len(unit) > 1]
    values = np.array([v for unit in pairable for v in unit])
    if not len(values) or (values == values[0]).all():
        return None
    observed = sum(_squares(np.array(u)) / (len(u) - 1) for u in pairable) / len(values)
    expected = _squares(values) / (len(values) * (len(values) - 1))
    return float(1 - observed / expected)


def _squares(values: F64) -> float:
    """Sum of squared differences over all ordered pairs."""
    return float(2 * (len(values) * np.square(values).sum() - values.sum() ** 2))


def detectable_difference(
    outcomes: Sequence[Outcome], *, level: float = 0.95, power: float = 0.8
) -> float:
    """Smallest true (G - B) / trials that this many prompts would show with ``power``.

    A two-sided test at ``level``; prompts are the units, since trials of one are alike.

    Raises:
        InvalidInput: fewer than two prompts.

    """
    by_prompt: dict[str, list[float]] = {}
    for o in outcomes:
        by_prompt.setdefault(o.prompt, []).append(SIGN[o.verdict])
    if len(by_prompt) < 2:
        raise InvalidInput("a detectable difference needs at least two prompts", field="outcomes")
    means = np.array([np.mean(v) for v in by_prompt.values()])
    # Laplace's rule: also where all verdicts were the same, another one was possible.
    variance = (float(np.square(means - means.mean()).sum()) + 1.0) / len(means)
    z = NormalDist().inv_cdf(1 - (1 - level) / 2) + NormalDist().inv_cdf(power)
    return float(z * np.sqrt(variance / len(means)))
