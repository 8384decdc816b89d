"""Instructions of derived edits: general enough for any footage."""

from __future__ import annotations

ADD = "Add to @Source what is told here, keep everything else: {caption}"
REMOVE = "Remove the subject from @Source, keep everything else."
RECOLOR = "Make the {old} subject of @Source {new}, keep everything else."
