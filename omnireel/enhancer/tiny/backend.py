"""The tiny model as an enhancer: read, answer, check the facts, write MVL."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from omnireel.enhancer.base import Enhancement
from omnireel.enhancer.schema import StructuredPrompt, StructureError, parse_structured, to_prompt
from omnireel.enhancer.tiny import vocabulary as v
from omnireel.enhancer.tiny.dialogue import Dialogue, read_prompt
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.modeling import TinyEnhancerConfig
from omnireel.mvl.prompt import Prompt
from omnireel.registry import load_component
from omnireel.types import MediaSet, Role

MAX_ANSWER_TOKENS = 160
MAX_DRAFTS = 5
"""A draft that loses a fact of the user is thrown away and another one is written."""
_COPY = re.compile(r"<w\d>")
_BORROWED_PLACE = re.compile(r"(background of|place of|scene shown in|scene of) (<m|@)")


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
        for draft in range(MAX_DRAFTS):
            result = self.check(prompt, dialogue, self.write(dialogue, draft))
            if not result.fallback_reason:
                return result
            first = first or result
        assert first is not None
        return first

    def check(self, prompt: Prompt, dialogue: Dialogue, written: str) -> Enhancement:
        """The enhancement that the answer ``written`` (with slots) makes, or the fall-back."""
        raw = written
        try:
            raw = dialogue.restore(written)
            self._check_facts(dialogue, prompt, parse_structured(written))
            structured = _capitalised(parse_structured(raw))
            return Enhancement(to_prompt(structured, prompt), structured, raw)
        except StructureError as error:
            return Enhancement(prompt, None, raw, f"{error}; your text is used unchanged")

    def write(self, dialogue: Dialogue, draft: int = 0) -> str:
        """An answer of the model, with slots in place of names and copied words."""
        with torch.inference_mode():
            ids = self.model.answer(
                list(dialogue.ids),
                dialogue.pixels_ICHW,
                max_new_tokens=MAX_ANSWER_TOKENS,
                end_id=self.tokenizer.eos_token_id,
                draft=draft,
            )
        return v.join_tokens(self.tokenizer.convert_ids_to_tokens(ids))

    def _check_facts(self, dialogue: Dialogue, prompt: Prompt, answer: StructuredPrompt) -> None:
        """What the user said must be in the description; what nobody said must not be copied."""
        if lost := lost_facts(self.lexicon, dialogue.text, prompt, answer.description):
            words = ", ".join(f"'{fact.name.replace('_', ' ')}'" for fact in lost)
            raise StructureError(f"the rewritten prompt would have lost {words}")
        said, written = set(_COPY.findall(dialogue.text)), set(_COPY.findall(answer.description))
        if dropped := said - written:
            words = ", ".join(f"'{dialogue.restore(w)}'" for w in sorted(dropped))
            raise StructureError(f"the tiny enhancer does not know {words}")


def lost_facts(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Facts that the user said and the description ``written`` does not; what it takes from a
    given video or picture instead ("moves as in <m0>") is not lost."""
    roles = {i.role for i in prompt.inputs}
    ignore = {"motion"} if roles & {Role.MOTION, Role.SOURCE} else set[str]()
    if _BORROWED_PLACE.search(written):
        ignore.add("place")
    return [facts[0] for facts in lexicon.lost(said, written, ignore=frozenset(ignore))]


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
