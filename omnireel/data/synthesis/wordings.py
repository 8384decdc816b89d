"""Instructions of derived edits: general enough for any footage."""

from __future__ import annotations

ADD = "Add to @Source what is told here, keep everything else: {caption}"
REMOVE = "Remove the subject from @Source, keep everything else."
RECOLOR = "Make the {old} subject of @Source {new}, keep everything else."
DRAWING = "Turn the drawing @Drawing into a video. {caption}"
PLACE = "@Subject in the place of @Place. {caption}"
RESTYLE = "Turn @Source, {style}, into natural footage, keep the motion. {caption}"
