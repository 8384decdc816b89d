"""Where two clips of one scene differ, and what is there before and after.

Source and result of an edit are filmed alike, so their difference tells one thing from its
neighbours better than colours do. Cells that differ are grouped over time; in the largest groups
whoever stands there in the source and in the result is read on its own (`Subject`s of `sight`),
with its second colour, its pattern, and where it stands to those that stay. A change of light,
style or place is everywhere; then outlines and edges say whether what is seen kept its shape.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnireel.embed.sight import NOISE, SUBJECT, Sight, subject_numbers, wide
from omnireel.evaluate.perception import Subject, load_perception
from omnireel.evaluate.perception.crops import crops
from omnireel.evaluate.perception.movement import features
from omnireel.evaluate.perception.reader import TINTS_C3
from omnireel.evaluate.perception.tracks import track_of

F32 = npt.NDArray[np.float32]
Cells = npt.NDArray[np.bool_]
GROUPS = 2
"""Groups of differing cells that are looked at, the largest first."""
PATTERN = len(TINTS_C3) + 6
STANDS = 4
SIGHTED = SUBJECT + PATTERN + STANDS
"""Numbers of who stands in a group, before or after."""
LIKENESS = 10
"""Numbers of what kept its shape."""
FOCUS = GROUPS * 2 * SIGHTED + LIKENESS
_DIFFERS = 0.3
"""Share of a cell's pixels that must differ."""
_MIN_CELLS = 3.0
"""Mean cells per frame below which nobody stands in a group."""
_MIN_GROUP = 1.0
"""The same of a group itself."""
_PATTERNS = 6
"""Crops whose pattern is looked at, about."""
_SHIFTS = (*((0, x) for x in (-4, -3, -2, -1, 1, 2, 3, 4)), (-1, 0), (1, 0))


