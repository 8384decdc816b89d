"""Takes secrets out of text that people read: passwords in addresses, API keys, bearer tokens."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE)
_API_KEY = re.compile(r"\b(omr_[0-9a-f]{12})_[A-Za-z0-9_-]+")
_BEARER = re.compile(r"\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def redact(text: str) -> str:
    """``text`` with ``***`` where a secret was."""
    text = _PASSWORD.sub(r"\1:***@", text)
    text = _API_KEY.sub(r"\1_***", text)
    return _BEARER.sub(r"\1 ***", text)
