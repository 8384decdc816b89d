"""Processes that decode files of strangers: what they give, and what becomes of bad ones."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnireel.errors import InvalidInput, ResourceExhausted, Unavailable
from omnireel.media import DecodeLimits, read_clip, read_image, write_mp4, write_png
from omnireel.media.limits import MIB
from omnireel.types import Audio, Clip
from services.common.sandbox import (
    MediaFacts,
    MediaSandbox,
    SandboxConfig,
    answers,
    process,
    tasks,
    wire,
)

FRAMES = np.random.default_rng(0).integers(0, 255, (9, 32, 48, 3), np.uint8)
TONE = Audio(np.sin(np.arange(8000, dtype=np.float32) / 9)[None], 8000)
PNG, MP4 = write_png(FRAMES[0]), write_mp4(Clip(FRAMES, 8.0, TONE))
ONE = SandboxConfig(processes=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[MediaSandbox]:
    opened = MediaSandbox(config=ONE)
    yield opened
    opened.close()


@pytest.fixture
def started() -> Iterator[list[MediaSandbox]]:
    """Sandboxes that a test makes for itself."""
    opened: list[MediaSandbox] = []
    yield opened
    for each in opened:
        each.close()


def children_of(sandbox: MediaSandbox) -> list[int]:
    return [child._process.pid for child in sandbox._idle]


def hanging(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the processes that start from now on run ``code`` in place of a task."""
    real = process.subprocess.Popen
    script = (
        "import sys, time, os, signal; from services.common.sandbox import child, tasks\n"
        f"def task(request, descriptors):\n    {code}\n"
        "tasks.TASKS['describe'] = task\n"
        "child.main(['child', *sys.argv[1:]])"
    )

    def popen(command: list[str], **kwargs: Any) -> Any:
        return real([command[0], "-c", script, *command[3:]], **kwargs)

    monkeypatch.setattr(process.subprocess, "Popen", popen)


def test_it_gives_what_decoding_here_gives(sandbox: MediaSandbox, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(MP4)
    (tmp_path / "a.png").write_bytes(PNG)
    video = sandbox.describe(tmp_path / "a.mp4", field="chunk")
    assert video == MediaFacts(False, "video/mp4", 48, 32, 9, 8.0, True)
    image = sandbox.describe(tmp_path / "a.png", field="chunk")
    assert image == MediaFacts(True, "image/png", 48, 32, 1, 0.0, False)
    assert (sandbox.read_image(PNG, field="x").frames_THWC == FRAMES[:1]).all()
    here, there = read_clip(MP4), sandbox.read_clip(MP4, field="x")
    assert (there.frames_THWC == here.frames_THWC).all()
    assert (there.fps, there.audio and there.audio.rate) == (8.0, 8000)
    assert here.audio is not None and there.audio is not None
    assert (there.audio.samples_CN == here.audio.samples_CN).all()
    small = sandbox.read_clip(MP4, field="x", shrink_short_side=16)
    assert small.frames_THWC.shape == (9, 16, 24, 3)
    assert read_image(PNG).format == sandbox.read_image(PNG, field="x").format


def test_a_refusal_names_the_field(sandbox: MediaSandbox) -> None:
    for data in (b"hello", PNG[:50], MP4):
        with pytest.raises(InvalidInput, match="inputs") as caught:
            sandbox.read_image(data, field="inputs[3].uri")
        assert caught.value.violations[0].field == "inputs[3].uri"


def test_one_process_serves_many_files(started: list[MediaSandbox], tmp_path: Path) -> None:
    started.append(sandbox := MediaSandbox(config=replace(ONE, max_files=3)))
    for data in (PNG, b"bad", PNG):
        if data == b"bad":
            with pytest.raises(InvalidInput):
                sandbox.read_image(data, field="x")
        else:
            sandbox.read_image(data, field="x")
    (first,) = children_of(sandbox)
    sandbox.read_image(PNG, field="x")  # that one has done its three files
    assert children_of(sandbox) != [first]


def test_a_process_that_was_not_asked_for_long_ends_and_is_replaced(
    started: list[MediaSandbox],
) -> None:
    started.append(sandbox := MediaSandbox(config=replace(ONE, idle_s=0.05)))
    sandbox.read_image(PNG, field="x")
    (child,) = sandbox._idle
    child._process.wait(10)
    assert sandbox.read_image(PNG, field="x").format.width == 48


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the decoder broke"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the decoder broke"),
        ("os._exit(0)", "the decoder broke"),
        ("time.sleep(60)", "longer than 1 s"),
        ("while True: pass", "1 s of computing"),
        ("bytearray(1 << 40)", "too much memory"),
        ("raise RuntimeError('secret')", "cannot be decoded"),
        ("return {'is_image': 'yes'}", "cannot be decoded"),
        ("return {}", "cannot be decoded"),
    ],
)
def test_whatever_a_file_does_it_is_refused_and_the_next_one_is_served(
    monkeypatch: pytest.MonkeyPatch,
    started: list[MediaSandbox],
    tmp_path: Path,
    code: str,
    says: str,
) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    wall = 1.0 if "sleep" in code else 60.0
    started.append(sandbox := MediaSandbox(config=replace(ONE, wall_s=wall, cpu_s=1.0)))
    with monkeypatch.context() as patched:
        hanging(patched, code)
        with pytest.raises(InvalidInput, match=says) as caught:
            sandbox.describe(path, field="chunk")
    assert caught.value.violations[0].field == "chunk"
    assert "secret" not in str(caught.value)
    for child in sandbox._idle:
        child.end()
    sandbox._idle.clear()
    assert sandbox.describe(path, field="chunk").width == 48


