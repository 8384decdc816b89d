"""The report: how many samples each check threw out, and what these look like.

One HTML file without scripts, with small pictures inside. Of each check it shows the samples that
it threw out nearest to its threshold and farthest from it: a threshold can be judged by eye.
"""

from __future__ import annotations

import base64
import html
import math
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from omnireel.data.checks.base import Judged, Outcome, Verdict
from omnireel.data.checks.policy import Policy
from omnireel.data.checks.registry import ALL

REPORT = "report.html"
_SHOWN = 6
_BINS = 40


@dataclass(frozen=True, order=True)
class _Example:
    """A sample that a check threw out, by how far its score lies outside of what is kept."""

    distance: float
    key: str
    file: str
    shot: int
    words: str
    other: str = ""


@dataclass
class _Tally:
    """What one check did."""

    counts: dict[Outcome, int] = field(default_factory=dict)
    alone: int = 0
    """Rejected by this check and by no other."""
    scores: array[float] = field(default_factory=lambda: array("d"))
    near: list[_Example] = field(default_factory=list)
    far: list[_Example] = field(default_factory=list)

    def add_example(self, example: _Example) -> None:
        self.near = sorted([*self.near, example])[:_SHOWN]
        self.far = sorted([*self.far, example], reverse=True)[:_SHOWN]


class Report:
    """Fed with every sample's verdicts, then drawn."""

    def __init__(self, policy: Policy, strip: Callable[[str, int], bytes]) -> None:
        """``strip`` gives the JPEG of ``(file, shot)``, or nothing."""
        self._policy = policy
        self._strip = strip
        self._tallies: dict[str, _Tally] = {}

    def add(self, file: str, shot: int, verdicts: Iterable[Verdict]) -> None:
        """One sample."""
        rows = list(verdicts)
        against = [v for v in rows if v.outcome in (Outcome.REJECTED, Outcome.FAILED)]
        for verdict in rows:
            tally = self._tallies.setdefault(verdict.check, _Tally())
            tally.counts[verdict.outcome] = tally.counts.get(verdict.outcome, 0) + 1
            if verdict.score is not None:
                tally.scores.append(verdict.score)
        for verdict in against:
            tally = self._tallies[verdict.check]
            tally.alone += len(against) == 1
            tally.add_example(
                _Example(
                    _distance(verdict),
                    verdict.sample,
                    file,
                    shot,
                    verdict.reason,
                    str(verdict.detail.get("of", "")),
                )
            )

    def page(self, kept: int, samples: int) -> str:
        """The whole page."""
        checks = [c for c in ALL if c.name in self._tallies]
        extra = [n for n in self._tallies if n not in {c.name for c in checks}]
        rows = "".join(self._row(check) for check in checks)
        sections = "".join(self._section(check.name, check) for check in checks)
        sections += "".join(self._section(name, None) for name in extra)
        name = html.escape(self._policy.name)
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>Curated with {name}</title>"
            f"<style>{_STYLE}</style><main><h1>{kept} of {samples} samples kept</h1>"
            f"<p class=faint>Policy {name}, {self._policy.digest()[:12]}. Thresholds are those of "
            "this run; every score is in ledger.parquet.</p>"
            "<div class=wide><table><tr><th>check<th>kept range<th>threw out<th>only this one"
            "<th>failed<th>not applicable<th>skipped<th>scores</tr>"
            f"{rows}</table></div>{sections}</main></html>\n"
        )

    def _row(self, check: type[Judged]) -> str:
        tally = self._tallies[check.name]
        bounds = self._policy.bounds[check.name]
        numbers = [
            tally.counts.get(Outcome.REJECTED, 0),
            tally.alone,
            tally.counts.get(Outcome.FAILED, 0),
            tally.counts.get(Outcome.NOT_APPLICABLE, 0),
            tally.counts.get(Outcome.SKIPPED, 0),
        ]
        link = f"<a href='#{check.name}'>{check.name}</a>" if tally.near else check.name
        cells = "".join(f"<td class=n>{number or '·'}" for number in numbers)
        picture = _histogram(tally.scores, bounds.low, bounds.high)
        return (
            f"<tr><td><b>{link}</b><br><span class=faint>tier {int(check.tier)}; "
            f"{html.escape(check.unit)}</span><td>{html.escape(str(bounds))}{cells}<td>{picture}</tr>"
        )

    def _section(self, name: str, check: type[Judged] | None) -> str:
        tally = self._tallies[name]
        if not tally.near:
            return ""
        words = (check.__doc__ or "").partition("\n")[0] if check else "Could not be cut out."
        words = words.replace("``", "")  # code, in a docstring
        shown = {example.key for example in tally.near}
        far = [example for example in tally.far if example.key not in shown]
        parts = f"<h2 id='{html.escape(name)}'>{html.escape(name)}</h2><p>{html.escape(words)}</p>"
        parts += self._sheet("Nearest to the threshold", tally.near)
        return parts + (self._sheet("Farthest from it", far) if far else "")

    def _sheet(self, title: str, examples: list[_Example]) -> str:
        cards = ""
        for example in examples:
            other = ""
            if example.other:
                file, _, shot = example.other.rpartition("#")
                place = (file, int(shot)) if file and shot.isdecimal() else (example.other, 0)
                other = f"<div class=faint>beside {html.escape(example.other)}</div>"
                other += self._picture(*place)
            cards += (
                f"<figure>{self._picture(example.file, example.shot)}{other}"
                f"<figcaption><b>{html.escape(example.key)}</b><br>"
                f"{html.escape(example.words)}</figcaption></figure>"
            )
        return f"<h3>{title}</h3><div class=sheet>{cards}</div>"

    def _picture(self, file: str, shot: int) -> str:
        try:
            strip = self._strip(file, shot)
        except (KeyError, IndexError):
            strip = b""
        if not strip:
            return "<div class=none>no picture</div>"
        return f"<img alt='' src='data:image/jpeg;base64,{base64.b64encode(strip).decode()}'>"


