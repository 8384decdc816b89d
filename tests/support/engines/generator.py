"""The generator's test engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from omnireel.mvl import Prompt
from omnireel.types import Clip, MediaSet
from services.common.checkpoints import DenoisingState
from services.common.denoising import EngineStep
from services.common.model_info import Sampling
from services.generator.engine import GeneratedVideo
from tests.support.engines.behaviour import Behaviour, Hook, _no_hook
from tests.support.engines.capabilities import GUIDANCE, NUM_STEPS, check, test_model
from tests.support.engines.counted import CountedSteps
from tests.support.engines.frames import base_frames, base_latents


class TestGenerator:
    """Makes ``base_frames``; ``hook`` stands before each step, ``steps`` lists the executed."""

    __test__ = False

    def __init__(self, hook: Hook = _no_hook) -> None:
        self.info = test_model("generator")
        self.hook = hook
        self.steps: list[int] = []
        self.warmed_up = False

    denoised = None

    def warm_up(self) -> None:
        """Note it."""
        self.warmed_up = True

    def together(self, sampling: Sampling) -> int:
        """One after the other."""
        return 1

    def generate(
        self,
        prompt: Prompt,
        media: MediaSet,
        sampling: Sampling,
        *,
        start: DenoisingState | None = None,
        on_step: Callable[[EngineStep], None],
        cancelled: Callable[[], bool],
    ) -> GeneratedVideo:
        """See :class:`services.generator.engine.GeneratorEngine`."""
        check(sampling)
        used = replace(
            sampling,
            num_inference_steps=sampling.num_inference_steps or NUM_STEPS,
            guidance=GUIDANCE,
        )
        behaviour = Behaviour("generator", prompt.text, used.seed, cancelled, self.hook)
        behaviour.before()
        counted = CountedSteps(used.num_inference_steps, start)
        preview = base_frames(used.format, used.seed)[:, ::2, ::2]
        for step in counted:
            behaviour.step(step)
            self.steps.append(step)
            on_step(EngineStep(step, used.num_inference_steps, lambda: preview, counted.latents()))
        seed = used.seed + counted.error
        return GeneratedVideo(
            latents_CTHW=base_latents(used.format, seed),
            clip=Clip(base_frames(used.format, seed), fps=used.format.fps),
            sampling=used,
            num_function_evaluations=2 * used.num_inference_steps,
        )