def test_memory_is_bounded_in_the_real_decoder(started: list[MediaSandbox], tmp_path: Path) -> None:
    big = write_mp4(Clip(np.zeros((8, 1080, 1920, 3), np.uint8)))
    (path := tmp_path / "big.mp4").write_bytes(big)
    small = SandboxConfig(processes=1, memory_bytes=24 * MIB)
    started.append(sandbox := MediaSandbox(config=small))
    with pytest.raises(InvalidInput, match=r"memory|cannot be decoded"):
        sandbox.read_clip(big, field="x")
    with pytest.raises(InvalidInput, match=r"memory|cannot be decoded"):
        sandbox.describe(path, field="x")
    assert sandbox.read_image(PNG, field="x").format.width == 48


def test_the_process_has_no_secret_and_no_file_of_its_parent(
    monkeypatch: pytest.MonkeyPatch, started: list[MediaSandbox], tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    started.append(sandbox := MediaSandbox(config=ONE))
    with (tmp_path / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        sandbox.read_image(PNG, field="x")
        (pid,) = children_of(sandbox)
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"hidden" not in environment
        targets = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    assert str(tmp_path / "held") not in targets
    assert sum(target.startswith("socket:") for target in targets) == 1
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "Max core file size        0 " in limits


def test_too_many_at_once_are_told_to_wait(
    monkeypatch: pytest.MonkeyPatch, started: list[MediaSandbox], tmp_path: Path
) -> None:
    (path := tmp_path / "a.png").write_bytes(PNG)
    go = tmp_path / "go"
    hanging(
        monkeypatch,
        f"[time.sleep(0.01) for _ in iter(lambda: os.path.exists({str(go)!r}), True)]; os._exit(1)",
    )
    started.append(sandbox := MediaSandbox(config=replace(ONE, wait_s=0.05)))

    def first() -> None:
        with pytest.raises(InvalidInput):
            sandbox.describe(path, field="a")

    thread = threading.Thread(target=first)
    thread.start()
    while sandbox._slots._value:
        time.sleep(0.01)
    with pytest.raises(ResourceExhausted) as caught:
        sandbox.describe(path, field="b")
    assert caught.value.retry_after_s
    go.touch()
    thread.join()


def test_a_process_that_cannot_start(
    monkeypatch: pytest.MonkeyPatch, started: list[MediaSandbox]
) -> None:
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    started.append(sandbox := MediaSandbox(config=ONE))
    with pytest.raises(Unavailable, match="try again"):
        sandbox.read_image(PNG, field="x")


def test_closing_ends_the_processes(started: list[MediaSandbox]) -> None:
    started.append(sandbox := MediaSandbox(config=ONE))
    sandbox.read_image(PNG, field="x")
    (child,) = sandbox._idle
    sandbox.close()
    assert child._process.returncode == 0


def test_a_parent_that_is_killed_leaves_no_process() -> None:
    child = process.DecodingProcess(ONE, 1000)
    child._sock.close()  # as the kernel does for a parent that is gone
    assert child._process.wait(10) == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"shape_THWC": [1, 32, 48, 3], "fps": 8.0},
        {"shape_THWC": [-1, 32, 48, 3], "fps": 8.0},
        {"shape_THWC": [1 << 20, 1 << 20, 48, 3], "fps": 8.0},
        {"shape_THWC": "x", "fps": 8.0},
        {"fps": 8.0},
        {"shape_THWC": [0], "fps": "x"},
        {"shape_THWC": [0], "fps": 8.0, "rate": 1, "shape_CN": [2, 1 << 40]},
    ],
)
def test_a_lying_process_gives_no_clip(answer: dict[str, Any], tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as output, pytest.raises(InvalidInput):
        answers.clip_of(answer, output.fileno(), DecodeLimits(), "x")


def test_messages_that_are_none() -> None:
    for data in (b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\1{", b"\0\0", b""):
        ours, theirs = wire.socket.socketpair()
        with ours, theirs:
            theirs.sendall(data)
            theirs.shutdown(wire.socket.SHUT_WR)
            with pytest.raises(wire.Closed):
                wire.receive(ours, time.monotonic() + 5)


def test_unknown_tasks_are_a_bug_of_ours() -> None:
    request = {"task": "x", "field": "f", "limits": asdict(DecodeLimits())}
    with pytest.raises(KeyError):
        tasks.run_task(request, [])
