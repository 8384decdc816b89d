"""The tiny model as an enhancer: read, write drafts, check them, write MVL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from omnireel.enhancer.base import Enhancement, never
from omnireel.enhancer.schema import StructuredPrompt, StructureError, parse_structured, to_prompt
from omnireel.enhancer.tiny import vocabulary as v
from omnireel.enhancer.tiny.checks import (
    Case,
    Draft,
    check_draft,
    check_known,
    check_subjects,
    unsure_words,
)
from omnireel.enhancer.tiny.copied import unknown_actions
from omnireel.enhancer.tiny.dialogue import Dialogue, known_words, read_prompt
from omnireel.enhancer.tiny.edits import edits
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.modeling import TinyEnhancerConfig
from omnireel.enhancer.tiny.puzzles import solved
from omnireel.enhancer.tiny.restraint import EndsAsSaid, Without, names_a_color, restrained
from omnireel.enhancer.tiny.sft import thought_tokens
from omnireel.enhancer.tiny.untaught import untaught
from omnireel.enhancer.tiny.word_for_word import word_for_word
from omnireel.enhancer.tiny.writing import Drafts, Rule, most_likely, write
from omnireel.mvl.prompt import Prompt
from omnireel.registry import load_component
from omnireel.types import MediaSet

MAX_SIGHT_TOKENS = 48
MAX_ANSWER_TOKENS = 160
MAX_DRAFTS = 8
"""A draft that loses a fact of the user is thrown away; the others are written together then."""
_LAST = (0, *range(MAX_DRAFTS, MAX_DRAFTS + 5))
"""Drafts of an edit whose colours are the user's own, when all of those were thrown away."""


@dataclass(frozen=True)
class Thought:
    """The tokens of a thought, and the words in it that were guesses at what pictures show."""

    tokens: tuple[str, ...]
    unsure: frozenset[str]


