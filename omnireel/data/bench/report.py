"""The bench from end to end, and what it leaves: ``bench.json`` and ``bench.html``."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omnireel.data.bench.agreeing import MOVEMENTS, agreement_rows
from omnireel.data.bench.cases import CASES
from omnireel.data.bench.copies import CopiesFound, measure_copies
from omnireel.data.bench.drawing import roc_svg, scores_svg, share_cell
from omnireel.data.bench.files import FILE_CHECKS, file_rows
from omnireel.data.bench.judging import Judgement, choose, confusion, judge_rows
from omnireel.data.bench.run import Row, Split, measure_all, sources
from omnireel.data.checks import Bounds, Tier
from omnireel.data.checks.near_duplicate import NearDuplicate
from omnireel.data.checks.registry import CHECKS, CROSS_MODAL
from omnireel.data.checks.thresholds import PATH
from omnireel.files import atomic_write
from omnireel.shipped import SHIPPED_TINY

Report = Callable[[str, int, int], None]
MEASURED = tuple(check for check in CHECKS if check.tier is Tier.TEMPORAL)


@dataclass(frozen=True)
class BenchConfig:
    """``sources`` good clips, from each of which about twenty others are made."""

    sources: int = 96
    copies: int = 48
    files: int = 24
    """Good clips whose files are damaged."""
    pairs: int = 120
    """Samples for each check of tier 3, half of them bad."""
    embedder: Path = SHIPPED_TINY / "embedder"
    workers: int = 2


QUICK = BenchConfig(sources=8, copies=6, files=2, pairs=6)


@dataclass(frozen=True)
class Bench:
    """What was found on one split."""

    split: Split
    judgements: tuple[Judgement, ...]
    confusion: tuple[Mapping[str, Mapping[str, float]], ...]
    """Of files, and of clips: shares rejected, by what is wrong and by check."""
    copies: CopiesFound


def run_bench(config: BenchConfig, report: Report, split: Split = "report") -> Bench:
    """Judge the thresholds of the policy ``standard`` on a split."""
    numbers = sources(split, config.sources)
    rows = measure_all(numbers, config.workers, lambda d, n: report("clips", d, n))
    table = {check.name: check.standard for check in MEASURED}
    files = file_rows(sources(split, config.files), lambda d, n: report("files", d, n))
    of_files = {check.name: check.standard for check in FILE_CHECKS}
    copies = measure_copies(
        sources(split, config.copies),
        NearDuplicate.standard.high,
        lambda done, total: report("near-duplicates", done, total),
    )
    pairs = _pairs(config, report, split)
    return Bench(
        split,
        (
            *(judge_rows(files, name, bounds) for name, bounds in of_files.items()),
            *(judge_rows(rows, name, bounds) for name, bounds in table.items()),
            *(judge_rows(pairs[check.name], check.name, check.standard) for check in CROSS_MODAL),
        ),
        (confusion(files, of_files), confusion(rows, table)),
        copies,
    )


def choose_thresholds(config: BenchConfig, report: Report) -> dict[str, Bounds]:
    """Choose on the split that is not reported on, and write them for the policy ``standard``.

    The threshold of near-duplicates is a decision, not a fit: half of the pictures.
    """
    numbers = sources("choose", config.sources)
    rows = measure_all(numbers, config.workers, lambda d, n: report("clips to choose on", d, n))
    return write_thresholds(rows, _pairs(config, report, "choose"))


def _pairs(config: BenchConfig, report: Report, split: Split) -> dict[str, list[Row]]:
    def show(done: int, total: int) -> None:
        report("checks of tier 3", done, total)

    return agreement_rows(split, config.pairs, config.embedder, config.workers, show)


def write_thresholds(rows: list[Row], pairs: Mapping[str, list[Row]]) -> dict[str, Bounds]:
    """Choose thresholds by ``rows`` and write them for the policy ``standard``."""
    chosen = {check.name: choose(rows, check.name, check.standard) for check in MEASURED}
    chosen |= {
        check.name: choose(pairs[check.name], check.name, check.standard)
        for check in CROSS_MODAL
        if check.name not in MOVEMENTS
    }
    table = {name: _finite(bounds) for name, bounds in chosen.items()}
    table[NearDuplicate.name] = _finite(NearDuplicate.standard)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    atomic_write(PATH, f"{{\n{lines}\n}}\n".encode())
    return chosen


def write_bench(bench: Bench, out: Path) -> tuple[Path, Path]:
    """Write ``bench.json`` and ``bench.html`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    data, page = out / "bench.json", out / "bench.html"
    atomic_write(data, json.dumps(as_json(bench), indent=1).encode())
    atomic_write(page, as_html(bench).encode())
    return data, page


def as_json(bench: Bench) -> dict[str, Any]:
    """Plain data; open ends of ranges are left out."""
    checks = [
        {**asdict(j), "bounds": _finite(j.bounds), "by_case": _of_cases(j.by_case)}
        for j in bench.judgements
    ]
    copies = {**asdict(bench.copies), "by_change": _of_cases(bench.copies.by_change)}
    return {
        "split": bench.split,
        "checks": checks,
        "confusion": [{name: dict(row) for name, row in t.items()} for t in bench.confusion],
        "near_duplicates": copies,
        "left_out": {case.name: case.mild for case in CASES if case.mild},
    }


def as_html(bench: Bench) -> str:
    """One page that needs nothing beside it."""
    rows = "".join(_check_html(judgement) for judgement in bench.judgements)
    tables = "".join(map(_confusion_html, bench.confusion))
    copies = bench.copies
    changes = "".join(
        f"<tr><td>{html.escape(change)}</td><td>{found} of {count}</td></tr>"
        for change, (count, found) in copies.by_change.items()
    )
    left_out = "; ".join(f"{case.name}: {case.mild}" for case in CASES if case.mild)
    return _PAGE.format(
        split=bench.split,
        rows=rows,
        tables=tables,
        changes=changes,
        found=copies.found,
        pairs=copies.pairs,
        wrong=copies.wrong,
        strangers=copies.strangers,
        left_out=html.escape(left_out),
    )


def _check_html(j: Judgement) -> str:
    threshold = j.bounds.low if j.bounds.high == float("inf") else j.bounds.high
    cases = "<br>".join(
        f"{html.escape(name)}: {out} of {count} out" for name, (count, out) in j.by_case.items()
    )
    return (
        f"<tr><th>{j.check}</th><td>{j.bounds} is kept<br>{j.good} good, {j.bad} bad</td>"
        f"<td>{j.precision}</td><td>{j.recall}</td>"
        f"<td>{roc_svg(j.roc, j.auc)}</td>"
        f"<td>{scores_svg(j.good_scores, j.bad_scores, threshold)}</td><td>{cases}</td></tr>"
    )


def _confusion_html(table: Mapping[str, Mapping[str, float]]) -> str:
    names = list(next(iter(table.values()), {}))
    head = "".join(f"<th><span>{name}</span></th>" for name in names)
    rows = "".join(
        f"<tr><th>{name}</th>"
        + "".join(share_cell(row[check], own=check == name) for check in names)
        + "</tr>"
        for name, row in table.items()
    )
    return (
        f'<table class="confusion"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _of_cases(cases: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    return {name: {"count": count, "rejected": out} for name, (count, out) in cases.items()}


def _finite(bounds: Bounds) -> dict[str, float]:
    return {end: value for end, value in vars(bounds).items() if abs(value) != float("inf")}


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Checks of data against known truth</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1240px; color: #26262c;
  background: #faf9f6 }}
table {{ border-collapse: collapse }} td, th {{ padding: .35rem .6rem; vertical-align: top;
  text-align: left; border-bottom: 1px solid #e2dfd8 }}
svg text {{ font: 12px system-ui, sans-serif }}
.confusion td {{ text-align: center }} .confusion thead span {{ writing-mode: vertical-rl }}
</style>
<h1>Checks of data against known truth</h1>
<p>Sources of the split <b>{split}</b>; thresholds were chosen on the other one. Precision is that
of as many bad clips as good ones; intervals are from a bootstrap over sources.</p>
<table><thead><tr><th>check</th><th>threshold</th><th>precision</th><th>recall</th><th>ROC</th>
<th>scores</th><th>cases</th></tr></thead><tbody>{rows}</tbody></table>
<h2>Who rejects what</h2>
<p>Rows: what clips are bad for. Columns: checks. Share that is rejected.</p>
{tables}
<h2>Near-duplicates</h2>
<p>{found} of {pairs} copies found; {wrong} of {strangers} pairs of strangers taken for copies.</p>
<table>{changes}</table>
<h2>Left out</h2>
<p>Between plainly good and plainly bad nobody knows the right answer. {left_out}.</p>
</html>
"""
