"""Fitting of the scene reader and of the kind reader, on the same frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.evaluate.perception.crops import SIDE, crops
from omnireel.evaluate.perception.kinds import KindReader
from omnireel.evaluate.perception.reader import F32, KIND_CLASSES, FrameReading, SceneReader
from omnireel.evaluate.perception.samples import Samples
from omnireel.evaluate.perception.training import Indices, LoopConfig, fit_loop
from omnireel.types import Frames

SUBJECT_WEIGHT = 3.0
"""Subjects cover a tenth of the picture; their cells count this much more."""
WHOLE_WEIGHT = 0.15
BLURRED = 0.5
"""Share of frames shown blurred: readers of generated frames must not need sharp edges."""
CHUNK = 64
PURE = 0.7
"""Share of a subject's cells that must have one true kind for it to be a sample of that kind."""


def fit_scene_reader(samples: Samples, config: LoopConfig) -> SceneReader:
    """A scene reader fitted on ``samples``."""
    torch.manual_seed(config.seed)
    reader = SceneReader()

    def loss(at: Indices) -> Tensor:
        video = _video(samples.frames_NHWC[at])
        color = torch.from_numpy(samples.color_Nhw[at]).long()
        flip = torch.rand(len(at)) < 0.5
        video[flip], color[flip] = video[flip].flip(3), color[flip].flip(2)
        colors, *whole = reader(worsen(video, BLURRED))
        weight = 1.0 + (SUBJECT_WEIGHT - 1.0) * (color > 0)
        cells = F.cross_entropy(colors, color, reduction="none")
        total: Tensor = (cells * weight).sum() / weight.sum()
        truth = torch.from_numpy(samples.whole_N3[at]).long()
        for logits, column in zip(whole, truth.T, strict=True):
            total = total + WHOLE_WEIGHT * F.cross_entropy(logits, column)
        return total

    fit_loop("scene", reader, len(samples.frames_NHWC), loss, config)
    return reader


def fit_kind_reader(samples: Samples, reader: SceneReader, config: LoopConfig) -> KindReader:
    """A kind reader fitted on the subjects that ``reader`` finds in ``samples``."""
    torch.manual_seed(config.seed)
    pictures, kinds = _crops_of(samples, reader)
    model = KindReader()

    def loss(at: Indices) -> Tensor:
        x = torch.from_numpy(pictures[at]).float()
        flip = torch.rand(len(at)) < 0.5
        x[flip] = x[flip].flip(3)
        x = x * (1.0 + 0.1 * torch.randn(len(x), 4, 1, 1)) + 0.03 * torch.randn_like(x)
        target = torch.from_numpy(kinds[at])
        return F.cross_entropy(model(x), target, label_smoothing=0.03)

    fit_loop("kind", model, len(kinds), loss, config)
    return model


def _crops_of(samples: Samples, reader: SceneReader) -> tuple[F32, Indices]:
    """Crops of every subject found, half of the frames worsened, with its true kind."""
    # Local: observation is built on the readers, and only fitting goes the other way.
    from omnireel.evaluate.perception.observe import subject_masks

    torch.manual_seed(1)
    pictures, kinds = [np.zeros((0, 4, SIDE, SIDE), np.float16)], [np.zeros(0, np.int64)]
    for start in range(0, len(samples.frames_NHWC), CHUNK):
        part = slice(start, start + CHUNK)
        truth = samples.kind_Nhw[part]
        video = worsen(_video(samples.frames_NHWC[part]), BLURRED)
        scaled = video.permute(0, 2, 3, 1).add(1.0).mul(127.5).round()
        frames: Frames = scaled.numpy().astype(np.uint8)
        reading = reader.read(frames)
        for i in range(len(frames)):
            alone = FrameReading(*(v[i : i + 1] for v in vars(reading).values()))
            for mask in subject_masks(alone):
                votes = np.bincount(truth[i][mask[0] > 0.5], minlength=len(KIND_CLASSES) + 1)
                found = crops(mask, frames[i : i + 1])
                if len(found) and votes[1:].max() >= PURE * max(votes.sum(), 1):
                    pictures.append(found.astype(np.float16))
                    kinds.append(np.array([votes[1:].argmax()]))
    return np.concatenate(pictures), np.concatenate(kinds)


def _video(frames_NHWC: Frames) -> Tensor:
    return torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def worsen(video_BCHW: Tensor, blurred: float) -> Tensor:
    """Blur a share of the frames by shrinking them, and add a little noise and exposure error."""
    out = video_BCHW.clone()
    h, w = out.shape[2:]
    blur = torch.rand(len(out)) < blurred
    strong = torch.rand(len(out)) < 0.5
    for factor, chosen in ((0.4, blur & strong), (0.6, blur & ~strong)):
        if chosen.any():
            size = (round(h * factor), round(w * factor))
            small = F.interpolate(out[chosen], size, mode="bilinear", antialias=True)
            out[chosen] = F.interpolate(small, (h, w), mode="bicubic")
    gain = 1.0 + 0.06 * torch.randn(len(out), 1, 1, 1)
    tint = 0.04 * torch.randn(len(out), 3, 1, 1)
    noise = 0.03 * torch.randn_like(out) * torch.rand(len(out), 1, 1, 1)
    return (out * gain + tint + noise).clamp(-1.0, 1.0)