class TinyEnhancer:
    """Runs on one CPU core in about a second; deterministic."""

    device = "cpu"

    def __init__(self, model: Model) -> None:
        self.model = model.eval()
        self.tokenizer = v.build_tokenizer(model.config.words)
        self.known = known_words(self.tokenizer)
        self.lexicon = Lexicon.from_data(model.config.lexicon)

    @classmethod
    def load(cls, folder: Path) -> TinyEnhancer:
        """Read a component folder.

        Raises:
            NotFound: there is none.
            IntegrityError: it does not match the hashes in its card, or this release.
        """
        component = load_component(folder, kind="enhancer")
        with component.building() as config:
            # Left out, it would stand for a decoder of seven billion parameters.
            decoder = config["text_config"]
            model = Model(TinyEnhancerConfig.from_dict({**config, "text_config": decoder}))
        model.load_state_dict(component.state_dict)
        return cls(model)

    def enhance(
        self, prompt: Prompt, media: MediaSet, cancelled: Callable[[], bool] = never
    ) -> Enhancement:
        """Enhance one prompt: the first draft that keeps every fact is used.

        What somebody does and the model does not know it is not shown to it: it comes back at the
        end of the answer in the user's words. When no draft keeps every fact, the user's text is
        used, word for word in those that the generator knows, and the reply gives the fault of the
        first draft.

        Raises:
            Cancelled: ``cancelled()``, asked before every token, was true.
        """
        try:
            dialogue = self.read(prompt, media)
            check_known(self.lexicon, dialogue)
        except StructureError as error:
            return self._word_for_word(prompt, "", str(error))
        if reason := untaught(self.lexicon, prompt, dialogue.text, self.model.config.tasks):
            return Enhancement(prompt, None, "", f"{reason}; your text is used unchanged")
        if actions := unknown_actions(self.lexicon, dialogue.text, dialogue.copies):
            if edits(prompt):
                reason = f"the tiny enhancer does not know what '{actions[0]}' means"
                return self._word_for_word(prompt, "", reason)
            dialogue = self.read(prompt, media, actions)
        first: Enhancement | None = None
        for draft in self._drafts(prompt, dialogue, cancelled):
            result = self.check(prompt, dialogue, draft)
            if not result.fallback_reason:
                return result
            first = first or result
        assert first is not None
        return first

    def read(self, prompt: Prompt, media: MediaSet, leave_out: Sequence[str] = ()) -> Dialogue:
        """The prompt as the model reads it, with its puzzles solved and without the words of
        ``leave_out``.

        Raises:
            StructureError: see :func:`~omnireel.enhancer.tiny.dialogue.read_prompt`.
        """
        side = self.model.config.image_side
        prompt = solved(self.lexicon, prompt, self.known)
        return read_prompt(prompt, media, self.tokenizer, side, leave_out)

    def _word_for_word(self, prompt: Prompt, raw: str, reason: str) -> Enhancement:
        told = solved(self.lexicon, prompt, self.known)
        told = word_for_word(self.lexicon, told, self.known)
        how = "unchanged" if told == prompt else "word for word, as far as the generator knows it"
        return Enhancement(told, None, raw, f"{reason}; your text is used {how}")

    def _drafts(
        self, prompt: Prompt, dialogue: Dialogue, cancelled: Callable[[], bool]
    ) -> Iterator[Draft]:
        thought = self.think(dialogue, cancelled)
        write = partial(self.write, prompt, dialogue, thought, cancelled=cancelled)
        yield from write()
        yield from write(range(1, MAX_DRAFTS))
        if names_a_color(self.lexicon, dialogue.text, prompt):
            yield from write(_LAST, as_said=True)

    def check(self, prompt: Prompt, dialogue: Dialogue, draft: Draft) -> Enhancement:
        """The enhancement that a draft makes, or the fall-back and why."""
        raw = draft.text
        try:
            raw = dialogue.restore(draft.text)
            slotted = parse_structured(draft.text)
            check_subjects(self.lexicon, slotted.subjects)
            check_draft(Case(self.lexicon, prompt, dialogue, slotted.description, draft.unsure))
            structured = _capitalised(_with_rest(parse_structured(raw), dialogue.left_out))
            return Enhancement(to_prompt(structured, prompt), structured, raw)
        except StructureError as error:
            return self._word_for_word(prompt, raw, str(error))

    def write(
        self,
        prompt: Prompt,
        dialogue: Dialogue,
        thought: Thought,
        numbers: Sequence[int] = (0,),
        *,
        as_said: bool = False,
        cancelled: Callable[[], bool] = never,
    ) -> list[Draft]:
        """The drafts of these numbers (0 is the model's best guess); ``as_said``: with the colours
        of the user alone, see :class:`~omnireel.enhancer.tiny.restraint.EndsAsSaid`."""
        said, count = dialogue.text, len(numbers)
        rule: Rule = Without(
            restrained(Drafts(numbers), self.lexicon, self.tokenizer, said, prompt),
            self.tokenizer,
            dialogue.empty_slots,
        )
        if as_said:
            rule = EndsAsSaid(rule, self.lexicon, self.tokenizer, said)
        prefix = [*dialogue.ids, *self.tokenizer.convert_tokens_to_ids(list(thought.tokens))]
        pixels_ICHW = dialogue.pixels_ICHW
        written = write(
            self.model,
            [prefix] * count,
            pixels_ICHW.repeat(count, 1, 1, 1),
            max_new_tokens=MAX_ANSWER_TOKENS,
            end_id=self.tokenizer.eos_token_id,
            rule=rule,
            cancelled=cancelled,
        )
        answers = [self.tokenizer.convert_ids_to_tokens(list(w.ids)) for w in written]
        texts = [v.join_tokens([*thought.tokens, *answer]) for answer in answers]
        return [Draft(text, thought.unsure) for text in texts]

    def think(self, dialogue: Dialogue, cancelled: Callable[[], bool] = never) -> Thought:
        """What all drafts of a prompt begin with. The model says what the pictures show; what the
        user says is noted by the lexicon, exactly as in training, so nothing can be lost there."""
        sees, unsure = "", frozenset[str]()
        if len(dialogue.pixels_ICHW):
            start = [*dialogue.ids, self.tokenizer.convert_tokens_to_ids(v.THINK)]
            (seen,) = write(
                self.model,
                [start],
                dialogue.pixels_ICHW,
                max_new_tokens=MAX_SIGHT_TOKENS,
                end_id=self.tokenizer.convert_tokens_to_ids(v.SIGHT_END),
                rule=Without(most_likely, self.tokenizer, dialogue.empty_slots),
                cancelled=cancelled,
            )
            tokens = self.tokenizer.convert_ids_to_tokens(list(seen.ids))
            unsure = unsure_words(tokens, seen.sure)
            sees = f"{v.join_tokens(tokens)}{v.SIGHT_END} "
        thought = f"{sees}said {self.lexicon.noted(dialogue.text)}"
        return Thought(tuple(thought_tokens(thought, self.tokenizer)), unsure)


def _with_rest(answer: StructuredPrompt, left_out: Sequence[str]) -> StructuredPrompt:
    """The answer with words of the user that the model did not read, at its end."""
    if not left_out:
        return answer
    rest = " ".join(left_out)
    return replace(answer, description=f"{answer.description.rstrip('. ')}, {rest}.")


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
