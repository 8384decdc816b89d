"""A lineage as a picture: a card for each version, its data beside it, time from left to right."""

from __future__ import annotations

from pathlib import Path

from omnireel.errors import InvalidInput
from omnireel.files import atomic_path, atomic_write
from omnireel.registry.canvas import Canvas, PillowCanvas, Point, SvgCanvas, text_width
from omnireel.registry.lineage import Lineage
from omnireel.registry.lineage_layout import Layout, LayoutConfig, Node, layout
from omnireel.registry.versions import CHAMPION, ModelVersion

_PAPER, _INK, _SOFT, _FAINT, _LINE = "#faf9f6", "#26262c", "#6c6a72", "#e2dfd8", "#a8a49a"
_GOLD, _GOOD, _BAD = "#c8930a", "#2e8b57", "#c0392b"
_KINDS = {
    "generator": "#3867b8",
    "vae": "#7a5bb5",
    "upscaler": "#1f8a8a",
    "enhancer": "#c46a2b",
    "adapter": "#a8477a",
}
_OTHER_KIND = "#5c6670"
_CARD_HEIGHT, _DATA_HEIGHT, _GONE_HEIGHT = 134.0, 64.0, 44.0
_PAD = 14.0
_HEADER = 40.0


def draw_lineage(lineage: Lineage, out: Path) -> Path:
    """Write the picture; the file's ending says whether SVG or PNG.

    Raises:
        InvalidInput: another ending.
        ResourceExhausted: the disk is full.
        NotFound: there is no such folder.

    """
    kind = out.suffix.lower()
    if kind not in (".svg", ".png"):
        raise InvalidInput(f"the picture must end in .svg or .png, not {out.name!r}", field="out")
    places = _arrange(lineage)
    title = f"Lineage of {lineage.focus}"
    size = (max(places.width, 2 * _PAD + text_width(title, 20) + 72), places.height + _HEADER)
    if kind == ".svg":
        svg = SvgCanvas(*size, _PAPER, title)
        _draw(svg, lineage, places, title)
        atomic_write(out, svg.finish().encode())
        return out
    picture = PillowCanvas(*size, _PAPER)
    _draw(picture, lineage, places, title)
    with atomic_path(out) as partial:
        picture.finish().save(partial, "PNG")
    return out


def _arrange(lineage: Lineage) -> Layout:
    nodes = [Node(ref, _CARD_HEIGHT) for ref in lineage.versions]
    nodes += [Node(ref, _GONE_HEIGHT) for ref in lineage.gone]
    edges = [(p, v.ref) for v in lineage.versions.values() for p in v.parents]
    data = {_data_key(v): v for v in lineage.versions.values() if _data_key(v)}
    nodes += [Node(key, _DATA_HEIGHT) for key in data]
    edges += [(_data_key(v), v.ref) for v in lineage.versions.values() if _data_key(v)]
    return layout(nodes, edges, LayoutConfig())


def _data_key(version: ModelVersion) -> str:
    """Equal for versions that were trained on the same data."""
    if version.data_manifest:
        return f"data {version.data_manifest}"
    return f"data {version.data}" if version.data else ""


def _draw(canvas: Canvas, lineage: Lineage, places: Layout, title: str) -> None:
    margin = LayoutConfig().margin
    canvas.text((margin, margin), title, size=20, ink=_INK, bold=True)
    for (before, _), points in places.edges.items():
        is_data = before.startswith("data ")
        moved = [(x, y + _HEADER) for x, y in points]
        tip = moved[-1]
        line = _FAINT if is_data else _LINE
        canvas.path([*moved[:-1], (tip[0] - 6, tip[1])], line=line, width=2, dashed=is_data)
        canvas.shape([tip, (tip[0] - 10, tip[1] - 5), (tip[0] - 10, tip[1] + 5)], fill=line)
    seen = set()
    for ref, version in lineage.versions.items():
        x, y = places.corners[ref]
        _card(canvas, lineage, version, (x, y + _HEADER))
        key = _data_key(version)
        if key and key not in seen:
            seen.add(key)
            x, y = places.corners[key]
            _data_card(canvas, version, (x, y + _HEADER))
    for ref in lineage.gone:
        x, y = places.corners[ref]
        corner, size = (x, y + _HEADER), (LayoutConfig().width, _GONE_HEIGHT)
        canvas.box(corner, size, radius=10, fill=_PAPER, line=_FAINT)
        canvas.text((x + _PAD, y + _HEADER + 27), f"{ref} (deleted)", size=13, ink=_SOFT)


