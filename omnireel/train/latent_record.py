"""One training sample of the generator or upscaler on disk: prompts as JSON, latents as float16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from omnireel.model.sequence import Segment
from omnireel.mvl.prompt import Element, Input, MentionPart, Part, Prompt, TextPart
from omnireel.types import MediaKind, Role

Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class LatentRecord:
    """A sample after encoding: the latents of its target and conditions, and its two prompts."""

    capability: str
    seed: int
    prompt: Prompt
    vague_prompt: Prompt
    target_CTHW: Tensor
    segments: tuple[Segment, ...]


def pack_records(records: Sequence[LatentRecord]) -> tuple[Halves, list[dict[str, Any]]]:
    """Records to one flat float16 array and a JSON index with offsets into it."""
    pieces: list[Halves] = []
    index = []
    offset = 0

    def put(latents: Tensor) -> dict[str, Any]:
        nonlocal offset
        values = latents.half().numpy()
        pieces.append(values.reshape(-1))
        where = {"offset": offset, "shape": list(values.shape)}
        offset += values.size
        return where

    for record in records:
        row: dict[str, Any] = {
            "capability": record.capability,
            "seed": record.seed,
            "prompt": prompt_json(record.prompt),
            "vague": _parts_json(record.vague_prompt),
            "target": put(record.target_CTHW),
            "segments": [],
        }
        for segment in record.segments:
            row["segments"].append(
                {
                    "role": segment.role.value,
                    "source_id": segment.source_id,
                    "start": segment.start,
                    "step": segment.step,
                    **put(segment.latents_CTHW),
                }
            )
        index.append(row)
    return np.concatenate(pieces), index


def read_record(flat: Halves, row: Mapping[str, Any]) -> LatentRecord:
    """The record that ``row`` of the index describes; latents become float32 copies."""
    prompt, vague_prompt = record_prompts(row)
    return LatentRecord(
        capability=row["capability"],
        seed=row["seed"],
        prompt=prompt,
        vague_prompt=vague_prompt,
        target_CTHW=_latents(flat, row["target"]),
        segments=tuple(
            Segment(
                latents_CTHW=_latents(flat, s),
                role=Role(s["role"]),
                source_id=s["source_id"],
                start=s["start"],
                step=s["step"],
            )
            for s in row["segments"]
        ),
    )


def record_prompts(row: Mapping[str, Any]) -> tuple[Prompt, Prompt]:
    """The prompt and the vague prompt that ``row`` of the index holds."""
    prompt = prompt_from_json(row["prompt"])
    return prompt, Prompt(_parts_from(row["vague"]), prompt.inputs, prompt.elements)


def _latents(flat: Halves, where: Mapping[str, Any]) -> Tensor:
    shape = where["shape"]
    start = where["offset"]
    values = flat[start : start + int(np.prod(shape))]
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    """A prompt as JSON data, without the places of its media."""
    return {
        "parts": _parts_json(prompt),
        "inputs": [[i.name, i.kind.value, i.role.value] for i in prompt.inputs],
        "elements": [[e.name, e.description] for e in prompt.elements],
    }


def _parts_json(prompt: Prompt) -> list[list[str]]:
    """``["text", words]`` or ``["mention", name]`` for each part."""
    return [
        ["text", p.text] if isinstance(p, TextPart) else ["mention", p.name] for p in prompt.parts
    ]


def prompt_from_json(data: Mapping[str, Any]) -> Prompt:
    """The inverse of :func:`prompt_json`."""
    return Prompt(
        parts=_parts_from(data["parts"]),
        inputs=tuple(Input(n, MediaKind(k), Role(r)) for n, k, r in data["inputs"]),
        elements=tuple(Element(n, description=d) for n, d in data["elements"]),
    )


def _parts_from(data: Sequence[Sequence[str]]) -> tuple[Part, ...]:
    return tuple(TextPart(v) if kind == "text" else MentionPart(v) for kind, v in data)
