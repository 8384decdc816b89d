"""What the demo does before, between and after the services' own work."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from omnireel.api.v1 import progress_pb2
from omnireel.cli import demo as demo_module
from omnireel.cli.demo import DemoConfig, run_demo
from omnireel.cli.demo_pictures import DemoResult, animation, overview, result_sheet
from omnireel.cli.demo_requests import DemoRequest, demo_requests
from omnireel.cli.demo_stack import DemoStack, StackPlan
from omnireel.cli.main import app
from omnireel.client import draft
from omnireel.client.progress_bar import detail
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.mvl import validate
from omnireel.types import Clip, Role, VideoFormat
from tests.support.gateway import FakeGateway

RUNNER = CliRunner()
FMT = VideoFormat(32, 32, 5, 8.0)


def script(*lines: str) -> tuple[str, ...]:
    """A command that runs ``lines`` with the verb and its options in ``sys.argv``."""
    return (sys.executable, "-c", "; ".join(["import sys", *lines]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "file"], "cannot use file as a folder"),
        (["--out", "file/inside"], "cannot use file/inside as a folder"),
        (["--seed", "-1"], "--seed: -1 is out of range"),
        (["--keep-running", "--address", "127.0.0.1:1"], "--keep-running: keeps what"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    result = RUNNER.invoke(app, ["demo", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_gateway_is_one_line(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["demo", "--out", str(tmp_path), "--address", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "omnireel up" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_gateway_without_all_stages_is_refused(tmp_path: Path) -> None:
    with (
        FakeGateway() as gateway,
        pytest.raises(FailedPrecondition, match="a prompt enhancer"),
    ):
        run_demo(DemoConfig(tmp_path, address=gateway.address))
    assert list(tmp_path.iterdir()) == []


def test_services_that_do_not_start_say_why(tmp_path: Path) -> None:
    command = script(
        "print('generator serving on port 1')",
        "print('error: there are no weights of size tiny;', file=sys.stderr)",
        "print('train some', file=sys.stderr)",
        "sys.exit(2)",
    )
    said: list[str] = []
    with (
        pytest.raises(FailedPrecondition, match="did not start: there are no weights of size tiny"),
        DemoStack(StackPlan(tmp_path / "home", said.append, command=command)),
    ):
        pass
    assert said == ["generator serving on port 1"]


def test_a_started_stack_is_stopped_even_when_the_work_fails(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = script(
        "from pathlib import Path",
        f"home = Path({str(home)!r})",
        "home.mkdir(exist_ok=True)",
        "state = home / 'stack.json'",
        "up = sys.argv[1] == 'up'",
        'state.write_text(\'{"gateway": "127.0.0.1:1"}\') if up else state.unlink()',
    )
    plan = StackPlan(home, lambda line: None, command=command)
    with pytest.raises(RuntimeError), DemoStack(plan) as stack:
        assert stack.address == "127.0.0.1:1"
        raise RuntimeError
    assert home.exists()  # its logs tell what happened
    assert not (home / "stack.json").exists()

    with DemoStack(plan):
        assert (home / "stack.json").exists()
    assert not home.exists()


def test_an_interrupted_start_is_cleaned_up(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = script(
        "from pathlib import Path",
        "import time",
        f"home = Path({str(home)!r})",
        "home.mkdir(exist_ok=True)",
        "state = home / 'stack.json'",
        "up = sys.argv[1] == 'up'",
        "state.write_text('{}') if up else state.unlink()",
        "print('started', flush=True)",
        "time.sleep(600 * up)",
    )

    def interrupt(line: str) -> None:
        if line == "started":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), DemoStack(StackPlan(home, interrupt, command=command)):
        pass
    assert not (home / "stack.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_is_an_interrupt(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), demo_module._interrupts():
        os.kill(os.getpid(), number)
        signal.sigtimedwait([], 5)  # the handler runs before this returns
    assert signal.getsignal(number) == before


def test_the_requests_are_right() -> None:
    requests = demo_requests(FMT)
    assert [list(r.media) for r in requests] == [[], ["Hero"], ["Video_1"], ["Image_1"]]
    assert requests[2].roles == {"Video_1": Role.SOURCE}
    assert requests[3].roles == {"Image_1": Role.FIRST_FRAME}
    for request, again in zip(requests, demo_requests(FMT), strict=True):
        for name, clips in request.media.items():
            for clip, other in zip(clips, again.media[name], strict=True):
                assert np.array_equal(clip.frames_THWC, other.frames_THWC)


def test_inputs_are_saved_in_the_client_s_shape(tmp_path: Path) -> None:
    for request in demo_requests(FMT):
        folder = tmp_path / request.slug
        folder.mkdir()
        saved = request.save_inputs(folder)
        assert sorted(saved.paths) == sorted(folder.iterdir())
        planned = draft(
            request.prompt,
            images=saved.images,
            videos=saved.videos,
            elements=saved.elements,
            roles=request.roles,
        )
        validate(planned.prompt)
    names = {path.name for path in tmp_path.rglob("input_*")}
    assert names == {
        *(f"input_Hero_{n}.png" for n in (1, 2, 3)),
        "input_Video_1.mp4",
        "input_Image_1.png",
    }


def result(request: DemoRequest, level: int, num_frames: int = 5) -> DemoResult:
    base = Clip(np.full((num_frames, 32, 32, 3), level, np.uint8))
    upscaled = Clip(np.full((num_frames, 64, 64, 3), level, np.uint8))
    return DemoResult(request, "a fine prompt", base, upscaled, 1.0)


def test_a_sheet_shows_inputs_base_and_result() -> None:
    requests = demo_requests(FMT)
    sheets = [result_sheet(result(request, 77)) for request in requests]
    heights = [sheet.shape[1] for sheet in sheets]
    assert heights[0] < heights[1] == heights[2] == heights[3]
    middle = sheets[0][0, :, 24 + 192 // 2]
    assert (middle == 77).all(axis=-1).sum() == 2 * 192  # base and super-resolved
    overviews = overview([result(request, 77) for request in requests])
    assert (overviews == 77).all(axis=-1).sum() > 4 * 5 * 140 * 140


def test_the_animation_holds_the_end_of_shorter_clips() -> None:
    requests = demo_requests(FMT)[:2]
    clip = animation([result(requests[0], 10, 9), result(requests[1], 90)])
    assert len(clip.frames_THWC) == 9
    _, height, width, _ = clip.frames_THWC.shape
    for at, level in ((width // 4, 10), (3 * width // 4, 90)):
        assert (clip.frames_THWC[:, height - 100, at] == level).all()


def test_the_bar_estimates_what_is_left() -> None:
    progress = progress_pb2.Progress(step=3, num_steps=20)
    assert detail(progress) == "step 3/20"
    assert detail(progress, 12.4) == "step 3/20, 12 s to go"
    progress.eta.FromSeconds(5)
    assert detail(progress, 12.4) == "step 3/20, 5 s to go"


def test_the_seed_has_a_range() -> None:
    with pytest.raises(InvalidInput, match="out of range"):
        DemoConfig(Path("x"), seed=2**62)
