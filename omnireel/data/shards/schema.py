"""The columns of a shard, and the way between a row and a sample.

=============  ===================================================================================
key            name of the sample within its set
target         {kind, data}: the clip or image to learn, as an encoded file
text           the prompt in the text form of MVL
vague_text     a careless wording of it, or empty
captions       [{level, text}]: other levels of detail
inputs         [{name, role, in_element, description, kind, data}]: conditions in order; of an
               element there is one for each of its images, all of one name
capability     row of the capability table
source_sha256  hash of the file that the target was made of
lineage        JSON: what was done to the source, and every verdict on it
sha256         hash of all of the above, checked whenever the row is read
=============  ===================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from omnireel.data.sample import Media, SampleInput, TrainingSample
from omnireel.errors import IntegrityError
from omnireel.types import MediaKind, Role

SCHEMA_VERSION = 1
"""Raise it when a column changes its meaning; new columns with an empty value need no new one."""


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_MEDIA = [_required("kind", pa.string()), _required("data", pa.binary())]
_INPUT = [
    _required("name", pa.string()),
    _required("role", pa.string()),
    _required("in_element", pa.bool_()),
    _required("description", pa.string()),
    *_MEDIA,
]
SCHEMA = pa.schema(
    [
        _required("key", pa.string()),
        _required("target", pa.struct(_MEDIA)),
        _required("text", pa.string()),
        _required("vague_text", pa.string()),
        _required(
            "captions",
            pa.list_(pa.struct([_required("level", pa.string()), _required("text", pa.string())])),
        ),
        _required("inputs", pa.list_(pa.struct(_INPUT))),
        _required("capability", pa.string()),
        _required("source_sha256", pa.string()),
        _required("lineage", pa.string()),
        _required("sha256", pa.string()),
    ]
)


def table_of(samples: Sequence[TrainingSample]) -> pa.Table:
    """Samples as a table of :data:`SCHEMA`."""
    return pa.Table.from_pylist([_row(sample) for sample in samples], schema=SCHEMA)


def _row(sample: TrainingSample) -> dict[str, Any]:
    return {
        "key": sample.key,
        "target": _media_row(sample.target),
        "text": sample.text,
        "vague_text": sample.vague_text,
        "captions": [{"level": n, "text": t} for n, t in sorted(sample.captions.items())],
        "inputs": [
            {
                "name": given.name,
                "role": given.role.value,
                "in_element": given.in_element,
                "description": given.description,
                **_media_row(given.media),
            }
            for given in sample.inputs
        ],
        "capability": sample.capability,
        "source_sha256": sample.source_sha256,
        "lineage": json.dumps(sample.lineage, sort_keys=True, allow_nan=False),
        "sha256": sample.digest(),
    }


def sample_of(row: Mapping[str, Any]) -> TrainingSample:
    """The sample in a row.

    Raises:
        IntegrityError: the row is not what was written.

    """
    try:
        sample = TrainingSample(
            key=row["key"],
            target=_media_of(row["target"]),
            text=row["text"],
            vague_text=row["vague_text"],
            captions={c["level"]: c["text"] for c in row["captions"]},
            inputs=tuple(
                SampleInput(i["name"], Role(i["role"]), _media_of(i), i["description"])
                for i in row["inputs"]
            ),
            capability=row["capability"],
            source_sha256=row["source_sha256"],
            lineage=json.loads(row["lineage"]),
        )
        digest = sample.digest()
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the row is damaged ({error!r})") from error
    if digest != row["sha256"]:
        raise IntegrityError(f"the sample {sample.key!r} does not match its SHA-256")
    return sample


def _media_row(media: Media) -> dict[str, Any]:
    return {"kind": media.kind.value, "data": media.data}


def _media_of(row: Mapping[str, Any]) -> Media:
    return Media(row["data"], MediaKind(row["kind"]))
