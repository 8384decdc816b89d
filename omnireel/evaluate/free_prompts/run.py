"""Every prompt three times: as written, as the enhancer puts it, and its facts in exact words; what
the clips show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnireel.enhancer import Enhancer, EnhancerSpec, open_enhancer
from omnireel.errors import AlreadyExists
from omnireel.evaluate.cases import QUICK_FORMAT
from omnireel.evaluate.free_prompts.exact import exact_words
from omnireel.evaluate.free_prompts.prompts import GROUPS, PROMPTS, FreePrompt, read_prompts
from omnireel.evaluate.perception import Observation, load_perception, observe
from omnireel.evaluate.records import read_finished
from omnireel.evaluate.scorer import current_scorer
from omnireel.files import atomic_write
from omnireel.generate import GenerationSettings, GeneratorPipeline
from omnireel.media import SheetStyle, contact_sheet, write_png
from omnireel.media.sheet import Row
from omnireel.mvl import parse
from omnireel.mvl.prompt import Prompt
from omnireel.processes import Report, build_missing
from omnireel.registry import verify
from omnireel.types import Clip
from omnireel.world.scene import CAMERA_MOVES, MOTIONS, PLACES, STYLES, WEATHERS

WORDINGS = ("written", "enhanced", "exact")
MANIFEST, RECORDS, SHEETS = "manifest.json", "records", "sheets"
"""In a run's folder: what was measured; one JSON file and one picture for each prompt."""
_KEYS = ("id", "split", "facts", "fallback_reason", *WORDINGS)
SHEET = SheetStyle(columns=5, cell_height=96, font_size=14)


@dataclass(frozen=True)
class System:
    """Component folders of what is measured."""

    generator: Path
    vae: Path
    enhancer: Path

    def hashes(self) -> dict[str, str]:
        """Of the weights."""
        folders = {"generator": self.generator, "vae": self.vae, "enhancer": self.enhancer}
        return {kind: _hash(folder) for kind, folder in folders.items()}


def _hash(component: Path) -> str:
    return str(verify(component)["sha256"]["model.safetensors"])


def run_free_prompts(
    system: System,
    prompts: Sequence[FreePrompt],
    folder: Path,
    *,
    workers: int = 2,
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """Make the missing records of ``prompts`` in ``folder`` and return all of them.

    Raises:
        AlreadyExists: the folder holds records of other weights, prompts or readers.
        FailedPrecondition: a finished record is damaged.

    """
    for part in (RECORDS, SHEETS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    content = {
        **system.hashes(),
        "prompts": hashlib.sha256(PROMPTS.read_bytes()).hexdigest(),
        **current_scorer(),
    }
    manifest = json.dumps(content, indent=1) + "\n"
    path = folder / MANIFEST
    if path.exists() and path.read_text(encoding="utf-8") != manifest:
        raise AlreadyExists(
            f"{folder} holds results of other weights, prompts or readers; choose another --out, "
            "or remove the folder"
        )
    atomic_write(path, manifest.encode())
    paths = [folder / RECORDS / f"{prompt.id}.json" for prompt in prompts]
    read_finished(paths, _KEYS)
    make = partial(_record, system)
    build_missing(make, paths, workers=workers, report=report, first=_one_thread)
    return read_finished(paths, _KEYS)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _record(system: System, path: Path, _index: int) -> None:
    prompt = next(p for p in read_prompts() if p.id == path.stem)
    written = parse(prompt.text)
    enhanced = _enhancer(system.enhancer).enhance(written, {})
    record: dict[str, Any] = {
        "id": prompt.id,
        "split": prompt.split,
        "facts": {group: list(values) for group, values in prompt.facts.items()},
        "fallback_reason": enhanced.fallback_reason,
    }
    exact = parse(exact_words(prompt.facts))
    rows: list[Row] = []
    for wording, asked in zip(WORDINGS, (written, enhanced.prompt, exact), strict=True):
        frames_THWC = _clip(system, asked, prompt.seed).frames_THWC
        seen = what_shows(observe(frames_THWC, load_perception()))
        record[wording] = {"text": asked.text, "seen": seen}
        moments = np.linspace(0, len(frames_THWC) - 1, SHEET.columns).round().astype(int)
        rows.append((f"{wording}: {asked.text}", frames_THWC[moments]))
    sheet = path.parent.with_name(SHEETS) / f"{prompt.id}.png"
    write_png(contact_sheet(rows, style=SHEET), sheet)
    atomic_write(path, (json.dumps(record) + "\n").encode())


@cache
def _pipeline(generator: Path, vae: Path) -> GeneratorPipeline:
    return GeneratorPipeline.open(generator, vae)


@cache
def _enhancer(folder: Path) -> Enhancer:
    return open_enhancer(EnhancerSpec(path=str(folder)))


def _clip(system: System, prompt: Prompt, seed: int) -> Clip:
    pipeline = _pipeline(system.generator, system.vae)
    defaults = pipeline.defaults
    settings = GenerationSettings(
        format=QUICK_FORMAT,
        seed=seed,
        num_inference_steps=defaults.num_inference_steps,
        guidance=defaults.guidance,
    )
    return pipeline.generate(prompt, {}, settings).clip


def what_shows(seen: Observation) -> dict[str, list[str]]:
    """Values of every group of facts that a clip shows: those of all subjects, and of the whole."""
    values = (
        [subject.kind for subject in seen.subjects],
        [subject.color for subject in seen.subjects],
        [MOTIONS[int(subject.motion_M.argmax())] for subject in seen.subjects],
        [PLACES[int(seen.place_P.argmax())]],
        [WEATHERS[int(seen.weather_W.argmax())]],
        [STYLES[int(seen.style_S.argmax())]],
        [CAMERA_MOVES[int(seen.camera_M.argmax())]],
    )
    return dict(zip(GROUPS, values, strict=True))
