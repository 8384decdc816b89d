"""The tiny model as an enhancer: read, write drafts, check them, write MVL."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from omnireel.enhancer.base import Enhancement
from omnireel.enhancer.schema import StructuredPrompt, StructureError, parse_structured, to_prompt
from omnireel.enhancer.tiny import vocabulary as v
from omnireel.enhancer.tiny.checks import Draft, check_draft, unsure_words
from omnireel.enhancer.tiny.dialogue import Dialogue, read_prompt
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.modeling import TinyEnhancerConfig
from omnireel.mvl.prompt import Prompt
from omnireel.registry import load_component
from omnireel.types import MediaSet

MAX_ANSWER_TOKENS = 160
MAX_DRAFTS = 5
"""A draft that loses a fact of the user is thrown away and another one is written."""


class TinyEnhancer:
    """Runs on one CPU core in about a second; deterministic."""

    def __init__(self, model: Model) -> None:
        self.model = model.eval()
        self.tokenizer = v.build_tokenizer(model.config.words)
        self.lexicon = Lexicon.from_data(model.config.lexicon)

    @classmethod
    def load(cls, folder: Path) -> TinyEnhancer:
        """Read a component folder.

        Raises:
            NotFound: there is none.
            IntegrityError: it does not match the hashes in its card.
        """
        component = load_component(folder, kind="enhancer")
        model = Model(TinyEnhancerConfig.from_dict(component.config))
        model.load_state_dict(component.state_dict)
        return cls(model)

    def enhance(self, prompt: Prompt, media: MediaSet) -> Enhancement:
        """Enhance one prompt: the first draft that keeps every fact is used.

        When none does, the user's text is used and the reply gives the fault of the first draft.
        """
        try:
            dialogue = read_prompt(prompt, media, self.tokenizer)
        except StructureError as error:
            return Enhancement(prompt, None, "", f"{error}; your text is used unchanged")
        first: Enhancement | None = None
        for number in range(MAX_DRAFTS):
            result = self.check(prompt, dialogue, self.write(dialogue, number))
            if not result.fallback_reason:
                return result
            first = first or result
        assert first is not None
        return first

    def check(self, prompt: Prompt, dialogue: Dialogue, draft: Draft) -> Enhancement:
        """The enhancement that a draft makes, or the fall-back and why."""
        raw = draft.text
        try:
            raw = dialogue.restore(draft.text)
            written = parse_structured(draft.text).description
            check_draft(self.lexicon, prompt, dialogue, written, draft.unsure)
            structured = _capitalised(parse_structured(raw))
            return Enhancement(to_prompt(structured, prompt), structured, raw)
        except StructureError as error:
            return Enhancement(prompt, None, raw, f"{error}; your text is used unchanged")

    def write(self, dialogue: Dialogue, number: int = 0) -> Draft:
        """Draft ``number`` (0 is the model's best guess)."""
        with torch.inference_mode():
            ids, sure = self.model.answer(
                list(dialogue.ids),
                dialogue.pixels_ICHW,
                max_new_tokens=MAX_ANSWER_TOKENS,
                end_id=self.tokenizer.eos_token_id,
                draft=number,
            )
        tokens = self.tokenizer.convert_ids_to_tokens(ids)
        return Draft(v.join_tokens(tokens), unsure_words(tokens, sure))


def _capitalised(answer: StructuredPrompt) -> StructuredPrompt:
    """The description and summary with capital letters at the starts of sentences."""

    def sentences(text: str) -> str:
        return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)

    return StructuredPrompt(
        subjects=answer.subjects,
        summary=sentences(answer.summary),
        kept=answer.kept,
        description=sentences(answer.description),
        motion=answer.motion,
        camera=answer.camera,
        style=answer.style,
    )
