"""Media files <-> frames: bounded reading (`read_clip`, `read_image`), atomic writing, resizing.

Everything that comes from a user goes through `DecodeLimits`, before memory is taken.
"""

from omnireel.media.anything import read_media
from omnireel.media.audio import carry_audio, fit_audio
from omnireel.media.image import read_image
from omnireel.media.limits import DecodeLimits
from omnireel.media.resample import fit, resample, resize
from omnireel.media.sheet import SheetStyle, contact_sheet
from omnireel.media.video import probe_clip, read_clip
from omnireel.media.write import (
    Mp4Settings,
    choose_encoder,
    write_mp4,
    write_png,
    write_webp_animation,
)

__all__ = [
    "DecodeLimits",
    "Mp4Settings",
    "SheetStyle",
    "carry_audio",
    "choose_encoder",
    "contact_sheet",
    "fit",
    "fit_audio",
    "probe_clip",
    "read_clip",
    "read_image",
    "read_media",
    "resample",
    "resize",
    "write_mp4",
    "write_png",
    "write_webp_animation",
]
