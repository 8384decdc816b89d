"""The committed stubs are what `make protos` writes, and the contract keeps its promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from omnireel.api.v1 import (
    capabilities_pb2,
    generation_pb2,
    generator_pb2,
    media_pb2,
    mvl_pb2,
    progress_pb2,
    prompt_enhancer_pb2,
    super_resolver_pb2,
    video_pb2,
)
from omnireel.types import MediaKind, Role

ROOT = Path(__file__).parents[3]
MODULES = [
    capabilities_pb2,
    generation_pb2,
    generator_pb2,
    media_pb2,
    mvl_pb2,
    progress_pb2,
    prompt_enhancer_pb2,
    super_resolver_pb2,
    video_pb2,
]


def test_stubs_are_fresh(tmp_path: Path) -> None:
    subprocess.run(
        ["bash", str(ROOT / "protos/generate.sh"), str(tmp_path)],
        env={**os.environ, "PYTHON": sys.executable},
        check=True,
        capture_output=True,
    )
    made = {p.name: p.read_text() for p in (tmp_path / "omnireel/api/v1").iterdir()}
    there = {
        p.name: p.read_text()
        for p in (ROOT / "omnireel/api/v1").iterdir()
        if p.is_file() and p.name != "__init__.py"
    }
    stale = sorted(n for n in made.keys() | there.keys() if made.get(n) != there.get(n))
    assert not stale, "run `make protos` and commit the result"


def test_every_enum_begins_unspecified() -> None:
    for module in MODULES:
        for enum in module.DESCRIPTOR.enum_types_by_name.values():
            assert enum.values_by_number[0].name.endswith("_UNSPECIFIED"), enum.full_name


def test_roles_and_kinds_mirror_the_library() -> None:
    internal = {Role.TEXT, Role.ELEMENT, Role.LOW_RESOLUTION, Role.TARGET}
    wire = {name.removeprefix("ROLE_") for name in mvl_pb2.Role.keys()}  # noqa: SIM118
    assert wire == {role.name for role in Role if role not in internal} | {"UNSPECIFIED"}
    kinds = {name.removeprefix("MEDIA_KIND_") for name in mvl_pb2.MediaKind.keys()}  # noqa: SIM118
    assert kinds == {kind.name for kind in MediaKind} | {"UNSPECIFIED"}


def test_bytes_travel_only_as_chunks() -> None:
    carriers = {
        f"{message.name}.{field.name}"
        for module in MODULES
        for message in module.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
        if field.type == field.TYPE_BYTES
    }
    assert carriers == {"UploadMediaRequest.chunk", "DownloadMediaResponse.chunk"}


def test_every_service_is_commented() -> None:
    for proto in (ROOT / "protos/omnireel/api/v1").glob("*.proto"):
        lines = proto.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"  rpc (?!Get)", line):
                assert lines[number - 1].lstrip().startswith("//"), f"{proto.name}:{number + 1}"
