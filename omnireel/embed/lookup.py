"""What a text names (`named`), looked up among who is seen: the part of `network` that reads no
vectors but compares facts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.embed.focus import GROUPS, LIKENESS, PATTERN, SIGHTED
from omnireel.embed.named import FLAGS, MENTIONS, NO_COLOR, NO_KIND, PATTERNS
from omnireel.embed.sight import CHANGE, MOTIONS, SUBJECT, SUBJECTS, WHO

_KINDS = NO_KIND
_HIDDEN = 32
_AREA = WHO + MOTIONS + 3
"""Of the numbers of a subject."""
_OF_MENTION = 14
_SURE = 20.0
"""How sharply the one that fits a mention best is told from the others."""
_TURNS = 3
_NUMBERS = (
    MENTIONS * _OF_MENTION  # kinds and colours
    + 3  # a colour by itself
    + 3 + len(PATTERNS) * (1 + _TURNS)  # a pattern and its colour
    + 7  # sides
    + FLAGS + 1 + CHANGE + 4 + FLAGS * (4 + 3)  # what is to happen, and how much did
)  # fmt: skip


class Lookup(nn.Module):
    """Logits ``BM`` to add to those of the network: how well what is named fits what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.fact_in = nn.Linear(_NUMBERS, _HIDDEN)
        self.fact_out = nn.Linear(_HIDDEN, 1)
        nn.init.zeros_(self.fact_out.weight)  # nothing to say before it has learnt
        nn.init.zeros_(self.fact_out.bias)

    def forward(
        self,
        named_BMN: Tensor,
        subjects_BKF: Tensor,
        source_BKF: Tensor | None = None,
        change_BF: Tensor | None = None,
        focus_BF: Tensor | None = None,
    ) -> Tensor:
        """``subjects_BKF`` of a clip or result; the rest as in `MatchingNetwork.match`."""
        b = len(named_BMN)
        edit = source_BKF is not None and change_BF is not None and focus_BF is not None
        if source_BKF is None or change_BF is None or focus_BF is None:
            source_BKF = torch.zeros_like(subjects_BKF)
            change_BF = subjects_BKF.new_zeros(b, CHANGE)
            focus_BF = subjects_BKF.new_zeros(b, 2 * GROUPS * SIGHTED + LIKENESS)
        groups = focus_BF[:, :-LIKENESS].reshape(b, GROUPS, 2, SIGHTED)
        before, after = groups[:, :, 0], groups[:, :, 1]
        numbers = _facts(named_BMN, (source_BKF, before), (subjects_BKF, after), change_BF)
        alone = numbers.new_full((*numbers.shape[:2], 1), float(not edit))
        out: Tensor = self.fact_out(F.gelu(self.fact_in(torch.cat([numbers, alone], -1))))
        return out[..., 0]


Seen = tuple[Tensor, Tensor]
"""Subjects of a clip ``BKF``, and who stands where it was changed ``BGS``."""


def _facts(named_BMN: Tensor, source: Seen, result: Seen, change_BF: Tensor) -> Tensor:
    pairs, lone = named_BMN[..., : 2 * MENTIONS], named_BMN[..., 2 * MENTIONS]
    pattern, accent, right, front = (named_BMN[..., 2 * MENTIONS + 1 + k] for k in range(4))
    flags = named_BMN[..., -FLAGS:].float()
    after, before = result[1], source[1]
    parts = [
        _mention(pairs[..., 2 * k], pairs[..., 2 * k + 1], source, result, change_BF)
        for k in range(MENTIONS)
    ]
    amount = parts[0][..., -3:]
    parts.append(_lone(lone, before, after))
    parts.append(_pattern(pattern, accent, before, after))
    parts.append(_sides(right, front, before, after))
    parts += [flags, change_BF[:, None].expand(*flags.shape[:2], CHANGE)]
    sizes = torch.stack([_size(g[:, :1]) for g in (before, after)] + [_size(s[0]) for s in
                        (source, result)], -1)  # fmt: skip
    sizes = sizes[:, None].expand(*flags.shape[:2], 4)
    amounts = torch.cat([sizes, amount], -1)
    parts += [sizes, (flags[..., :, None] * amounts[..., None, :]).flatten(-2)]
    return torch.cat(parts, -1)