def _card(canvas: Canvas, lineage: Lineage, version: ModelVersion, corner: Point) -> None:
    width = LayoutConfig().width
    (x, y), inner = corner, width - 2 * _PAD
    focused = version.ref == lineage.focus
    colour = _KINDS.get(version.kind, _OTHER_KIND)
    canvas.open_group(_hint(version))
    canvas.box(
        corner, (width, _CARD_HEIGHT), radius=10, fill="#ffffff",
        line=colour if focused else _FAINT, width=3 if focused else 1.5,
    )  # fmt: skip
    chip = text_width(version.kind, 11) + 16
    canvas.box((x + _PAD, y + 12), (chip, 20), radius=10, fill=colour, line=colour)
    canvas.text((x + _PAD + 8, y + 26), version.kind, size=11, ink="#ffffff", bold=True)
    _aliases(canvas, version, x + width - _PAD, y + 26, inner - chip - 8)
    canvas.text((x + _PAD, y + 55), _fit(version.ref, 17, inner), size=17, ink=_INK, bold=True)
    run = lineage.runs.get(version.run_id)
    made = run.name or f"run {run.run_id[:8]} (deleted)" if run else "no run"
    under = f" in {run.parent_run}" if run and run.parent_run else ""
    lines = [
        " · ".join(t for t in (version.recipe, version.git_revision) if t) or "recipe unknown",
        f"{made}{under}",
        f"{version.created:%Y-%m-%d %H:%M} · {version.content_hash[:10]}",
    ]
    for i, words in enumerate(lines):
        canvas.text((x + _PAD, y + 76 + 16 * i), _fit(words, 12, inner), size=12, ink=_SOFT)
    _gate_line(canvas, version, (x + _PAD, y + 124), inner)
    canvas.close_group()


def _aliases(canvas: Canvas, version: ModelVersion, right: float, y: float, room: float) -> None:
    names = sorted(version.aliases, key=lambda alias: alias != CHAMPION)
    words = _fit(", ".join(names), 12, room - 18)
    if not words:
        return
    best = CHAMPION in names
    canvas.text((right, y), words, size=12, ink=_GOLD if best else _SOFT, bold=best, anchor="end")
    if best:
        left = right - text_width(words, 12) - 19
        crown = [(0, 0), (0, -9), (3.5, -5), (7, -11), (10.5, -5), (14, -9), (14, 0)]
        canvas.shape([(left + dx, y + dy) for dx, dy in crown], fill=_GOLD)


def _gate_line(canvas: Canvas, version: ModelVersion, at: Point, room: float) -> None:
    if not version.gate:
        return
    passed = version.gate == "passed"
    colour = _GOOD if passed else _BAD
    x, y = at
    if passed:
        mark = [(0, -4), (2, -6), (4, -4), (9, -10), (11, -8), (4, -0.5)]
    else:
        mark = [(0, -8), (2, -10), (5, -7), (8, -10), (10, -8), (7, -5), (10, -2), (8, 0), (5, -3),
                (2, 0), (0, -2), (3, -5)]  # fmt: skip
    canvas.shape([(x + dx, y + dy) for dx, dy in mark], fill=colour)
    count = len(version.gate_reasons)
    held = sum(line.startswith("passed") for line in version.gate_reasons)
    words = f"gate {version.gate}: {held} of {count} rules hold"
    canvas.text((x + 17, y), _fit(words, 12, room - 17), size=12, ink=colour)


def _data_card(canvas: Canvas, version: ModelVersion, corner: Point) -> None:
    (x, y), width = corner, LayoutConfig().width
    canvas.open_group(f"{version.data}\nmanifest {version.data_manifest or 'not recorded'}")
    canvas.box(corner, (width, _DATA_HEIGHT), radius=22, fill="#f0eee8", line=_FAINT, width=1.5)
    words = _fit(version.data or "data", 13, width - 44)
    canvas.text((x + 22, y + 28), words, size=13, ink=_INK)
    digest = version.data_manifest[:12]
    under = f"data manifest {digest}" if digest else "data, no manifest recorded"
    canvas.text((x + 22, y + 47), under, size=12, ink=_SOFT)
    canvas.close_group()


def _hint(version: ModelVersion) -> str:
    facts = [version.ref, f"content {version.content_hash}", f"weights {version.weights_hash}"]
    facts += [f"run {version.run_id}"] if version.run_id else []
    return "\n".join([*facts, version.source, *version.gate_reasons])


def _fit(words: str, size: float, room: float) -> str:
    """``words``, cut with an ellipsis where they are wider than ``room`` pixels."""
    if text_width(words, size) <= room:
        return words
    while words and text_width(words + "…", size) > room:
        words = words[:-1]
    return words.rstrip() + "…"
