"""How much a super-resolver gains over plain enlargement, on scenes that are known at both sizes.

Base clips are exact renderings, or worn: through the autoencoder with noise on the latents, which
is what a generator's clips look like to the super-resolver. The target is the same scene rendered
at the larger size. Two things stand above the result: the target through the autoencoder, which is
all that latents can show, and the interpolated clip with the exact latents' change, which is all
that the pipeline's last step can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch

from omnireel.evaluate.bootstrap import Interval, mean_interval
from omnireel.evaluate.cases import Case, CaseConfig, cases_of
from omnireel.evaluate.oracles.pixels import psnr
from omnireel.generate import GenerationSettings, UpscalePipeline, wear
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.media import SheetStyle, contact_sheet
from omnireel.media.sheet import Row
from omnireel.types import Clip, Frames, VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.truth import render_truth

Base = Literal["exact", "worn"]
BASES: tuple[Base, ...] = get_args(Base)

_WEAR = 0.2
"""Spread of the noise on the latents of worn base clips (latents have spread 1)."""


@dataclass(frozen=True, eq=False)
class UpscaledCase:
    """One clip four times: small, enlarged by interpolation, super-resolved, and exact."""

    case: Case
    base: Base
    small: Frames
    enlarged: Frames
    result: Frames
    target: Frames
    target_format: VideoFormat
    psnr_dB: dict[str, float]
    """"enlarged", "result", "autoencoder" and "ceiling" against the target over all pixels; with
    "_bodies" over those of the subjects, where they are seen."""


def evaluate_upscaler(
    pipeline: UpscalePipeline,
    config: CaseConfig,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[UpscaledCase]:
    """Super-resolve text-to-video cases of ``config`` from both kinds of base clips."""
    cases = [case for name in config.capabilities for case in cases_of(name, config)]
    total = len(cases) * len(BASES)
    done: list[UpscaledCase] = []
    for case in cases:
        for base in BASES:
            on_progress(len(done), total)
            done.append(_upscaled(pipeline, case, base))
    on_progress(total, total)
    return done


@torch.inference_mode()
def _upscaled(pipeline: UpscalePipeline, case: Case, base: Base) -> UpscaledCase:
    sample = case.sample
    small = sample.target if base == "exact" else worn(pipeline, sample.target, sample.seed)
    settings = GenerationSettings(
        format=small.format,
        seed=sample.seed,
        num_inference_steps=pipeline.defaults.num_inference_steps,
        guidance=pipeline.defaults.guidance,
    )
    result = pipeline.upscale(small, sample.prompt, sample.media, settings).clip
    large = replace(small.format, width=result.format.width, height=result.format.height)
    target = render_clip(sample.scene, large)
    shown = {**rivals(pipeline, small, target), "result": result.frames_THWC}
    bodies_THW = np.any(list(render_truth(sample.scene, large).masks.values()), axis=0)
    scores: dict[str, float] = {}
    for name, frames in shown.items():
        for label, where in ((name, None), (f"{name}_bodies", bodies_THW)):
            value = psnr(frames, target, where)
            if value is not None:
                scores[label] = value
    return UpscaledCase(
        case, base, small.frames_THWC, shown["enlarged"], shown["result"], target, large, scores
    )


def rivals(pipeline: UpscalePipeline, small: Clip, target: Frames) -> dict[str, Frames]:
    """What a result is compared with: the "enlarged" clip, the target through the "autoencoder",
    and the "ceiling" of the pipeline's last step on the enlarged clip."""
    vae, enlarged_CTHW = pipeline.conditions.vae, pipeline.interpolate(small)
    both = torch.stack([enlarged_CTHW, frames_to_video(target).to(enlarged_CTHW)])
    low, exact = vae.encode(both)
    return {
        "enlarged": video_to_frames(enlarged_CTHW),
        "autoencoder": video_to_frames(vae.decode(exact[None])[0]),
        "ceiling": video_to_frames(pipeline.compose(enlarged_CTHW, low, exact)),
    }


def worn(pipeline: UpscalePipeline, clip: Clip, seed: int) -> Clip:
    """A clip as a generator's are: through the autoencoder, with noise on its latents."""
    rng = torch.Generator().manual_seed(seed)
    video_CTHW = wear.worn(pipeline.conditions.vae, frames_to_video(clip.frames_THWC), _WEAR, rng)
    return Clip(video_to_frames(video_CTHW), fps=clip.fps)


def upscaling_sheet(results: Sequence[UpscaledCase]) -> Frames:
    """Every case with a worn base: enlarged, super-resolved, exact."""
    rows: list[Row] = []
    for r in results:
        if r.base != "worn":
            continue
        change = r.psnr_dB["result"] - r.psnr_dB["enlarged"]
        rows += [
            (f"{r.case.name} {r.case.sample.prompt.text}\nenlarged", r.enlarged),
            (f"super-resolved, {change:+.1f} dB", r.result),
            ("exact", r.target),
        ]
    return contact_sheet(rows, title="Super-resolution", style=SheetStyle(cell_height=128))


def gain(results: Sequence[UpscaledCase], base: Base, suffix: str = "") -> Interval:
    """Mean PSNR of the results less that of plain enlargement, in dB, with its interval."""
    pairs = [r.psnr_dB for r in results if r.base == base and f"result{suffix}" in r.psnr_dB]
    return mean_interval([p[f"result{suffix}"] - p[f"enlarged{suffix}"] for p in pairs])


def means(results: Sequence[UpscaledCase], base: Base) -> dict[str, float]:
    """Mean of every score over the cases with ``base``."""
    chosen = [r.psnr_dB for r in results if r.base == base]
    names = dict.fromkeys(name for scores in chosen for name in scores)
    return {n: float(np.mean([scores[n] for scores in chosen if n in scores])) for n in names}
