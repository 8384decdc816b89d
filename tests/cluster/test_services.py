"""The services in a real cluster: what a client outside sees, and what pods may do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnireel.api.v1 import generation_pb2, video_pb2
from omnireel.client import OmnireelClient
from omnireel.media import read_clip
from tests.support.cluster_release import NAME, Release
from tests.support.kube import KubectlRefused

FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)")
PARTS = ("gateway", "worker", "prompt-enhancer", "generator", "super-resolver")


def test_every_pod_is_ready_and_restricted(release: Release) -> None:
    pods = release.kube.get("pods")
    running = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert running >= {*PARTS, "dev-postgresql", "dev-redis", "dev-s3"}
    namespace = release.kube.get("namespace", release.kube.namespace)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods:
        if pod["status"]["phase"] != "Succeeded":
            conditions = {c["type"]: c["status"] for c in pod["status"]["conditions"]}
            assert conditions["Ready"] == "True", pod["metadata"]["name"]


def test_a_client_outside_makes_a_video(release: Release) -> None:
    api = release.api()
    job = api.create("a red ball")
    release.known.add(job)
    seen = list(api.watch(job))
    video = seen[-1].video
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert {video_pb2.VIDEO_STATE_RUNNING, video.state} <= {update.state for update in seen}
    clip = read_clip(api.download(video.outputs.video.uri))
    assert clip.frames_THWC.shape == (9, 128, 128, 3)
    api.close()


def test_another_is_cancelled(release: Release) -> None:
    api = release.api()
    settings = generation_pb2.GenerationSettings(num_inference_steps=64)
    job = api.create("a slow river", settings=settings)
    release.known.add(job)
    next(each for each in api.watch(job) if each.state == video_pb2.VIDEO_STATE_RUNNING)
    api.cancel(job)
    assert api.finish(job).state == video_pb2.VIDEO_STATE_CANCELLED
    api.close()


def test_the_commands_of_the_documentation(release: Release, tmp_path: Path) -> None:
    with forwarded(release) as (grpc_port, http_port):
        done = subprocess.run(
            [sys.executable, "-m", "omnireel.cli.main", "generate", "a red ball", "--out",
             str(tmp_path / "ball.mp4"), "--address", f"127.0.0.1:{grpc_port}"],
            env={**os.environ, "OMNIREEL_API_KEY": release.make_key("reader")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert read_clip((tmp_path / "ball.mp4").read_bytes()).frames_THWC.shape[0] > 0
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/studio", timeout=30) as page:
            assert b"<html" in page.read().lower()
    with OmnireelClient(release.address("gateway"), api_key=release.key, plaintext=True) as client:
        release.known |= {video.name.removeprefix("videos/") for video in client.list()}


@contextmanager
def forwarded(release: Release) -> Iterator[tuple[int, int]]:
    """Ports of this machine that lead to gRPC and HTTP of the gateway."""
    process = release.kube.start("port-forward", f"svc/{NAME}-gateway", ":7070", ":7080")
    try:
        assert process.stdout is not None
        ports: dict[str, int] = {}
        while len(ports) < 2:
            found = FORWARDING.match(line := process.stdout.readline())
            assert line, "kubectl port-forward ended"
            ports |= {found[2]: int(found[1])} if found else {}
        yield ports["7070"], ports["7080"]
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("part", PARTS)
def test_a_pod_can_write_nothing_and_ask_nothing(release: Release, part: str) -> None:
    inside = ("exec", f"deploy/{NAME}-{part}", "-c", part, "--")
    with pytest.raises(KubectlRefused, match="Read-only file system"):
        release.kube.kubectl(*inside, "python", "-c", "open('/opt/omnireel/x', 'w')")
    with pytest.raises(KubectlRefused, match="No such file"):
        release.kube.kubectl(*inside, "ls", "/var/run/secrets/kubernetes.io")
    assert release.kube.kubectl(*inside, "id", "-u").strip() == "10001"
