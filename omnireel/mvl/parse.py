"""Text form -> parsed prompt."""

from __future__ import annotations

from collections.abc import Iterable

from omnireel.errors import PromptSyntaxError
from omnireel.mvl import grammar
from omnireel.mvl.prompt import Element, Input, MentionPart, Part, Prompt, TextPart
from omnireel.mvl.validate import check_characters, check_declarations, check_mentions


def parse(
    text: str,
    inputs: Iterable[Input] = (),
    elements: Iterable[Element] = (),
    *,
    field: str = "prompt",
) -> Prompt:
    """Read ``@Girl rides @Image_1's bike`` against the declared inputs and elements.

    `Prompt.text` is the inverse: ``parse(p.text, p.inputs, p.elements) == p`` for every valid
    prompt whose neighbouring text parts are joined. Limits of one model are `validate`'s business.

    Raises:
        PromptSyntaxError: empty text, a control character, an ``@`` that starts no legal mention,
            a name that nobody declared, a mentioned name that stands for two things; ``position``
            is the 0-based offset in ``text``.
        InvalidInput: a wrong declaration (illegal or doubled name, role, or a reference that the
            text never mentions), with a violation for each such field.

    """
    if not text.strip():
        raise PromptSyntaxError("the prompt is empty; say what to make", position=0, field=field)
    check_characters(text, field=field)
    tokens = tuple(grammar.scan(text, field=field))
    parts: tuple[Part, ...] = tuple(
        MentionPart(t.value) if t.is_mention else TextPart(t.value) for t in tokens
    )
    prompt = Prompt(parts, tuple(inputs), tuple(elements))
    mentions = [(t.value, t.position, field) for t in tokens if t.is_mention]
    check_mentions(prompt, mentions)
    check_declarations(prompt)
    return prompt
