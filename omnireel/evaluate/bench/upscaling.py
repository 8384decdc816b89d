"""Super-resolution on the quick cases: how much of the gap from plain enlargement it closes.

The base clip is the exact answer, worn as a generator's clips are (through the autoencoder with
noise on its latents); the same case rendered at the larger size is what it should look like, and
its inputs come at that size as well, as a user's do. Where references are given, the same is done
without them; where media are given whose pixels results may show (:mod:`omnireel.generate.given`),
with ones that are no larger than the base clip. The gap is that to the larger rendering through the
autoencoder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnireel.evaluate.bench.case_run import prepare_process
from omnireel.evaluate.bench.rows import span
from omnireel.evaluate.bench.suite import FORMAT, BenchCase, read_index, sample_of
from omnireel.evaluate.bootstrap import mean_interval
from omnireel.evaluate.oracles.pixels import psnr
from omnireel.evaluate.records import read_finished
from omnireel.evaluate.upscaling import rivals, worn
from omnireel.files import atomic_write
from omnireel.generate import GenerationSettings, UpscalePipeline
from omnireel.generate.frames import video_to_frames
from omnireel.generate.given import given_inputs
from omnireel.mvl.prompt import MentionPart, Prompt, TextPart
from omnireel.processes import Report, build_missing
from omnireel.registry import verify
from omnireel.types import Clip, Frames, Role
from omnireel.world.tasks import TaskSample

_REFERENCES = (Role.REFERENCE, Role.ELEMENT)
_SMALL = "small_inputs"
_RECORD = ("id", "psnr_dB")


def upscaled_folder(folder: Path, upscaler: Path) -> Path:
    """Where records of this super-resolver are: weights that are sampled in one way have a folder
    of their own."""
    found = upscaler_sha256(upscaler)
    return folder / f"super-resolved-{found['weights'][:12]}-{found['config'][:6]}"


def upscaler_sha256(upscaler: Path) -> dict[str, str]:
    """Which super-resolver this is: the hashes of its weights and of how it is sampled."""
    found = verify(upscaler)["sha256"]
    return {"weights": found["model.safetensors"], "config": found["config.json"]}


def run_upscaling(
    upscaler: Path,
    vae: Path,
    cases: Sequence[BenchCase],
    folder: Path,
    *,
    workers: int = 2,
    report: Report | None = None,
) -> dict[str, Any]:
    """Make the missing records below ``folder`` and summarise all of ``cases``; ``upscaler`` in
    the summary says by hash which super-resolver it is about.

    Raises:
        FailedPrecondition: a finished record is damaged.

    """
    out = upscaled_folder(folder, upscaler)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{case.id}.json" for case in cases]
    read_finished(paths, _RECORD)
    make = partial(_run, upscaler, vae)
    build_missing(make, paths, workers=workers, report=report, first=prepare_process)
    found = summarise(read_finished(paths, _RECORD))
    return {"upscaler": upscaler_sha256(upscaler), **found}


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means in dB, gains with their intervals, and the share of the gap that is closed: over all
    cases, over those with an input whose pixels results may show, and over the others."""
    scores = [dict(record["psnr_dB"]) for record in records]
    keeping = [s for s in scores if _SMALL in s]
    others = [s for s in scores if _SMALL not in s]
    unkept = [{**s, "result": s.get(_SMALL, s["result"])} for s in scores]
    return {
        "cases": len(scores),
        **_closing(scores),
        "latent_gain": _gain(unkept, "pixels"),
        "reference_gain": _gain(scores, "without_references"),
        "input_gain": _gain(keeping, _SMALL),
        "keeping": _closing(keeping) if keeping else None,
        "others": _closing(others) if others else None,
    }


def _closing(scores: Sequence[dict[str, float]]) -> dict[str, Any]:
    means = {
        name: round(float(np.mean([s[name] for s in scores])), 3)
        for name in ("enlarged", "pixels", "result", "autoencoder", "ceiling")
    }
    closed = span(means["result"], means["enlarged"], means["autoencoder"])
    return {**means, "gain": _gain(scores, "enlarged"), "closed": closed}


def _gain(scores: Sequence[dict[str, float]], over: str) -> list[float | None] | None:
    """What the result wins over another answer, with its interval (None twice for a single case);
    None where no case has that."""
    gains = [s["result"] - s[over] for s in scores if over in s]
    if not gains:
        return None
    found = mean_interval(gains)
    low, high = found.bounds or (None, None)
    return [v if v is None else round(v, 3) for v in (found.estimate, low, high)]


@cache
def _pipeline(upscaler: Path, vae: Path) -> UpscalePipeline:
    return UpscalePipeline.open(upscaler, vae)


def _run(upscaler: Path, vae: Path, path: Path, _index: int) -> None:
    case = next(c for c in read_index() if c.id == path.stem)
    scores = upscale_case(_pipeline(upscaler, vae), case)
    record = {"id": case.id, "psnr_dB": {name: round(v, 3) for name, v in scores.items()}}
    atomic_write(path, (json.dumps(record) + "\n").encode())


@torch.inference_mode()
def upscale_case(pipeline: UpscalePipeline, case: BenchCase) -> dict[str, float]:
    """PSNR in dB against the large rendering, by what is shown; "pixels" is what the enlarger alone
    makes of the base clip."""
    factor = pipeline.config.factor
    fmt = replace(FORMAT, width=FORMAT.width * factor, height=FORMAT.height * factor)
    small_sample, sample = sample_of(case), sample_of(case, fmt)
    target = sample.target.frames_THWC
    small = worn(pipeline, small_sample.target, sample.seed)
    shown = {
        **rivals(pipeline, small, target),
        "pixels": video_to_frames(pipeline.enlarge(small)),
        "result": _upscaled(pipeline, small, sample),
    }
    bare = without_references(sample)
    if bare is not None:
        shown["without_references"] = _upscaled(pipeline, small, bare)
    kept = {i.name for i in given_inputs(sample.prompt)}
    if kept:
        media = {
            name: (small_sample if name in kept else sample).media[name] for name in sample.media
        }
        shown[_SMALL] = _upscaled(pipeline, small, replace(sample, media=media))
    return {name: psnr(frames, target) or 0.0 for name, frames in shown.items()}


def _upscaled(pipeline: UpscalePipeline, small: Clip, sample: TaskSample) -> Frames:
    settings = GenerationSettings(
        format=small.format,
        seed=sample.seed,
        num_inference_steps=pipeline.defaults.num_inference_steps,
        guidance=pipeline.defaults.guidance,
    )
    return pipeline.upscale(small, sample.prompt, sample.media, settings).clip.frames_THWC


def without_references(sample: TaskSample) -> TaskSample | None:
    """The case without its references; None when it has none."""
    prompt = sample.prompt
    names = {i.name for i in prompt.inputs if i.role in _REFERENCES} | {
        e.name for e in prompt.elements
    }
    if not names:
        return None
    parts = tuple(
        TextPart("it") if isinstance(part, MentionPart) and part.name in names else part
        for part in prompt.parts
    )
    kept = tuple(i for i in prompt.inputs if i.name not in names)
    media = {name: clips for name, clips in sample.media.items() if name not in names}
    return replace(sample, prompt=Prompt(parts, kept), media=media)