def _mention(
    kind_BM: Tensor, color_BM: Tensor, source: Seen, result: Seen, change_BF: Tensor
) -> Tensor:
    """How well the best of those seen fits: in each of four places both, in each clip either; and
    how much of the best of the source and of the result changed, and how much of the former is
    where it changed: of who is gone all did, of who is gone by half only half."""
    said = ((kind_BM < NO_KIND) | (color_BM < NO_COLOR)).float()
    both, one, best = [], [], []
    for clip, changed in (source, result):
        fits = [
            (_odds(seen, 0, _KINDS, kind_BM), _odds(seen, WHO - NO_COLOR, NO_COLOR, color_BM))
            for seen in (clip, changed[..., :SUBJECT])
        ]
        pairs = [torch.minimum(*fit) for fit in fits]
        both += [pair.amax(-1) for pair in pairs]
        best.append((_SURE * pairs[0]).softmax(-1))
        one += [torch.cat(part, -1).amax(-1) for part in zip(*fits, strict=True)]
    least = [torch.minimum(both[k], both[k + 1]) for k in (0, 2)]
    changed = change_BF[:, -2 * SUBJECTS :].reshape(-1, 2, SUBJECTS)
    amount = [(best[k] * changed[:, None, k]).sum(-1) for k in range(2)]
    whole = (best[0] * source[0][:, None, :, _AREA]).sum(-1)
    amount.append((source[1][:, None, :, _AREA].amax(-1) / (whole + 0.02)).clamp(max=2.0))
    numbers = torch.stack([*both, *one, *least, *amount], -1) * said[..., None]
    return torch.cat([said[..., None], numbers], -1)


def _odds(seen_BCF: Tensor, first: int, count: int, index_BM: Tensor) -> Tensor:
    """Log-odds (see `sight`) ``BMC`` of a class for everybody seen; 1 for what is not said."""
    there = seen_BCF[..., SUBJECT - 1 : SUBJECT]
    values = torch.cat([seen_BCF[..., first : first + count] * there, there], -1)
    index = index_BM[..., None].expand(*index_BM.shape, values.shape[1])
    out: Tensor = values.transpose(1, 2).gather(1, index)
    return out


def _lone(color_BM: Tensor, before: Tensor, after: Tensor) -> Tensor:
    said = (color_BM < NO_COLOR).float()
    found = [
        _odds(seen[..., :SUBJECT], WHO - NO_COLOR, NO_COLOR, color_BM).amax(-1) * said
        for seen in (before, after)
    ]
    return torch.stack([said, *found], -1)


def _pattern(pattern_BM: Tensor, accent_BM: Tensor, before: Tensor, after: Tensor) -> Tensor:
    said = (accent_BM < NO_COLOR).float()
    near = []
    for seen in (before, after):
        colors = seen[..., SUBJECT : SUBJECT + NO_COLOR]
        # As the only second colour, so less the nearest of all.
        colors = torch.cat([colors - colors.amax(-1, keepdim=True), colors[..., :1] * 0], -1)
        index = accent_BM[..., None].expand(*accent_BM.shape, colors.shape[1])
        near.append(colors.transpose(1, 2).gather(1, index).amax(-1) * said)
    turns = after[:, 0, SUBJECT + PATTERN - _TURNS : SUBJECT + PATTERN]
    which = F.one_hot(pattern_BM + 1, len(PATTERNS) + 1)[..., 1:].float()
    turned = (which[..., :, None] * turns[:, None, None]).flatten(-2)
    return torch.cat([torch.stack([said, *near], -1), which, turned], -1)


def _sides(right_BM: Tensor, front_BM: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Where who stands where it changed is: against others, and in the picture."""
    numbers = [right_BM.abs().float(), front_BM.abs().float()]
    there = after[:, 0, SUBJECT - 1 : SUBJECT]
    one = after[:, 0] * there + before[:, 0] * (1 - there)
    x = one[:, WHO + MOTIONS]
    aside, feet, larger = (one[:, SUBJECT + PATTERN + k] for k in range(3))
    numbers += [right_BM * x[:, None], right_BM * aside[:, None]]
    numbers += [front_BM * feet[:, None], front_BM * larger[:, None]]
    numbers.append(front_BM * one[:, WHO + MOTIONS + 1][:, None])
    return torch.stack(numbers, -1)


def _size(seen_BCF: Tensor) -> Tensor:
    """Area of everybody seen, in units of a sight."""
    return seen_BCF[..., _AREA].sum(-1)