def _distance(verdict: Verdict) -> float:
    if verdict.score is None:
        return math.inf
    return max(verdict.low - verdict.score, verdict.score - verdict.high, 0.0)


def _histogram(scores: array[float], low: float, high: float) -> str:
    """A small drawing of all scores; what is kept is dark, what is not is red."""
    if len(scores) < 2:
        return ""
    ordered = sorted(scores)
    # The outermost percents would squeeze all the rest into one bar.
    first, last = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    for end in (low, high):
        if math.isfinite(end):
            first, last = min(first, end), max(last, end)
    span = (last - first) or 1.0
    counts, kept = [0] * _BINS, [0] * _BINS
    for score in scores:
        number = min(_BINS - 1, max(0, int((score - first) / span * _BINS)))
        counts[number] += 1
        kept[number] += low <= score <= high
    most = max(counts)
    bars = ""
    for number, count in enumerate(counts):
        if count:
            tall = max(1.0, 28 * math.sqrt(count / most))
            kind = "in" if 2 * kept[number] >= count else "out"
            bars += (
                f"<rect class={kind} x={number * 4} y={30 - tall:.1f} width=3 height={tall:.1f} />"
            )
    ends = [(end - first) / span * 160 for end in (low, high) if math.isfinite(end)]
    lines = "".join(f"<line x1={x:.1f} x2={x:.1f} y1=0 y2=30 />" for x in ends)
    return (
        f"<svg width=162 height=31 role=img aria-label='distribution of scores'>{bars}{lines}</svg>"
    )


_STYLE = """
body{margin:0;background:#faf9f6;color:#26262c;font:15px/1.45 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 24px}
h1{font-size:28px;margin:0}h2{margin:44px 0 4px;padding-top:14px;border-top:1px solid #e2dfd8}
h3{font-size:15px;margin:18px 0 8px}
.faint{color:#77757c;font-size:13px}a{color:inherit}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin-top:20px}
th{font-weight:600;font-size:13px;text-align:left;padding:6px 10px;border-bottom:2px solid #26262c}
td{padding:7px 10px;border-bottom:1px solid #e2dfd8;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
svg .in{fill:#4a4a55}svg .out{fill:#c8402f}svg line{stroke:#c8402f;stroke-dasharray:2 2}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:18px}
figure{margin:0}img{max-width:100%;max-height:110px;border-radius:6px;display:block;background:#eee}
figcaption{font-size:13px;margin-top:5px;overflow-wrap:anywhere}
.none{height:64px;border-radius:6px;background:#e9e6df;color:#77757c;display:grid;place-items:center}
"""
