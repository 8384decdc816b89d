"""What a text names is looked up among who is seen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from omnireel.embed.focus import FOCUS
from omnireel.embed.lookup import Lookup
from omnireel.embed.named import FLAGS, NAMED, NO_COLOR, NO_KIND, PATTERNS, named
from omnireel.embed.sight import CHANGE, SUBJECT, SUBJECTS
from omnireel.world.scene import CHARACTERS, COLORS, SHAPES

KINDS = (*SHAPES, *CHARACTERS)


def said(text: str) -> tuple[list[tuple[str, str]], list[int]]:
    ids = named([text])[0].tolist()
    assert len(ids) == NAMED
    pairs = [
        ("" if k == NO_KIND else KINDS[k], "" if c == NO_COLOR else COLORS[c])
        for k, c in (ids[0:2], ids[2:4])
    ]
    return pairs, ids[4:]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Remove the blue cat from @Video_1.", [("cat", "blue"), ("", "")]),
        (
            "Replace the boy in red in @Video_1 with a girl in striped pink clothes with a scarf.",
            [("boy", "red"), ("girl", "pink")],
        ),
        ("a striped red ball with white stripes rolls", [("ball", "red"), ("", "")]),
        ("Make the pink subject of @Source blue, keep it.", [("", "pink"), ("", "")]),
        ("A kid walks.", [("", ""), ("", "")]),  # a girl or a boy
    ],
)
def test_kinds_have_the_colours_that_are_told_of_them(
    text: str, pairs: list[tuple[str, str]]
) -> None:
    assert said(text)[0] == pairs


def test_colours_of_their_own_patterns_sides_and_what_happens() -> None:
    blue, white = COLORS.index("blue"), COLORS.index("white")
    assert said("Recolor the red ball to blue, keep everything else.")[1][0] == blue
    dots = said("Give the red ball white dots.")[1]
    assert dots[:3] == [NO_COLOR, PATTERNS.index("dots"), white]
    assert said("Add a red ball on the left.")[1][3:5] == [-1, 0]
    assert said("Add a red ball in the front.")[1][3:5] == [0, 1]
    flags = {
        "Remove the red ball.": [1, 0, 0],
        "Make the red ball go away.": [1, 0, 0],
        "Put a red ball resting still without moving into @Video_1.": [0, 1, 0],
        "Put a red ball in the place of the cat.": [0, 0, 1],
    }
    assert {text: said(text)[1][-FLAGS:] for text in flags} == flags


def subject(kind: str, color: str) -> Tensor:
    numbers = torch.zeros(SUBJECT)
    numbers[KINDS.index(kind)] = numbers[13 + COLORS.index(color)] = numbers[-1] = 1.0
    return numbers


def test_it_says_nothing_before_it_has_learnt_and_then_tells_who_has_which_colour() -> None:
    torch.manual_seed(0)
    lookup = Lookup()
    seen = torch.stack([subject("cat", "red"), subject("ball", "blue")])[None]
    texts = named(["the red cat", "the blue ball", "the blue cat", "the red ball"])[None]
    assert not lookup(texts, seen).any()
    edit = (seen, torch.zeros(1, CHANGE), torch.zeros(1, FOCUS))
    assert lookup(texts, torch.zeros(1, SUBJECTS, SUBJECT), *edit).shape == (1, 4)
    optimizer = torch.optim.Adam(lookup.parameters(), 0.05)
    right = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(lookup(texts, seen), right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Learnt on these two, true of any others.
    others = torch.stack([subject("star", "green"), subject("robot", "black")])[None]
    told = lookup(named(["the green star", "the black star"])[None], others)[0]
    assert told[0] > 0 > told[1]
