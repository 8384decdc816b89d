"""The verdict on every file of the corpus, as the gateway and the model services reach it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from services.common.sandbox import MediaSandbox, SandboxConfig
from tests.support.hostile_media import CASES, LIMITS, Accepted, Case, Refused


@pytest.fixture(scope="module")
def sandbox() -> Iterator[MediaSandbox]:
    opened = MediaSandbox(LIMITS, SandboxConfig(processes=1, memory_bytes=512 << 20))
    yield opened
    opened.close()


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 70


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(sandbox: MediaSandbox, tmp_path: Path, case: Case) -> None:
    data = case.make()
    (path := tmp_path / "file").write_bytes(data)
    verdict = case.verdict
    if isinstance(verdict, Refused):
        with pytest.raises(InvalidInput, match=verdict.says) as caught:
            sandbox.describe(path, field="chunk")
        (violation,) = caught.value.violations
        assert violation.field == "chunk"
        assert violation.description.isprintable() and len(violation.description) < 300
        return
    facts = sandbox.describe(path, field="chunk")
    found = Accepted(facts.num_frames, (facts.width, facts.height), facts.is_image, facts.fps)
    assert found == Accepted(
        verdict.num_frames, verdict.size, verdict.is_image, pytest.approx(verdict.fps, rel=0.02)
    )
    read = sandbox.read_image if facts.is_image else sandbox.read_clip
    clip = read(data, field="chunk")
    assert (clip.format.num_frames, clip.format.width, clip.format.height) == (
        facts.num_frames,
        *verdict.size,
    )
    assert clip.fps == facts.fps or facts.is_image


def test_one_process_saw_them_all(sandbox: MediaSandbox) -> None:
    """None of the files above ended its process, and none made it grow without bound."""
    (child,) = sandbox._idle
    status = Path(f"/proc/{child._process.pid}/status").read_text()
    peak_mib = next(int(line.split()[1]) >> 10 for line in status.splitlines() if "VmHWM" in line)
    assert peak_mib < 400
