"""What the tiny embedder learns from: clips, references and edits of the world, with true and
untrue words for each.

What its eyes see in the pictures is kept in shards; words are drawn anew for every batch from the
scenes, which follow from their seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omnireel.data.crossmodal.meddled import erased, half_erased, meddled
from omnireel.data.crossmodal.references import key_of, references
from omnireel.data.crossmodal.wording import misworded_edit
from omnireel.embed.batch import EditSights, EmbedderBatch, References
from omnireel.embed.focus import FOCUS, focus
from omnireel.embed.named import named
from omnireel.embed.sight import CHANGE, F32, SUBJECT, SUBJECTS, Sight, change, look
from omnireel.embed.words import token_ids
from omnireel.errors import InvalidInput
from omnireel.model.text import Tokenizer
from omnireel.processes import Report, build_missing, one_thread
from omnireel.recipes.embedder_words import clip_texts, plainly, reworded, without_props
from omnireel.train.shards import open_cache_folder, save_array, world_version
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.render import render_clip, render_image
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Level, Scene
from omnireel.world.tasks.catalog import draw_plan
from omnireel.world.tasks.plan import Plan

FORMAT = VideoFormat(64, 64, 17, 8.0)
EDITS = ("C4", "C5", "C6", "C7", "C8")
_PLAIN = 0.2
"""Share of batches of edits whose instructions are worded as those of derived edits."""
_BRIEF: tuple[Level | None, ...] = (None, None, "terse")
_LONG: tuple[Level | None, ...] = ("short", "full", "elaborate")
_DATA_VERSION = 4
_OUTCOMES = ("not done", "right", "spoilt", "half done")
_MISWORDED = 3
"""Untrue wordings of every instruction in a batch."""


@dataclass(frozen=True)
class EmbedderDataConfig:
    """How much is rendered, and what a batch holds."""

    clips: int = 500
    edits: int = 150
    seed: int = 0xE3BED
    shard: int = 25
    batch_size: int = 32
    edit_batch_size: int = 24
    edits_every: int = 3
    """Every so many batches one is of edits."""
    brief_pairs: int = 5
    """True and untrue texts for each clip when they are phrases and terse captions."""
    long_pairs: int = 2
    """The same for longer ones; a batch has one or the other, so that little is padding."""
    scenes: SceneDistribution = field(
        default_factory=lambda: SceneDistribution(
            other_style=0.25, moving_camera=0.4, large=0.4, effect=0.03
        )
    )

    def __post_init__(self) -> None:
        for name in ("shard", "batch_size", "edit_batch_size"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more", field=f"data.{name}")
        if min(self.clips, self.edits) < max(self.shard, self.batch_size, self.edit_batch_size):
            raise InvalidInput("clips and edits fill a shard and a batch each", field="data.clips")
        if self.edits_every < 2:
            raise InvalidInput("edits_every must be 2 or more", field="data.edits_every")


def scene_of(config: EmbedderDataConfig, i: int) -> tuple[Scene, np.random.Generator]:
    """Scene ``i``, and what its references are drawn with."""
    rng = np.random.default_rng([config.seed, i])
    scene = sample_scene(rng, duration_s=FORMAT.duration_s, distribution=config.scenes)
    return scene, rng


def edit_of(config: EmbedderDataConfig, i: int, split: Split = "train") -> Plan:
    """The plan of edit ``i``."""
    number = config.seed + i
    return draw_plan(EDITS[number % len(EDITS)], number, FORMAT.duration_s, split)


def build_embedder_cache(
    root: Path, config: EmbedderDataConfig, *, workers: int, report: Report | None = None
) -> Path:
    """Render and look at what is missing under ``root``, and return its folder."""
    made_of = {
        "kind": "embedder", "world": world_version(), "version": _DATA_VERSION,
        "clips": config.clips, "edits": config.edits, "seed": config.seed, "shard": config.shard,
        "scenes": asdict(config.scenes),
    }  # fmt: skip
    folder = open_cache_folder(root, "embedder", made_of)
    clips, edits = config.clips // config.shard, config.edits // config.shard
    paths = [folder / f"clips_{s:04d}.npy" for s in range(clips)]
    paths += [folder / f"edits_{s:04d}.npy" for s in range(edits)]
    making = partial(_render, config, clips)
    build_missing(making, paths, workers=workers, report=report, first=one_thread)
    return folder


def _render(config: EmbedderDataConfig, clips: int, path: Path, shard: int) -> None:
    make = _clip_row if shard < clips else _edit_row
    first = config.shard * (shard if shard < clips else shard - clips)
    rows = [make(config, first + i) for i in range(config.shard)]
    save_array(path, np.stack(rows))


def _clip_row(config: EmbedderDataConfig, i: int) -> F32:
    """Sight of a clip, and the main subjects of its right and its wrong reference."""
    scene, rng = scene_of(config, i)
    right, wrong, time_s = references(scene, rng)
    side = FORMAT.width
    sights = [look(_worn(render_clip(scene, FORMAT), rng))]
    sights += [look(_worn(render_image(s, side, side, time_s), rng)) for s in (right, wrong)]
    numbers = [_flat(sights[0]), *(sight.subjects_KF[0] for sight in sights[1:])]
    return np.concatenate(numbers)


def _edit_row(config: EmbedderDataConfig, i: int) -> F32:
    """Sights of a source and of `_OUTCOMES` (the first of them is the source), and how a result, a
    spoilt and a half done one and a second copy of the source differ from it: `change`, then
    `focus`. Zeros for what is half done where nobody was removed."""
    plan, rng = edit_of(config, i), np.random.default_rng([config.seed, 1, i])
    before = plan.source_scene
    assert before is not None
    spoilt = meddled(before, plan.scene, rng)
    scenes = (before, plan.scene, spoilt, before)
    sights = [look(_worn(render_clip(scene, FORMAT), rng)) for scene in scenes]
    changes = [part(sights[0], sight) for sight in sights[1:] for part in (change, focus)]
    half = np.zeros(_CLIP + CHANGE + FOCUS, np.float32)
    if erased(before, plan.scene):
        seen = look(_worn(half_erased(before, plan.scene, FORMAT, rng), rng))
        half = np.concatenate([_flat(seen), change(sights[0], seen), focus(sights[0], seen)])
    return np.concatenate([*(_flat(sight) for sight in sights[:3]), *changes, half])


def _flat(sight: Sight) -> F32:
    return np.concatenate([sight.subjects_KF.ravel(), sight.scene_F])


def _worn(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    """A little brighter or darker, with a little noise: as files are."""
    noise = rng.standard_normal(frames_THWC.shape, dtype=np.float32) * rng.uniform(0.0, 2.5)
    out = frames_THWC.astype(np.float32) * rng.uniform(0.98, 1.02) + noise
    worn: Frames = out.round().clip(0, 255).astype(np.uint8)
    return worn


class EmbedderBatches:
    """``batch(i)``: every few batches one of edits, else one of clips."""

    def __init__(self, folder: Path, config: EmbedderDataConfig, tokenizer: Tokenizer) -> None:
        self._config, self._tokenizer = config, tokenizer
        self._clips, self._edits = (
            torch.from_numpy(
                np.concatenate([np.load(p) for p in sorted(folder.glob(f"{n}_*.npy"))])
            )
            for n in ("clips", "edits")
        )
        self._scenes = [scene_of(config, i)[0] for i in range(len(self._clips))]
        self._plans = [edit_of(config, i) for i in range(len(self._edits))]
        self._keys = [
            [key_of(s.bodies[0]) for s in references(*scene_of(config, i))[:2]]
            for i in range(len(self._clips))
        ]

    def batch(self, index: int) -> EmbedderBatch:
        """Batch number ``index``."""
        rng = np.random.default_rng([self._config.seed, 2, index])
        if index % self._config.edits_every == self._config.edits_every - 1:
            return self._of_edits(rng)
        return self._of_clips(rng)

    def _of_clips(self, rng: np.random.Generator) -> EmbedderBatch:
        config = self._config
        at = rng.choice(len(self._clips), size=config.batch_size, replace=False).tolist()
        scenes = [self._scenes[i] for i in at]
        brief = bool(rng.random() < 0.6)
        levels, pairs = (_BRIEF, config.brief_pairs) if brief else (_LONG, config.long_pairs)
        texts = [
            clip_texts(scene, scenes[b - 1], rng, levels, pairs) for b, scene in enumerate(scenes)
        ]
        shown = [[key_of(b) for b in s.bodies] + [0] * (2 - len(s.bodies)) for s in scenes]
        truth = torch.tensor([[[float(i % 2 == 0), -1.0] for i in range(len(t))] for t in texts])
        rows = self._clips[at]
        subjects, scene = _parts(rows[:, :_CLIP])
        return EmbedderBatch(
            subjects,
            scene,
            *_read(texts, self._tokenizer),
            truth,
            references=References(
                subjects_BRF=rows[:, _CLIP:].reshape(len(at), 2, SUBJECT),
                keys_BR=torch.tensor([self._keys[i] for i in at]),
                clip_keys_B2=torch.tensor(shown),
            ),
        )

    def _of_edits(self, rng: np.random.Generator) -> EmbedderBatch:
        config = self._config
        at = rng.choice(len(self._edits), size=config.edit_batch_size, replace=False).tolist()
        rows = self._edits[at]
        plain = bool(rng.random() < _PLAIN)
        texts, labels, outcomes = [], [], []
        for b, plan in enumerate(self._plans[i] for i in at):
            true = plainly(plan, rng) if plain else reworded(plan.text, rng)
            wrong = [misworded_edit(plan, rng, true) for _ in range(_MISWORDED)]
            texts.append([true, *wrong, self._plans[at[b - 1]].text])
            outcome = _outcome(plan, rng)
            outcomes.append(_OUTCOMES.index(outcome))
            # A text that holds no word to exchange stays true, and some nobody can tell.
            told = without_props(true)
            untrue = [[0.0 if without_props(text) != told else -1.0, -1.0] for text in wrong]
            labels.append([list(_LABELS[outcome]), *untrue, [0.0, -1.0]])
        sights, changes = _outcomes_of(rows)
        differs = changes[range(len(at)), outcomes]
        subjects, scene = _parts(sights[range(len(at)), outcomes])
        before_subjects, before_scene = _parts(sights[:, 0])
        return EmbedderBatch(
            subjects,
            scene,
            *_read(texts, self._tokenizer),
            torch.tensor(labels),
            edit=EditSights(
                subjects_BKF=before_subjects,
                scene_BF=before_scene,
                change_BF=differs[:, :CHANGE],
                focus_BF=differs[:, CHANGE:],
            ),
        )


_CLIP = SUBJECTS * SUBJECT + 28
"""Numbers of one sight."""
_LABELS = {
    "not done": (0.0, 1.0), "right": (1.0, 1.0), "spoilt": (1.0, 0.0), "half done": (0.0, -1.0),
}  # fmt: skip
"""(followed, kept) by outcome; -1 unknown."""


def _outcomes_of(rows_BF: Tensor) -> tuple[Tensor, Tensor]:
    """Sights and differences from the source, in the order of `_OUTCOMES`."""
    apart = CHANGE + FOCUS
    three, more, half = torch.split(rows_BF, [3 * _CLIP, 3 * apart, _CLIP + apart], 1)
    sights = torch.cat([three, half[:, :_CLIP]], 1).reshape(-1, len(_OUTCOMES), _CLIP)
    changes = torch.cat([more, half[:, _CLIP:]], 1).reshape(-1, len(_OUTCOMES), apart)
    return sights, changes[:, [2, 0, 1, 3]]


def _outcome(plan: Plan, rng: np.random.Generator) -> str:
    assert plan.source_scene is not None
    halves = bool(erased(plan.source_scene, plan.scene))
    chances = (0.1, 0.4, 0.25, 0.25) if halves else (0.2, 0.45, 0.35, 0.0)
    return str(rng.choice(_OUTCOMES, p=chances))


def _parts(flat_BF: Tensor) -> tuple[Tensor, Tensor]:
    subjects = flat_BF[:, : SUBJECTS * SUBJECT].reshape(-1, SUBJECTS, SUBJECT)
    return subjects, flat_BF[:, SUBJECTS * SUBJECT :]


def _read(texts: Sequence[Sequence[str]], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Tokens of texts, and what they name."""
    flat = [text for row in texts for text in row]
    shape = (len(texts), len(texts[0]), -1)
    return token_ids(flat, tokenizer).reshape(shape), named(flat).reshape(shape)
