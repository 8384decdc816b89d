"""The super-resolver's test engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omnireel.mvl import Prompt
from omnireel.types import Clip, MediaSet
from services.common.checkpoints import DenoisingState
from services.common.denoising import EngineStep
from services.common.model_info import Sampling
from services.super_resolver.engine import BaseVideo, UpscaledVideo
from tests.support.engines.behaviour import Behaviour, Hook, _no_hook
from tests.support.engines.capabilities import NUM_STEPS, check, test_model
from tests.support.engines.counted import CountedSteps
from tests.support.engines.frames import base_frames, upscaled_frames


class TestSuperResolver:
    """Makes ``upscaled_frames``; ``hook`` stands before each step, ``steps`` lists the executed."""

    __test__ = False

    def __init__(self, hook: Hook = _no_hook) -> None:
        self.info = test_model("super_resolver", upscale_factor=2)
        self.hook = hook
        self.steps: list[int] = []
        self.warmed_up = False

    denoised = None

    def warm_up(self) -> None:
        """Note it."""
        self.warmed_up = True

    def upscale(
        self,
        base: BaseVideo,
        prompt: Prompt,
        media: MediaSet,
        sampling: Sampling,
        *,
        start: DenoisingState | None = None,
        on_step: Callable[[EngineStep], None],
        cancelled: Callable[[], bool],
    ) -> UpscaledVideo:
        """See :class:`services.super_resolver.engine.SuperResolverEngine`."""
        check(sampling)
        num_steps = sampling.num_upscale_steps or NUM_STEPS
        behaviour = Behaviour("super_resolver", prompt.text, sampling.seed, cancelled, self.hook)
        behaviour.before()
        frames = base.clip.frames_THWC
        if base.latents_CTHW is not None:
            frames = base_frames(sampling.format, int(base.latents_CTHW[0, 0, 0, 0]))
        counted = CountedSteps(num_steps, start)
        for step in counted:
            behaviour.step(step)
            self.steps.append(step)
            on_step(EngineStep(step, num_steps, lambda: frames, counted.latents()))
        large = upscaled_frames(frames)
        large[..., 0] += np.uint8(counted.error % 256)
        clip = Clip(large, fps=sampling.format.fps)
        return UpscaledVideo(clip, num_steps, num_function_evaluations=num_steps)
