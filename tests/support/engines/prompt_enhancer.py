"""The prompt enhancer's test engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from omnireel.enhancer import Enhancement, StructuredPrompt
from omnireel.mvl import Prompt, TextPart
from omnireel.types import MediaSet
from tests.support.engines.behaviour import Behaviour, Hook, _no_hook
from tests.support.engines.capabilities import test_model

SUFFIX = ", finely detailed"


class TestPromptEnhancer:
    """Adds ``SUFFIX``; two steps (read, write) for hooks and words."""

    __test__ = False

    def __init__(self, hook: Hook = _no_hook) -> None:
        self.info = test_model("prompt_enhancer", can_enhance=True, sizes=(), defaults=None)
        self.hook = hook
        self.steps: list[int] = []
        self.warmed_up = False

    denoised = None

    def warm_up(self) -> None:
        """Note it."""
        self.warmed_up = True

    def enhance(
        self, prompt: Prompt, media: MediaSet, *, cancelled: Callable[[], bool]
    ) -> Enhancement:
        """See :class:`services.prompt_enhancer.engine.PromptEnhancerEngine`."""
        behaviour = Behaviour("prompt_enhancer", prompt.text, 0, cancelled, self.hook)
        behaviour.before()
        for step in (1, 2):
            behaviour.step(step)
            self.steps.append(step)
        if "unparsable" in prompt.text:
            return Enhancement(prompt, None, "no JSON", "the answer is not a JSON object")
        better = replace(prompt, parts=(*prompt.parts, TextPart(SUFFIX)))
        structured = StructuredPrompt(
            subjects=("a subject",), summary=prompt.text, kept="", description=better.text
        )
        return Enhancement(better, structured, structured.to_json())
