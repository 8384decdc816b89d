"""MVL, the multimodal visual language: text, images, videos and elements in one prompt.

Read in this order: `prompt` (the parsed form), `grammar` (how it is written), `parse`, `validate`;
`openai` and `kling` read the request shapes that people already have.
"""

from omnireel.mvl.parse import parse
from omnireel.mvl.prompt import Element, Input, MentionPart, Part, Prompt, TextPart
from omnireel.mvl.validate import PromptLimits, validate

__all__ = [
    "Element",
    "Input",
    "MentionPart",
    "Part",
    "Prompt",
    "PromptLimits",
    "TextPart",
    "parse",
    "validate",
]
