"""The frames of a shot while its end is not known yet: bounded, whatever comes."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np

from omnireel.data.candidate import MAX_BURSTS, MAX_DETAILS, MAX_FRAMES, SampledFrames
from omnireel.data.curate.keeper import EvenKeeper
from omnireel.data.gray import Gray
from omnireel.data.pictures import Coded, join


class OpenShot:
    """The frames of the shot that is going on; ``burst`` is the run that is going on."""

    def __init__(self, start_s: float, index: int) -> None:
        self.start_s = start_s
        self.index = index
        self.frames: EvenKeeper[tuple[float, Coded]] = EvenKeeper(MAX_FRAMES)
        self.bursts: EvenKeeper[list[tuple[float, Gray]]] = EvenKeeper(MAX_BURSTS)
        self.burst: list[tuple[float, Gray]] = []
        self.details: EvenKeeper[tuple[float, av.VideoFrame]] = EvenKeeper(MAX_DETAILS)
        self.next_detail_s = start_s

    def end_burst(self) -> None:
        """The run is over."""
        if len(self.burst) > 2:
            self.bursts.add(self.burst)
        self.burst = []

    def sampled(self, full: Callable[[av.VideoFrame], Coded]) -> SampledFrames:
        """What was kept; ``full`` turns a decoded frame into one of full resolution."""
        self.end_burst()
        times, frames = zip(*self.frames.kept, strict=True)
        bursts = [tuple(zip(*burst, strict=True)) for burst in self.bursts.kept]
        return SampledFrames(
            join(list(frames)),
            np.array(times),
            tuple(np.stack(pictures) for _, pictures in bursts),
            tuple(np.array(when) for when, _ in bursts),
            tuple(full(frame) for _, frame in self.details.kept),
            tuple(time for time, _ in self.details.kept),
        )