def focus(source: Sight, result: Sight) -> F32:
    """``FOCUS`` numbers: for each group who stands there in the source and in the result (zeros
    for nobody), then how much of outlines and edges stayed, and what differs where nobody stands.
    """
    apart = np.abs(source.frames_THWC.astype(np.int16) - result.frames_THWC).max(-1)
    t, h, w = apart.shape
    share = (apart > NOISE).reshape(t, h // 2, 2, w // 2, 2).mean((2, 4))
    differs = share > _DIFFERS
    subjects = np.zeros((GROUPS, 2, SIGHTED), np.float32)
    explained = np.zeros_like(source.shown_Thw)
    for g, group in enumerate(_groups(differs)):
        near = wide(group.astype(np.float32))
        for s, sight in enumerate((source, result)):
            mask = sight.shown_Thw * near
            if mask.sum() < _MIN_CELLS * t:
                continue
            explained = np.maximum(explained, mask)
            others = sight.shown_Thw * (1.0 - near)
            subjects[g, s] = _sighted(mask, others, sight)
    spill = share * (1.0 - wide(explained))
    return np.concatenate([subjects.ravel(), _likeness(source, result, spill)])


def _groups(cells_Thw: Cells) -> list[Cells]:
    """The largest sets of cells that touch in space or time."""
    labels = np.where(cells_Thw, np.arange(1, cells_Thw.size + 1).reshape(cells_Thw.shape), 0)
    while True:
        spread = labels
        for axis in range(3):
            pad = [(int(a == axis),) * 2 for a in range(3)]
            padded = np.pad(spread, pad)
            n = cells_Thw.shape[axis]
            spread = np.maximum.reduce(
                [np.take(padded, np.arange(k, k + n), axis) for k in range(3)]
            )
        spread = np.where(cells_Thw, spread, 0)
        if (spread == labels).all():
            break
        labels = spread
    names, counts = np.unique(labels[cells_Thw], return_counts=True)
    order = np.argsort(-counts)[:GROUPS]
    least = _MIN_GROUP * len(cells_Thw)
    return [labels == names[i] for i in order if counts[i] >= least]


def _sighted(mask_Thw: F32, others_Thw: F32, sight: Sight) -> F32:
    eyes = load_perception()
    cut = crops(mask_Thw, sight.frames_THWC)
    if not len(cut):
        return np.zeros(SIGHTED, np.float32)
    track = track_of(mask_Thw, sight.frames_THWC)
    kind, color = eyes.subject.read(cut)
    motion = eyes.movement.read(features(track, sight.flow))[0]
    one = subject_numbers(Subject(mask_Thw, color, kind, motion, track))
    stands = np.zeros(STANDS, np.float32)
    if others_Thw.sum() >= _MIN_CELLS * len(others_Thw):
        other = track_of(others_Thw, sight.frames_THWC)
        feet = (track.y_T + track.height_T) - (other.y_T + other.height_T)
        stands[:] = [
            2 * (track.x_T - other.x_T).mean(),
            4 * feet.mean(),
            0.5 * np.log((track.area_T.mean() + 1e-3) / (other.area_T.mean() + 1e-3)),
            1.0,
        ]
    return np.concatenate([one, _pattern(cut), stands]).astype(np.float32)


def _pattern(crops_NCHW: F32) -> F32:
    """The second colour of a subject (nearness to each of the world's), its share and distance from
    the first, and how often rows and columns change from one to the other: stripes do in one way,
    checks in both, dots seldom; and how sharply."""
    found = [_two_colors(crop) for crop in crops_NCHW[:: max(1, len(crops_NCHW) // _PATTERNS)]]
    seen = [numbers for numbers in found if numbers is not None]
    return np.mean(seen, axis=0) if seen else np.zeros(PATTERN, np.float32)


def _two_colors(crop_CHW: F32) -> F32 | None:
    inside = crop_CHW[0] > 0.7
    if inside.sum() < 12:
        return None
    colors = crop_CHW[1:4].transpose(1, 2, 0)
    points = colors[inside]
    middle = points - points.mean(0)
    along = middle @ np.linalg.eigh(middle.T @ middle)[1][:, -1]
    low, high = float(along.min()), float(along.max())
    for _ in range(8):  # two means on the line along which colours differ most
        upper = along > (low + high) / 2
        if upper.all() or not upper.any():
            return None
        low, high = float(along[~upper].mean()), float(along[upper].mean())
    second = upper if upper.mean() < 0.5 else ~upper
    share = float(second.mean())
    accent = points[second].mean(0)
    spread = 0.5 * float(along[upper].std() + along[~upper].std())
    nearness = np.exp(-4.0 * np.linalg.norm(TINTS_C3 - accent, axis=1))
    where = np.zeros(inside.shape, np.float32)
    where[inside] = np.where(second, 1.0, -1.0)
    turns = [_turns(where[:-1], where[1:]), _turns(where[:, :-1], where[:, 1:])]
    sharp = (high - low) / (spread + 0.05) / 4
    numbers = [2 * share, high - low, sharp, *turns, abs(turns[0] - turns[1])]
    return np.concatenate([nearness, numbers]).astype(np.float32)


def _turns(one: F32, next_to_it: F32) -> float:
    """How often neighbours, of those within the subject, have different colours."""
    both = (one != 0) & (next_to_it != 0)
    return 4.0 * float((one * next_to_it < 0)[both].mean()) if both.any() else 0.0


def _likeness(source: Sight, result: Sight, spill_Thw: F32) -> F32:
    """Likeness of outlines (all subjects) and of edges, within the subjects and around them, as
    they are and at the best small shift; and what differs where nobody stands."""
    a, b = source.shown_Thw, result.shown_Thw
    both, either = np.minimum(a, b).sum((1, 2)), np.maximum(a, b).sum((1, 2))
    outline = (both + 1.0) / (either + 1.0)
    one, other = _edges(source), _edges(result)
    body = wide(np.maximum(a, b)) > 0.3
    within, around = (_alike(one, other, where) for where in (body, ~body))
    shifts = [
        _alike(np.roll(one, shift, (1, 2)), other, np.roll(~body, shift, (1, 2)) & ~body)
        for shift in _SHIFTS
    ]
    colors = _alike(
        source.frames_THWC.astype(np.float32).mean(-1)[:, ::2, ::2],
        result.frames_THWC.astype(np.float32).mean(-1)[:, ::2, ::2],
        body,
    )
    return np.array(
        [
            outline.mean(), outline.min(), outline[:3].mean(), outline[-3:].mean(),
            within, around, max(shifts) - around, colors,
            spill_Thw.mean() * 4, float((spill_Thw > _DIFFERS).mean()) * 4,
        ],
        np.float32,
    )  # fmt: skip


def _edges(sight: Sight) -> F32:
    """Strength of edges per cell, on a logarithmic scale so that faint ones count."""
    grey = sight.frames_THWC.astype(np.float32).mean(-1)
    t, h, w = grey.shape
    gy, gx = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(gx, gy).reshape(t, h // 2, 2, w // 2, 2).mean((2, 4))
    out: F32 = np.log1p(strength / 2.0).astype(np.float32)
    return out


def _alike(a_Thw: F32, b_Thw: F32, where_Thw: Cells) -> float:
    """Correlation of two pictures where both count; 1 when there is nothing to compare."""
    if where_Thw.sum() < 50:
        return 1.0
    a, b = a_Thw[where_Thw], b_Thw[where_Thw]
    a, b = a - a.mean(), b - b.mean()
    return float((a @ b) / np.sqrt((a @ a + 1.0) * (b @ b + 1.0)))
