"""The tokens of the tiny enhancer: whole lower-case words, single characters for all others.

JSON keys with their punctuation are one token each, so that an answer is short. Names of inputs are
slots (``<m0>`` ...) in the order of declaration, and words outside the vocabulary are slots too
(``<w0>`` ...): the model copies a slot as one token, whatever stands behind it.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Punctuation, WhitespaceSplit
from tokenizers.pre_tokenizers import Sequence as PreTokenizers
from transformers import PreTrainedTokenizerFast

from omnireel.types import Role

PAD, BEGIN, END, UNKNOWN = "<pad>", "<begin>", "<end>", "<unknown>"
IMAGE, USER, ANSWER = "<image>", "<user>", "<answer>"
THINK, THINK_END = "<think>", "</think>"
SIGHT_END = ";"
"""Ends the part of a thought that says what the pictures show."""
MENTIONS = tuple(f"<m{i}>" for i in range(8))
COPIES = tuple(f"<w{i}>" for i in range(6))
ROLES = {role: f"<{role.value}>" for role in Role}
KEYS = ("subjects", "motion", "camera", "style", "kept", "summary", "description")
"""Order in which an answer is written: first the facts, then the text that is made of them."""
OPEN = '{"subjects":["'
AND = '","'
CLOSE = '"}'
_AFTER = {"motion": '"],"motion":"'} | {k: f'","{k}":"' for k in KEYS[2:]}
STRUCTURE = (OPEN, AND, *_AFTER.values(), CLOSE)
_CONTROL = (PAD, BEGIN, END, UNKNOWN, IMAGE, USER, ANSWER, THINK, THINK_END)
SPECIAL = (*_CONTROL, *MENTIONS, *COPIES, *ROLES.values(), *STRUCTURE)
_CLOSING = set(".,;:!?)")


def key_token(key: str) -> str:
    """The one token that ends the section before ``key`` and opens ``key``."""
    return _AFTER[key]


def build_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that knows ``words`` (lower case) and can spell everything in ASCII."""
    characters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [*SPECIAL, *characters, *(f"##{c}" for c in characters), *sorted(set(words))]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    model = WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=40)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = PreTokenizers([WhitespaceSplit(), Punctuation()])
    tokenizer.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=512,
    )


def join_tokens(tokens: Sequence[str]) -> str:
    """Tokens back to text: spaces between words, none around structure or before a comma."""
    out = ""
    for token in tokens:
        if token in (PAD, BEGIN, END):
            continue
        if token.startswith("##") and len(token) == 3:
            out += token[2:]
        else:
            glued = not out or out.endswith(STRUCTURE) or out[-1] in "'-("
            glued = glued or token in STRUCTURE or token in _CLOSING
            glued = glued or (token in "'-" and out[-1].isalnum())
            out += token if glued else f" {token}"
    return out
