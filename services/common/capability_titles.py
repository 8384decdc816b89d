"""The names of the capability table's rows, for people."""

from __future__ import annotations

CAPABILITY_TITLES = {
    "C1": "reference: image",
    "C2": "reference: element library",
    "C3": "reference: image and element",
    "C4": "video editing: addition",
    "C5": "video editing: removal",
    "C6": "video editing: replacement",
    "C7": "video editing: stylisation",
    "C8": "video editing: attribute",
    "C9": "video editing: special effects",
    "C10": "video editing: matting",
    "C11": "video editing: several images",
    "C12": "video editing: subject-driven",
    "C13": "video reference: next shot",
    "C14": "video reference: previous shot",
    "C15": "video reference: new camera angle",
    "C16": "video reference: motion transfer",
    "C17": "video reference: camera-motion transfer",
    "C18": "frames: first frame to video",
    "C19": "frames: first and last frame",
    "C20": "text to video",
    "C21": "several capabilities in one pass",
    "C22": "visual prompts drawn on an image",
    "C23": "reasoning",
    "C24": "storyboard to film",
    "C25": "sketch and flexible reference",
}
