"""How people speak of the camera: "drone slowly pulling back", "closing in on", "shaky cam".

Verbs and directions combine, so these are patterns; each stands for a camera move of captions.
"""

from __future__ import annotations

import re

_WHO = (
    r"\b(?:the |a |an )?(?:(?:drone|crane) )?(?:camera|cam|view|shot|drone|crane|lens)"
    r"(?: (?:is|then))?"
)
_HOW = r"(?: (?!family|only)\w+ly)?"
_GOES = (
    r" (?:mov(?:es?|ing)|go(?:es|ing)?|push(?:es|ing)?|pull(?:s|ing)?|clos(?:es?|ing)|gets?|"
    r"getting|com(?:es?|ing)|dolly|doll(?:ies|ying)|pan(?:s|ning)?|turn(?:s|ing)?|swing(?:s|ing)?|"
    r"sweep(?:s|ing)?|slid(?:es?|ing)|drift(?:s|ing)?|track(?:s|ing)?|glid(?:es?|ing)|"
    r"travel(?:s|l?ing)?|float(?:s|ing)?|fl(?:y|ies|ying)|lift(?:s|ing)?|tilt(?:s|ing)?|"
    r"ris(?:es?|ing)|climb(?:s|ing)?|back(?:s|ing)?|circl(?:es?|ing)|orbit(?:s|ing)?|"
    r"spin(?:s|ning)?|rotat(?:es?|ing)|zoom(?:s|ing)?)"
)
_WHERE = {
    "zooms in": r"(?:in(?:ward)?s?|closer|nearer|forwards?)\b(?: (?:and|&) closer)?",
    "zooms out": r"(?:out|back(?:ward)?s?|away|off)\b",
    "pans left": r"(?:(?:off )?to(?:wards?)? the left|left(?:ward)?s?)\b",
    "pans right": r"(?:(?:off )?to(?:wards?)? the right|right(?:ward)?s?)\b",
    "rises": r"(?:up(?:ward)?s?|higher|above)\b",
    "orbits around": r"(?:all )?(?:around|round)\b",
}
_SHAKES = r"(?:shaky|wobbly|jittery|unsteady|trembling|shaking|hand ?-? ?held)"
_ALONE = {
    "zooms in": (
        r"\b(?:push|clos)(?:ing|e|es)? in\b|\bslow(?:ly)? zoom(?:ing)?(?: in)?(?= (?:on|to)\b)"
    ),
    "zooms out": r"\b(?:pull|back)(?:s|ing)? (?:back|out)\b|\bdolly(?:ing)? out\b",
    "pans left": rf"\bpan(?:s|ning)?{_HOW} {_WHERE['pans left']}",
    "pans right": rf"\bpan(?:s|ning)?{_HOW} {_WHERE['pans right']}",
    "rises": (
        rf"{_WHO}{_HOW} (?:lifts|lifting|climbs|climbing|ascends|ascending|rising)\b|"
        r"\bbird ?'? ?s?[ -]+eye(?: rising)?(?: (?:shot|view))?|\b(?:rising|crane|drone) shot\b"
    ),
    "orbits around": (
        r"\b(?:circling|orbit(?:ing)?) (?:shot|camera|view)(?: around)?|"
        rf"{_WHO}{_HOW} (?:circles|circling|orbiting)\b"
    ),
    "shakes": (
        rf"\b{_SHAKES} (?:camera|cam|footage|shot|video|filming)\b|\b(?:earthquake|shaky) ?cam\b|"
        rf"{_WHO}{_HOW} (?:wobbl|trembl|jitter|shak)(?:es|e|s|ing)\b|\bhandycam\b|\bcamcorder\b"
    ),
}  # fmt: skip
_TOLD = r"\bthe (?:camera|view) (?:slowly )?(?:pans|zooms|orbits|rises|shakes)\b"
"""What captions say already."""
_PATTERNS = [
    ("", _TOLD),
    *((move, f"{_WHO}{_HOW}{_GOES}{_HOW} {where}") for move, where in _WHERE.items()),
    *_ALONE.items(),
]
_ANY = re.compile("|".join(f"({pattern})" for _, pattern in _PATTERNS), re.IGNORECASE)


def as_captions_tell(text: str) -> str:
    """``text`` with every camera move in words of captions: "the camera zooms in"."""

    def told(match: re.Match[str]) -> str:
        move = _PATTERNS[(match.lastindex or 1) - 1][0]
        return f"the camera {move}" if move else match[0]

    return _ANY.sub(told, text)
