"""What a subject is and in which colour, from its crops: a small network, one vote per frame.

The scene reader sees colours cell by cell; only who knows where the dress ends and the hair begins
can tell the colour of a girl, so a subject's colour is read here, from all of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnireel.evaluate.perception.crops import CHANNELS, SIDE
from omnireel.evaluate.perception.reader import COLOR_CLASSES, F32, KIND_CLASSES

WIDTH = 48


class SubjectReader(nn.Module):
    """Logits of kinds and colours (COLOR_CLASSES without "") of crops (N, CHANNELS, SIDE, SIDE)."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            *_layer(CHANNELS, 20, 1),
            *_layer(20, 32, 2),
            *_layer(32, WIDTH, 2),
            *_layer(WIDTH, WIDTH, 1),
            nn.Flatten(),
        )
        features = WIDTH * (SIDE // 4) ** 2
        self.kind = nn.Linear(features, len(KIND_CLASSES))
        self.color = nn.Linear(features, len(COLOR_CLASSES) - 1)

    def forward(self, crops_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, kinds) and (N, colours)."""
        seen = self.look(crops_NCHW)
        return self.kind(seen), self.color(seen)

    @torch.inference_mode()
    def read(self, crops_NCHW: F32) -> tuple[F32, F32]:
        """Probabilities by kind and by colour over all crops of one subject; at least one crop."""
        kind, color = (_vote(logits) for logits in self(torch.from_numpy(crops_NCHW)))
        return kind, color


def _vote(logits_NK: Tensor) -> F32:
    # The mean of log-probabilities lets a sure frame outweigh an unsure one.
    out: F32 = logits_NK.log_softmax(1).clamp(min=-6.0).mean(0).softmax(0).numpy()
    return out


def _layer(channels_in: int, channels_out: int, stride: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
