"""``omnireel generate`` and ``omnireel videos`` against a server on a real port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc import code_pb2, error_details_pb2
from typer.testing import CliRunner, Result

from omnireel.api.v1 import mvl_pb2, progress_pb2, video_pb2
from omnireel.cli.main import app
from omnireel.client import OmnireelClient
from omnireel.client.progress_bar import detail
from tests.support.gateway import RESULT, FakeGateway, status
from tests.support.interrupts import HEED_INTERRUPTS

RUNNER = CliRunner()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as running:
        yield running


def run(gateway: FakeGateway, *arguments: str) -> Result:
    return RUNNER.invoke(app, [*arguments, "--address", gateway.address])


def test_everything_reaches_the_request(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.script.warnings = ("the sound was dropped",)
    for name in ("first.png", "a.png", "b.png", "clip.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    made = tmp_path / "out.mp4"
    result = run(
        gateway,
        *("generate", "@Girl from @Start moves like @Clip", "--out", str(made)),
        *("--image", f"Start={tmp_path / 'first.png'}", "--role", "Start=first_frame"),
        *("--video", f"Clip={tmp_path / 'clip.mp4'}", "--role", "Clip=motion"),
        *("--element", f"Girl={tmp_path / 'a.png'},{tmp_path / 'b.png'}"),
        *("--describe", "Girl=a girl in red", "--frames", "9", "--steps", "4", "--seed", "11"),
        *("--guidance", "text=5", "--no-enhance", "--upscale", "--priority", "3"),
    )
    assert result.exit_code == 0, result.output
    assert made.read_bytes() == RESULT
    assert "the sound was dropped" in result.stdout
    assert "seed      11" in result.stdout
    assert result.stderr.splitlines() == ["waiting 2 jobs ahead", "generating step 1/4"]

    (request,) = gateway.seen.creates
    roles = {i.name: i.role for i in request.prompt.inputs}
    assert roles == {"Start": mvl_pb2.ROLE_FIRST_FRAME, "Clip": mvl_pb2.ROLE_MOTION}
    uploads = gateway.seen.uploads
    assert [uploads[u] for u in request.prompt.elements[0].uris] == [b"a.png", b"b.png"]
    chosen = request.settings
    assert (chosen.format.width, chosen.format.num_frames, chosen.format.fps) == (64, 9, 8.0)
    assert (chosen.num_inference_steps, chosen.seed, chosen.guidance.text) == (4, 11, 5.0)
    assert request.HasField("enhance") and not request.enhance
    assert request.upscale
    assert request.priority == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a @Cat", "--image", "Cat"], "--image: 'Cat' is not NAME=VALUE"),
        (["a @Cat", "--image", "Cat=no.png"], "Cat: cannot read no.png"),
        (["a @Dog"], "prompt: @Dog is not declared"),
        (
            ["a @Cat", "--image", "Cat=no.png", "--role", "Cat=hero"],
            "roles.Cat: 'hero' is not a role",
        ),
        (["ball", "--size", "64"], "--size: '64' is not a size"),
        (["ball", "--frames", "9", "--aspect", "16:9"], "--aspect: use --size"),
        (["ball", "--guidance", "text=much"], "--guidance: 'much' is not a number"),
        (["ball", "--seed", "-1"], "seed: -1 is out of range"),
        (["ball", "--timeout", "nan"], "timeout_s: nan is out of range"),
        (["ball", "--priority", "99999999999"], "priority: 99999999999 is out of range"),
        (["ball", "--steps", "99999999999"], "num_inference_steps: 99999999999 is out of"),
        (["ball", "--frames", "99999999999"], "format.num_frames: 99999999999 is out of range"),
        (["ball", "--out", "ball.gif"], "--out: ball.gif does not end in .mp4"),
        (["ball", "--out", "no/ball.mp4"], "out: there is no folder no"),
    ],
)
def test_mistakes_are_one_line_with_field_and_remedy(
    gateway: FakeGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(gateway, "generate", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"error: {words}"), result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
    assert not gateway.seen.creates


def test_the_server_s_violations_are_shown(gateway: FakeGateway, tmp_path: Path) -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="settings.format.width", description="63; use 64")
    gateway.script.create_error = status(code_pb2.INVALID_ARGUMENT, "unsupported", bad)
    out = tmp_path / "a.mp4"
    result = run(gateway, "generate", "a ball", "--size", "63x64", "--out", str(out))
    assert result.exit_code == 2
    assert result.stderr == "error: settings.format.width: 63; use 64\n"
    assert not out.exists()


def test_a_failed_job_says_why(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.script.final_state = video_pb2.VIDEO_STATE_FAILED
    gateway.script.error = status(code_pb2.DATA_LOSS, "the weights were tampered with")
    result = run(gateway, "generate", "a ball", "--out", str(tmp_path / "a.mp4"))
    assert result.exit_code == 1
    assert result.stderr.endswith("error: the weights were tampered with\n")
    assert not list(tmp_path.iterdir())


def test_no_gateway_names_the_command_that_starts_one() -> None:
    with FakeGateway() as gone:
        address = gone.address
    result = RUNNER.invoke(app, ["generate", "a ball", "--address", address])
    assert result.exit_code == 1
    assert f"no gateway answers at {address}" in result.stderr
    assert "`omnireel up`" in result.stderr
    assert result.stderr.count("error:") == 1


def test_ctrl_c_cancels_the_job(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.script.hang_after = 2
    command = [
        sys.executable,
        "-c",
        f"{HEED_INTERRUPTS}; from omnireel.cli.main import main; main()",
    ]
    command += ["generate", "a ball"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "a.mp4"), "--address", gateway.address],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("generating"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert rest == "the job is cancelled\ninterrupted\n"
    assert gateway.cancelled.is_set()
    assert not list(tmp_path.iterdir())


def test_ctrl_c_elsewhere_cancels_nothing(
    gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "a.mp4"
    with monkeypatch.context() as patched:
        patched.setattr(OmnireelClient, "upload", interrupt)
        result = run(gateway, "generate", "a @Cat", "--image", "Cat=a.png", "--out", str(out))
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    monkeypatch.setattr(OmnireelClient, "download", interrupt)
    result = run(gateway, "generate", "a ball", "--out", str(out))
    assert result.exit_code == 130
    assert result.stderr.endswith("\nvideos/v1 is finished and can be downloaded\ninterrupted\n")
    assert not gateway.cancelled.is_set()


def test_a_result_that_cannot_be_saved_is_named(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.script.corrupt_download = True
    result = run(gateway, "generate", "a ball", "--out", str(tmp_path / "a.mp4"))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "error: a.mp4 was damaged on the way; download it again; "
        "videos/v1 is finished and can be downloaded"
    )


def test_foreign_words_are_printed_as_they_are(gateway: FakeGateway, tmp_path: Path) -> None:
    prompt, made = "a [red] ball [/x] jumps :smile:", tmp_path / "t[final].mp4"
    done = run(gateway, "generate", prompt, "--out", str(made))
    assert f"prompt    {prompt}" in done.stdout
    assert done.stdout.endswith(f"wrote {made}\n")
    listed = run(gateway, "videos", "list")
    assert listed.exit_code == 0 and prompt in listed.stdout
    saved = run(gateway, "videos", "download", "v1", "--out", str(made))
    assert saved.stdout == f"wrote {made}\n"
    assert run(gateway, "videos", "delete", "v1").stdout == "v1 is deleted\n"


def test_json_output(gateway: FakeGateway, tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    result = run(gateway, "generate", "a ball", "--out", str(out), "--json")
    video = json.loads(result.stdout)
    assert video["state"] == "VIDEO_STATE_SUCCEEDED"
    assert out.exists()


def test_videos(gateway: FakeGateway, tmp_path: Path) -> None:
    assert "no videos" in run(gateway, "videos", "list").stdout
    gateway.add_video("one", video_pb2.VIDEO_STATE_SUCCEEDED)
    two = gateway.add_video("two", video_pb2.VIDEO_STATE_RUNNING)
    two.prompt.parts.add(text="a ball like ")
    two.prompt.parts.add(mention="Image_1")
    listed = run(gateway, "videos", "list").stdout
    assert "videos/one" in listed and "a ball like @Image_1" in listed
    only = run(gateway, "videos", "list", "--state", "running").stdout
    assert "videos/two" in only and "videos/one" not in only
    assert len(run(gateway, "videos", "list", "--limit", "1").stdout.splitlines()) == 2
    wrong = run(gateway, "videos", "list", "--state", "lost")
    assert wrong.exit_code == 2 and "use one of: queued, running" in wrong.stderr

    assert "running" in run(gateway, "videos", "get", "two").stdout
    assert json.loads(run(gateway, "videos", "get", "one", "--json").stdout)["name"] == "videos/one"
    assert "cancelled" in run(gateway, "videos", "cancel", "two").stdout

    out = tmp_path / "one.mp4"
    assert run(gateway, "videos", "download", "one", "--out", str(out)).exit_code == 0
    assert out.read_bytes() == RESULT
    poster = run(gateway, "videos", "download", "one", "--out", str(out), "--which", "poster")
    assert poster.exit_code == 1 and "no output 'poster'" in poster.stderr
    unfinished = run(gateway, "videos", "download", "two", "--out", str(out))
    assert unfinished.exit_code == 1 and "cancelled" in unfinished.stderr

    assert run(gateway, "videos", "delete", "one").exit_code == 0
    assert run(gateway, "videos", "get", "one").stderr == "error: there is no videos/one\n"


def test_progress_words() -> None:
    progress = progress_pb2.Progress(stage=progress_pb2.STAGE_GENERATING, step=3, num_steps=20)
    progress.eta.FromMilliseconds(12400)
    assert detail(progress) == "step 3/20, 12 s to go"
    waiting = progress_pb2.Progress(stage=progress_pb2.STAGE_QUEUED, queue_position=1)
    assert detail(waiting) == "1 job ahead"
