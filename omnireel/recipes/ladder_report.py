"""Pictures of a climb, from the files that it leaves: what is measured, drawn.

- ``scores.png``: every measured rung with its intervals (``<rung>/results.json``).
- ``dpo-<rung>.png``: preference tuning step by step (``<rung>/run/metrics.jsonl``): the margin by
  which winners win, and both sides' absolute errors, which may grow together while it does too.
- ``distillation.png``: score by network evaluations of students and their teacher
  (``<rung>/results*.json``).

A picture whose files are not there is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnireel.errors import NotFound
from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.gate_scores import measure, read_results
from omnireel.recipes.climb import given_name
from omnireel.recipes.figures import DPI, HEIGHT, intervals, legend_below, new_figure
from omnireel.recipes.ladder import Ladder, Rung
from omnireel.recipes.ladder_scores import evaluations_of_clip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 5
"""Panels beside each other."""
_DPO = ("margin", "winner_error", "loser_error")


@dataclass(frozen=True)
class CurvePoint:
    """A model at a number of network evaluations for one clip."""

    rung: str
    evaluations: int
    score: Interval


def write_ladder_report(folder: Path, ladder: Ladder) -> list[Path]:
    """Draw what there is to draw about the climb in ``folder``, into ``folder/report``.

    Raises:
        NotFound: nothing has been measured there.
        FailedPrecondition: matplotlib is not installed.

    """
    figures: dict[str, Figure] = {}
    if scores := rung_scores(folder, ladder):
        figures["scores"] = _scores_figure(scores)
    for rung in ladder.rungs:
        rows = metric_rows(folder / rung.name / "run", "train")
        if rows and all(name in rows[-1] for name in _DPO):
            held_out = metric_rows(folder / rung.name / "run", "validation")
            figures[f"dpo-{rung.name}"] = _dpo_figure(rung, rows, held_out)
    if points := distillation_curve(folder, ladder):
        figures["distillation"] = _curve_figure(points)
    if not figures:
        raise NotFound(
            f"there is nothing to draw in {folder}; climb with 'omnireel train ladder --cases 8 "
            f"--out {folder}'"
        )
    out = folder / "report"
    out.mkdir(exist_ok=True)
    paths = []
    for name, figure in figures.items():
        paths.append(out / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI)
    return paths


def rung_scores(folder: Path, ladder: Ladder) -> dict[str, Mapping[str, Interval]]:
    """Intervals of every measured generator rung, in order: "mean" and each headline."""
    found: dict[str, Mapping[str, Interval]] = {}
    names = [rung.name for rung in ladder.rungs if rung.part == "generator"]
    for rung_name in (given_name("generator"), *names):
        path = folder / rung_name / "results.json"
        if not path.is_file():
            continue
        results = read_results(path)
        scores = measure(results, None).scores
        names = ["mean"]
        for capability, parts in results["capabilities"].items():
            names.append(f"{capability}/{parts['metrics'][0]['oracle']}")
        plain = {n for n in names if n == "mean" or _is_share(results, n)}
        found[rung_name] = {n: scores[n] for n in names if n in scores and n in plain}
    return found


def metric_rows(run: Path, event: str) -> list[dict[str, Any]]:
    """Rows of one kind in ``metrics.jsonl``, one a step; of a step that was done again after an
    interruption, the later one."""
    path = run / "metrics.jsonl"
    rows: dict[int, dict[str, Any]] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["event"] == event:
                rows[int(row["step"])] = row
    return [rows[step] for step in sorted(rows)]


def distillation_curve(folder: Path, ladder: Ladder) -> list[CurvePoint]:
    """Mean score of students and their teachers by evaluations, rung by rung; empty without a
    measured student."""
    students = [r for r in ladder.rungs if r.part == "generator" and r.teacher]
    shown = {rung.teacher for rung in students} | {rung.name for rung in students}
    points: list[CurvePoint] = []
    for rung in ladder.rungs:
        if rung.name not in shown:
            continue
        for path in sorted((folder / rung.name).glob("results*.json")):
            results = read_results(path)
            steps = int(results["model"]["num_inference_steps"])
            evaluations = evaluations_of_clip(folder / rung.name / "component", steps)
            points.append(CurvePoint(rung.name, evaluations, measure(results, None).scores["mean"]))
    measured = {point.rung for point in points}
    return points if any(rung.name in measured for rung in students) else []


def _is_share(results: Mapping[str, Any], name: str) -> bool:
    capability, oracle = name.split("/")
    metrics = results["capabilities"][capability]["metrics"]
    return any(m["oracle"] == oracle and not m["unit"] for m in metrics)


def _scores_figure(scores: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """A panel for the mean and for each capability, all with the same axes: rungs and 0 to 1."""
    names = list(dict.fromkeys(name for found in scores.values() for name in found))
    rows = -(-len(names) // _PANELS)
    columns = min(_PANELS, len(names))
    figure, panels = new_figure(rows, columns, height=max(HEIGHT, 1.2 + 1.9 * rows))
    for number, axes in enumerate(panels):
        if number >= len(names):
            axes.set_axis_off()
            continue
        name = names[number]
        here = [(i, found[name]) for i, found in enumerate(scores.values()) if name in found]
        color = "black" if name == "mean" else "C0"
        intervals(axes, [i for i, _ in here], [s for _, s in here], name, color=color)
        axes.set_title(name.replace("/", "  ").replace("_", " "), fontsize="medium", loc="left")
        axes.set_xlim(-0.5, len(scores) - 0.5)
        axes.set_ylim(0.0, 1.0)
        lowest = number + columns >= len(names)
        labels = list(scores) if lowest else [""] * len(scores)
        axes.set_xticks(range(len(scores)), labels, rotation=90)
        axes.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"] if number % columns == 0 else [""] * 3)
    figure.suptitle("What every rung is worth: score and 95 % interval")
    return figure


def _dpo_figure(
    rung: Rung, rows: Sequence[Mapping[str, Any]], held_out: Sequence[Mapping[str, Any]]
) -> Figure:
    """Held-out pairs in front, the noisy training pairs pale behind them."""
    figure, (left, right) = new_figure(columns=2)
    sets = ((rows, "training pairs", {"alpha": 0.35}), (held_out, "held out", {"marker": "o"}))
    for axes, names in ((left, _DPO[:1]), (right, _DPO[1:])):
        for number, name in enumerate(names):
            for found, label, style in sets:
                here = [row for row in found if isinstance(row.get(name), (int, float))]
                if here:
                    values = [row[name] for row in here]
                    text = f"{name.replace('_', ' ')}, {label}"
                    steps = [row["step"] for row in here]
                    axes.plot(steps, values, color=f"C{number}", label=text, **style)
        axes.set_xlabel("step")
        legend_below(axes)
    left.axhline(0.0, color="grey", linewidth=0.8)
    left.set_title(f"{rung.name}: by how much winners win")
    right.set_title("squared error of both sides")
    return figure


def _curve_figure(points: Sequence[CurvePoint]) -> Figure:
    figure, (axes,) = new_figure()
    for name in dict.fromkeys(point.rung for point in points):
        here = sorted((p for p in points if p.rung == name), key=lambda p: p.evaluations)
        intervals(axes, [p.evaluations for p in here], [p.score for p in here], name)
    axes.set_xscale("log", base=2)
    ticks = sorted({point.evaluations for point in points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("network evaluations of one clip (guided steps count two to four)")
    axes.set_ylabel("mean score, 95 % interval")
    axes.set_title("Distillation: students and their teacher")
    legend_below(axes)
    return figure
