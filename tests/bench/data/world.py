"""What mining finds of known identities, and what share of derived samples tier 3 keeps.

Run with ``python -m tests.bench.data.world``; minutes on one core. Everything is of the procedural
world, in files; the embedder is the shipped one unless ``--embedder`` names another.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from omnireel.data.checks.policy import read_policy
from omnireel.data.crossmodal.references import key_of, recast
from omnireel.data.curate.engine import CurateRequest, curate
from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.data.executors import LocalExecutor
from omnireel.data.mining.groups import MiningConfig, find_pairs
from omnireel.data.mining.vectors import vectors_of
from omnireel.data.synthesis.folder import SynthesisConfig, synthesise
from omnireel.embed import open_embedder
from omnireel.errors import FailedPrecondition
from omnireel.media import write_mp4
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import Clip, VideoFormat
from omnireel.world.captions import caption
from omnireel.world.distribution import SceneDistribution
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Scene

SMALL = VideoFormat(64, 64, 17, 8.0)
LARGE = VideoFormat(192, 192, 25, 12.0)
ALONE = SceneDistribution(two_bodies=0.0, other_style=0.0, moving_camera=0.4)


def scene(seed: int, seconds: float) -> Scene:
    rng = np.random.default_rng([71, seed])
    return sample_scene(rng, split="held_out", duration_s=seconds, max_bodies=1, distribution=ALONE)


def mining(folder: Path, embedder: Path, identities: int, clips: int) -> None:
    """Recall and precision of pairs among clips of known characters."""
    truth: dict[str, int] = {}
    bodies = {key_of(b): b for b in (scene(i, 2).bodies[0] for i in range(8 * identities))}
    for n, (key, body) in enumerate(sorted(bodies.items())[:identities]):
        for c in range(clips):
            shown = recast(scene(1000 + clips * n + c, SMALL.duration_s), body)
            name = f"{key:03d}-{c}.mp4"
            write_mp4(Clip(render_clip(shown, SMALL), SMALL.fps), folder / name)
            truth[name] = key
    vectors = vectors_of(folder, open_embedder(embedder), folder.parent / "vectors.npz")
    pairs, _ = find_pairs(vectors, MiningConfig())
    found = {(vectors.names[p.one], vectors.names[p.other]) for p in pairs}
    same = {(a, b) for a, b in combinations(sorted(truth), 2) if truth[a] == truth[b]}
    right = len(found & same)
    print(
        f"mining: {len(truth)} clips of {len(set(truth.values()))} identities: "
        f"{right} of {len(same)} pairs found (recall {right / len(same):.2f}), "
        f"{len(found)} named (precision {right / max(1, len(found)):.2f})"
    )


def moving_scenes(count: int) -> Iterator[Scene]:
    """Scenes whose body moves, in turn before a camera that stands and one that moves."""
    seeds = iter(range(5000, 50_000))
    for i in range(count):
        yield next(
            shown
            for shown in (scene(seed, LARGE.duration_s) for seed in seeds)
            if shown.bodies[0].motion.kind != "still"
            and (shown.camera.move == "static") == (i % 2 == 0)
        )


def derived(root: Path, embedder: Path, count: int) -> None:
    """Share of derived samples that every check of tier 3 keeps, by kind."""
    clips = root / "clips"
    clips.mkdir()
    for i, shown in enumerate(moving_scenes(count)):
        write_mp4(Clip(render_clip(shown, LARGE), LARGE.fps), clips / f"clip{i:02d}.mp4")
        text = caption(shown, "full", np.random.default_rng(i))
        (clips / f"clip{i:02d}.txt").write_text(text)
    made = synthesise(clips, root / "derived", SynthesisConfig(licence="CC0-1.0"))
    print(f"derived: {made.made} samples of {count} clips; {len(made.left_out)} gave fewer or none")
    policy = read_policy(
        {
            "base": "standard",
            "unsafe": "off",
            "embedder": str(embedder),
            "checks": dict.fromkeys(BASICS, "off"),
        },
        name="tier3",
    )
    try:
        curate(CurateRequest(str(root / "derived"), root / "out", policy), LocalExecutor(1))
    except FailedPrecondition as error:
        print(error.message)
    tally: dict[str, Counter[str]] = {}
    rejected: dict[str, Counter[str]] = {}
    by_sample: dict[str, list[dict[str, object]]] = {}
    for row in read_rows(root / "out" / LEDGER):
        by_sample.setdefault(str(row["sample"]), []).append(row)
    for name, rows in by_sample.items():
        kind = name.rpartition("-")[2].partition(".")[0]
        bad = [str(r["check"]) for r in rows if r["verdict"] in ("rejected", "failed")]
        tally.setdefault(kind, Counter())["kept" if not bad else "out"] += 1
        rejected.setdefault(kind, Counter()).update(bad)
    for kind, counts in sorted(tally.items()):
        why = ", ".join(f"{check} {n}" for check, n in rejected[kind].most_common())
        print(f"  {kind:<10}{counts['kept']:3d} of {counts.total():3d} pass  {why}")
    kept, all_of = sum(c["kept"] for c in tally.values()), sum(c.total() for c in tally.values())
    print(f"  share that passes tier 3: {kept / max(1, all_of):.2f} ({kept} of {all_of})")


BASICS = (
    "readable", "damage", "said_duration", "sound", "resolution", "aspect", "frame_rate",
    "duration", "blur", "compression", "underexposed", "overexposed", "contrast", "letterbox",
    "text", "logo", "frozen", "cut", "jitter", "action", "exact_duplicate", "near_duplicate",
)  # fmt: skip
"""What is not asked here."""


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", type=Path, default=SHIPPED_TINY / "embedder")
    parser.add_argument("--identities", type=int, default=24)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="a folder for what is derived")
    parser.add_argument("--only-derived", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        media = Path(name, "media")
        media.mkdir()
        if not options.only_derived:
            mining(media, options.embedder, options.identities, 4)
        root = options.keep or Path(name)
        root.mkdir(exist_ok=True)
        derived(root, options.embedder, options.clips)


if __name__ == "__main__":
    main()
