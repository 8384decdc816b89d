"""Prompt enhancement: a multimodal language model rewrites a prompt before generation.

Read in this order: ``schema`` (the structured prompt), ``base`` (what a back-end is), ``spec``
(choosing one), ``tiny`` (the shipped model), ``transformers_backend``, ``openai_backend``.
"""

from omnireel.enhancer.base import Enhancement, Enhancer, OffEnhancer
from omnireel.enhancer.schema import StructuredPrompt, StructureError, parse_structured, to_prompt
from omnireel.enhancer.spec import EnhancerSpec, open_enhancer

__all__ = [
    "Enhancement",
    "Enhancer",
    "EnhancerSpec",
    "OffEnhancer",
    "StructureError",
    "StructuredPrompt",
    "open_enhancer",
    "parse_structured",
    "to_prompt",
]
