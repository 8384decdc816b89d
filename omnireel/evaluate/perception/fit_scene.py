"""Fitting of the scene reader and of the subject reader, on the same frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.evaluate.perception.crops import CHANNELS, SIDE, crops
from omnireel.evaluate.perception.reader import F32, FrameReading, SceneReader
from omnireel.evaluate.perception.samples import Samples
from omnireel.evaluate.perception.subject import SubjectReader
from omnireel.evaluate.perception.training import Indices, LoopConfig, fit_loop
from omnireel.types import Frames

SUBJECT_WEIGHT = 3.0
"""Subjects cover a tenth of the picture; their cells count this much more."""
WHOLE_WEIGHT = 0.15
BLURRED = 0.5
"""Share of frames shown blurred: readers of generated frames must not need sharp edges."""
CHUNK = 64
PURE = 0.7
"""Share of a subject's cells that must truly be of one body for it to be a sample."""


def fit_scene_reader(
    samples: Samples, config: LoopConfig, start: SceneReader | None = None
) -> SceneReader:
    """A scene reader fitted on ``samples``; it goes on from ``start``, if given, in place."""
    torch.manual_seed(config.seed)
    reader = (start or SceneReader()).requires_grad_(True)

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
    return reader.requires_grad_(False)


def fit_subject_reader(samples: Samples, reader: SceneReader, config: LoopConfig) -> SubjectReader:
    """A subject reader fitted on what ``reader`` finds in ``samples``."""
    torch.manual_seed(config.seed)
    pictures, truth = _crops_of(samples, reader)
    model = SubjectReader()

    def loss(at: Indices) -> Tensor:
        x = torch.from_numpy(pictures[at]).float()
        flip = torch.rand(len(at)) < 0.5
        x[flip] = x[flip].flip(3)
        x = x * (1.0 + 0.1 * torch.randn(len(x), CHANNELS, 1, 1)) + 0.03 * torch.randn_like(x)
        kind, color = model(x)
        target = torch.from_numpy(truth[at])
        return F.cross_entropy(kind, target[:, 0], label_smoothing=0.03) + F.cross_entropy(
            color, target[:, 1], label_smoothing=0.03
        )

    fit_loop("subject", model, len(truth), loss, config)
    return model


def _crops_of(samples: Samples, reader: SceneReader) -> tuple[F32, Indices]:
    """Crops of every subject found, half of the frames worsened, with true kind and colour."""
    # Local: observation is built on the readers, and only fitting goes the other way.
    from omnireel.evaluate.perception.observe import subject_masks

    torch.manual_seed(1)
    pictures, classes = [np.zeros((0, CHANNELS, SIDE, SIDE), np.float16)], []
    for start in range(0, len(samples.frames_NHWC), CHUNK):
        part = slice(start, start + CHUNK)
        video = worsen(_video(samples.frames_NHWC[part]), BLURRED)
        scaled = video.permute(0, 2, 3, 1).add(1.0).mul(127.5).round()
        frames: Frames = scaled.numpy().astype(np.uint8)
        reading = reader.read(frames)
        for i in range(len(frames)):
            alone = FrameReading(*(v[i : i + 1] for v in vars(reading).values()))
            for mask in subject_masks(alone):
                found = crops(mask, frames[i : i + 1])
                kind = _owner(samples.kind_Nhw[start + i], mask[0])
                color = _owner(samples.color_Nhw[start + i], mask[0])
                if len(found) and kind and color:
                    pictures.append(found.astype(np.float16))
                    classes.append((kind - 1, color - 1))
    return np.concatenate(pictures), np.array(classes, np.int64)


def _owner(truth_hw: npt.NDArray[np.uint8], mask_hw: F32) -> int:
    """The class that most of a mask's cells truly have; 0 if it is no clear case."""
    votes = np.bincount(truth_hw[mask_hw > 0.5], minlength=2)
    winner = int(votes[1:].argmax()) + 1
    return winner if votes[winner] >= PURE * max(votes.sum(), 1) else 0


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
