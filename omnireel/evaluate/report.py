"""What a person looks at: the table, a sheet per capability, an overview."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.oracles import oracles_of
from omnireel.evaluate.quick import CaseResult, Evaluation
from omnireel.evaluate.summary import Line, lines_of
from omnireel.media import SheetStyle, contact_sheet
from omnireel.media.sheet import Row
from omnireel.types import Clip, Frames

SHEET = SheetStyle(cell_height=96, font_size=14)


def table(evaluation: Evaluation) -> Table:
    """All lines, headlines in bold; brackets hold the 95 % bootstrap interval."""
    out = Table(box=None, pad_edge=False, header_style="bold")
    several = len(evaluation.wordings) > 1
    for title in ("task", *(("words",) if several else ()), "oracle"):
        out.add_column(title)
    for title in ("score", "shuffled", "ceiling", "truth", "held out"):
        out.add_column(title, justify="right")
    for capability in evaluation.capabilities:
        headline = oracles_of(capability)[0].name
        for i, line in enumerate(lines_of(evaluation, capability)):
            columns = line.held_in
            out.add_row(
                capability if i == 0 else "",
                *((line.wording,) if several else ()),
                line.oracle.name,
                _bounded(columns["score"], line),
                *(_plain(columns[c], line) for c in ("shuffled", "ceiling", "truth")),
                _plain(line.held_out, line),
                style="bold" if line.oracle.name == headline else "",
            )
    return out


def _bounded(interval: Interval | None, line: Line) -> str:
    if interval is None:
        return "-"
    if interval.bounds is None:
        return _plain(interval, line)
    low, high = (_number(bound, line) for bound in interval.bounds)
    return f"{_plain(interval, line)} [{low}..{high}]"


def _plain(interval: Interval | None, line: Line) -> str:
    if interval is None:
        return "-"
    return _number(interval.estimate, line) + (f" {line.oracle.unit}" if line.oracle.unit else "")


def _number(value: float, line: Line) -> str:
    return f"{value:.1f}" if line.oracle.unit else f"{value:.2f}"


def capability_sheet(capability: str, results: Sequence[CaseResult]) -> Frames:
    """Conditions, words, exact answer and result of every case."""
    rows: list[Row] = []
    for result in results:
        rows += condition_rows(result)
        sample = result.case.sample
        rows.append((f"{result.case.name} exact answer", sample.target.frames_THWC))
        for wording, clip in result.results.items():
            text = sample.prompt.text if wording == "precise" else sample.vague_prompt.text
            label = f"result, {wording}: {text}\n{_scores(result, wording)}"
            rows.append((label, clip.frames_THWC))
    return contact_sheet(rows, title=f"{capability}: quick evaluation", style=SHEET)


def overview_sheet(evaluation: Evaluation) -> Frames:
    """The first case of every capability."""
    rows: list[Row] = []
    for capability, results in evaluation.capabilities.items():
        first = results[0]
        wording = evaluation.wordings[-1]
        clip = first.results[wording]
        rows += condition_rows(first)
        label = f"{capability} {first.case.sample.prompt.text}\n{_scores(first, wording)}"
        rows.append((label, clip.frames_THWC))
    return contact_sheet(rows, title="Quick evaluation", style=SHEET)


def condition_rows(result: CaseResult) -> list[Row]:
    """Given pictures in one row, given videos in one row each."""
    sample = result.case.sample
    stills: list[tuple[str, Clip]] = []
    rows: list[Row] = []
    for name, clips in sample.media.items():
        for clip in clips:
            if len(clip.frames_THWC) == 1:
                stills.append((name, clip))
            else:
                rows.append((f"{result.case.name} given @{name}", clip.frames_THWC))
    if stills:
        names = ", ".join(dict.fromkeys(f"@{name}" for name, _ in stills))
        pictures = [np.asarray(clip.frames_THWC[0]) for _, clip in stills]
        rows.insert(0, (f"{result.case.name} given {names}", pictures))
    return rows


def _scores(result: CaseResult, wording: str) -> str:
    capability = result.case.sample.capability
    units = {o.name: o.unit for o in oracles_of(capability)}
    return ", ".join(
        f"{name} {value:.1f} dB" if units[name] else f"{name} {value:.2g}"
        for name, value in result.scores[wording]["score"].items()
        if value is not None
    )
