"""HTML pages that play clips in step, with everything they need inside them.

A template has the places ``@PLAYER@`` (the script of all pages, ``player.js``) and ``@DATA@``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
JUDGING = _FOLDER / "judging.html"
"""Two clips side by side, one question after the other."""
BENCH = _FOLDER / "bench.html"
"""Input, target and result of every case."""


def fill(template: Path, data: Any) -> bytes:
    """The page with its data."""
    # "</" would end the script element that holds the data.
    text = json.dumps(data, allow_nan=False).replace("</", "<\\/")
    page = template.read_text(encoding="utf-8")
    player = (_FOLDER / "player.js").read_text(encoding="utf-8")
    return page.replace("@PLAYER@", player).replace("@DATA@", text).encode()
