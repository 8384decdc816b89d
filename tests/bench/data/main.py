"""What curation costs: tiers 1 and 2 beside merely decoding the frames that they need.

Run with ``make bench-data``. Five-second clips of 1280x720 at 30 frames a second, H.264 as x264
makes it by default, of pictures that move as a camera's do. One process; times are processor time,
so that other work on the machine does not count. The last lines run whole stages in one and in two
worker processes; those are seconds on the clock, so look at the load of the machine beside them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from omnireel.data.candidate import BURST_FRAMES
from omnireel.data.checks import Tier, load_policy
from omnireel.data.curate.inputs import FolderInputs
from omnireel.data.curate.listing import list_items
from omnireel.data.curate.measure import MeasureStage, measure_file, near_duplicates
from omnireel.data.curate.reading import ReadConfig, read_file
from omnireel.data.executors import LocalExecutor, Stage, Task

FPS, SECONDS = 30, 5


def write_clip(path: Path, seed: int) -> None:
    """A camera that drifts over a rough, lit ground with grain."""
    rng = np.random.default_rng(seed)
    levels = [
        np.kron(rng.integers(0, 255, (1000 // s + 2, 1700 // s + 2, 3)), np.ones((s, s, 1)))
        for s in (8, 32, 128)
    ]
    ground = sum(level[:960, :1640] for level in levels) / 3
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.codec_context.thread_count = 1
        for i in range(FPS * SECONDS):
            x, y = 2 * i, 60 + int(50 * np.sin(i / 20 + seed))
            picture = ground[y : y + 720, x : x + 1280] + rng.normal(0, 3, (720, 1280, 1))
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def decode_needed(path: Path) -> int:
    """PyAV alone: the same packets with the same frames left out, and nothing done with them."""
    config, count, whole = ReadConfig(), 0, None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            since_s = float(packet.pts * packet.time_base) if packet.pts is not None else 0.0
            phase = (since_s - config.first_burst_s) % config.bursts_every_s
            burst = since_s >= config.first_burst_s and phase < (BURST_FRAMES + 0.5) / FPS
            if burst != whole:
                stream.codec_context.skip_frame = "DEFAULT" if burst else "NONREF"
                whole = burst
            count += sum(1 for _ in packet.decode())
    return count


def decode_all(path: Path) -> int:
    """PyAV alone: every frame."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return sum(1 for _ in container.decode(video=0))


def cpu_s(
    works: dict[str, Callable[[Path], object]], clips: list[Path], rounds: int
) -> dict[str, list[float]]:
    """Processor seconds of one clip in every round, which takes all works in turn."""
    seconds: dict[str, list[float]] = {what: [] for what in works}
    for work in works.values():
        work(clips[0])  # a worker has done this a thousand times
    for _ in range(rounds):
        for what, work in works.items():
            began = time.process_time()
            for clip in clips:
                work(clip)
            seconds[what].append((time.process_time() - began) / len(clips))
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--scaling", type=int, default=0, help="files for 1 and 2 workers")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as in workers
    policy = load_policy("standard")
    kinds = policy.checks(Tier.BASIC, Tier.TEMPORAL)
    checks = tuple(kind.load(policy.models) for kind in kinds)
    near = near_duplicates(policy)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = [folder / f"clip{seed}.mp4" for seed in range(options.clips)]
        for seed, clip in enumerate(clips):
            write_clip(clip, seed)
        inputs = FolderInputs(folder)
        items = list_items(inputs, name).items

        def measure(clip: Path) -> None:
            measure_file(inputs, items[clip.name], policy, checks, near)

        def read(clip: Path) -> None:
            read_file(clip, policy.shots, lambda shot: None)

        share = np.mean([decode_needed(clip) for clip in clips]) / (FPS * SECONDS)
        print(f"{len(checks)} checks, near-duplicates {'on' if near else 'off'}")
        print(f"share of frames that are decoded: {share:.0%}")
        works: dict[str, Callable[[Path], object]] = {
            "PyAV, every frame": decode_all,
            "PyAV, the frames needed": decode_needed,
            "one pass: frames and shots": read,
            "tiers 1 and 2": measure,
        }
        took = cpu_s(works, clips, options.rounds)
        every, needed = min(took["PyAV, every frame"]), min(took["PyAV, the frames needed"])
        print(f"{'':<58}{'needed':>6} {'every':>6}   needed, round by round")
        for what, rounds in took.items():
            least = min(rounds)
            each = zip(rounds, took["PyAV, the frames needed"], strict=True)
            print(f"{what:<28}{least:7.3f} s/clip {1 / least:6.2f} clips/s/core "
                  f"{least / needed:5.2f}x {least / every:5.2f}x   "
                  + " ".join(f"{one / base:.2f}" for one, base in each))  # fmt: skip
        print(f"load of the machine: {os.getloadavg()[0]:.1f}")
        if options.scaling:
            scaling(folder, clips[0], options.scaling)


def scaling(folder: Path, clip: Path, count: int) -> None:
    """The measuring stage over copies of one clip, with one worker and with two."""
    many = folder / "many"
    many.mkdir()
    for number in range(count):
        (many / f"{number}.mp4").symlink_to(clip)
    items = list_items(FolderInputs(many), str(many)).items
    stage = Stage("measure", MeasureStage(str(many), load_policy("standard")))
    took = {}
    for workers in (1, 2):
        began = time.perf_counter()
        done = list(LocalExecutor(workers).run(stage, [Task(k, i) for k, i in items.items()]))
        took[workers] = time.perf_counter() - began
        print(f"{workers} worker(s): {len(done) / took[workers]:.2f} clips/s on the clock, "
              f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"scaling 1 -> 2: {took[1] / took[2]:.2f}x")


if __name__ == "__main__":
    main()
