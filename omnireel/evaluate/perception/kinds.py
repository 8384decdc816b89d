"""Which kind a subject is, from its crops: a small convolutional network, one vote per frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnireel.evaluate.perception.crops import SIDE
from omnireel.evaluate.perception.reader import F32, KIND_CLASSES


class KindReader(nn.Sequential):
    """Logits (N, kinds) of crops (N, 4, SIDE, SIDE)."""

    def __init__(self) -> None:
        super().__init__(
            *_layer(4, 20, 1),
            *_layer(20, 32, 2),
            *_layer(32, 48, 2),
            *_layer(48, 48, 1),
            nn.Flatten(),
            nn.Linear(48 * (SIDE // 4) ** 2, len(KIND_CLASSES)),
        )

    @torch.inference_mode()
    def read(self, crops_NCHW: F32) -> F32:
        """Probabilities by kind over all crops of one subject; at least one crop."""
        logits: Tensor = self(torch.from_numpy(crops_NCHW))
        # The mean of log-probabilities lets a sure frame outweigh an unsure one.
        votes = logits.log_softmax(1).clamp(min=-6.0).mean(0)
        out: F32 = votes.softmax(0).numpy()
        return out


def _layer(channels_in: int, channels_out: int, stride: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
