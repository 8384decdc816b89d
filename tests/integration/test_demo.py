"""``omnireel demo`` over the whole stack on real ports, with the deterministic test engines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omnireel.cli.demo import DemoConfig, run_demo
from omnireel.media import DecodeLimits, read_clip, read_image
from services.common.stack.state import read_state
from tests.support.interrupts import HEED_INTERRUPTS
from tests.support.stack_cli import COMMAND

SLUGS = ["1_text_to_video", "2_element", "3_edit", "4_first_frame"]
LIMITS = DecodeLimits()
STARTS_NOTHING = (sys.executable, "-c", "raise SystemExit('error: must not start')")


def test_it_starts_makes_four_videos_and_stops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some results"
    results = run_demo(DemoConfig(folder, seed=5, stack_command=COMMAND))

    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == str(folder)
    assert "serving on" in printed.err
    assert not (folder / ".stack").exists()  # stopped, and nothing is left of it
    assert sorted(path.name for path in folder.iterdir()) == [*SLUGS, "demo.png", "demo.webp"]
    for path in folder.rglob("*.*"):
        if path.is_file():
            assert str(path) in printed.out
    for result, slug in zip(results, SLUGS, strict=True):
        made = folder / slug
        names = {path.name for path in made.iterdir() if not path.name.startswith("input_")}
        assert names == {
            *("prompt.txt", "enhanced_prompt.txt", "base.mp4", "upscaled.mp4", "sheet.png"),
            "video.json",
        }
        prompt = (made / "prompt.txt").read_text().strip()
        assert (made / "enhanced_prompt.txt").read_text().strip() == f"{prompt}, finely detailed"
        base, upscaled = (read_clip(made / f"{n}.mp4", LIMITS) for n in ("base", "upscaled"))
        assert base.frames_THWC.shape == (17, 64, 64, 3)
        assert upscaled.frames_THWC.shape == (17, 128, 128, 3)
        video = json.loads((made / "video.json").read_text())
        assert int(video["settings"]["seed"]) == 5 + SLUGS.index(slug)
        assert result.upscaled.fps == 8.0

    given = read_clip(folder / "3_edit" / "input_Video_1.mp4", LIMITS).frames_THWC[8]
    red = (given[..., 0] > 150) & (given[..., 1] < 90)
    assert red.mean() > 0.03  # there is a red ball to make green
    sheets = [read_image(folder / slug / "sheet.png", LIMITS).frames_THWC for slug in SLUGS]
    assert sheets[1].shape[1] > sheets[0].shape[1]  # one row more: the inputs
    with Image.open(folder / "demo.webp") as animation:
        assert getattr(animation, "n_frames", 1) == 17
        assert animation.width >= 4 * 256


def test_it_can_leave_the_stack_running_for_the_next_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    home = folder / ".stack"
    try:
        first = run_demo(DemoConfig(folder, keep_running=True, stack_command=COMMAND))
        assert f"omnireel down --home {home}" in capsys.readouterr().err
        before = read_state(home)
        assert before is not None

        run_demo(DemoConfig(folder, stack_command=STARTS_NOTHING))
        other = DemoConfig(
            tmp_path / "b",
            address=before.gateway,
            api_key=f"file:{home / 'api_key'}",
            stack_command=STARTS_NOTHING,
        )
        for one, again in zip(first, run_demo(other), strict=True):
            assert np.array_equal(one.upscaled.frames_THWC, again.upscaled.frames_THWC)
        assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "b")

        after = read_state(home)
        assert after == before
        assert after is not None
        assert len(after.alive) == len(after.processes)
    finally:
        subprocess.run([*COMMAND, "down", "--home", home], check=True)


def test_an_interrupted_demo_stops_what_it_started(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    code = (
        f"{HEED_INTERRUPTS}; "
        "from pathlib import Path; from omnireel.cli.demo import DemoConfig, run_demo; "
        "from tests.support.stack_cli import COMMAND; "
        f"run_demo(DemoConfig(Path({str(folder)!r}), stack_command=COMMAND))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stderr is not None
        said = []
        for line in demo.stderr:
            said.append(line)
            if "1/4" in line:
                break
        state = read_state(folder / ".stack")
        assert state is not None, "".join(said)
        demo.send_signal(signal.SIGINT)
        out, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert out == ""
    assert not state.alive
