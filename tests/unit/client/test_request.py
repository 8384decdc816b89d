"""What a caller says -> the message, and where the gateway is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omnireel.client import VideoOptions, default_address, draft
from omnireel.client.channel import channel_options, check_address
from omnireel.client.request import create_request, operation_name, video_name
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.mvl import parse
from omnireel.types import Role, VideoFormat


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"num_inference_steps": -2}, "num_inference_steps"),
        ({"num_upscale_steps": 2**31}, "num_upscale_steps"),
        ({"preview_every_steps": 2**31}, "preview_every_steps"),
        ({"priority": -(2**31) - 1}, "priority"),
        ({"format": VideoFormat(64, 64, 2**31, 8)}, "format.num_frames"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        ({"timeout_s": 1e20}, "timeout_s"),
        ({"labels": {"team": 1}}, "labels.team"),
        ({"guidance": {"sound": 2.0}}, "guidance.sound"),
        ({"model_versions": {"vae": "1"}}, "model_versions.vae"),
        ({"format": VideoFormat(64, 64, 17, 8), "duration_s": 2.0}, "format"),
    ],
)
def test_wrong_options_name_their_field(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        VideoOptions(**arguments)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"images": {"A": b"x"}, "roles": {"B": "source"}}, "roles.B"),
        ({"images": {"A": b"x"}, "roles": {"A": "hero"}}, "roles.A"),
        ({"images": {"A": b"x"}, "roles": {"A": Role.TARGET}}, "roles.A"),
        ({"elements": {"A": []}}, "elements.A"),
        ({"elements": {"A": "front.png"}}, "elements.A"),
        ({"elements": {"A": b"x"}}, "elements.A"),
        ({"images": {"A": b"x"}, "descriptions": {"A": "text"}}, "descriptions.A"),
    ],
)
def test_wrong_declarations_name_their_field(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        draft("look at @A", **arguments)
    assert caught.value.violations[0].field == field


def test_unset_stays_unset() -> None:
    request = create_request(parse("a ball"), VideoOptions())
    assert request.settings.WhichOneof("output") is None
    assert not request.settings.HasField("seed")
    assert not request.settings.guidance.HasField("text")
    assert not request.HasField("deadline")
    assert request.request_id != create_request(parse("a ball"), VideoOptions()).request_id


def test_the_widest_options_fit_the_message() -> None:
    most = 2**31 - 1
    options = VideoOptions(
        format=VideoFormat(most, most, most, 8.0),
        num_inference_steps=most,
        num_upscale_steps=most,
        preview_every_steps=most,
        priority=-(2**31),
        timeout_s=100 * 365 * 86_400,
    )
    assert create_request(parse("a ball"), options).priority == -(2**31)


def test_everything_set() -> None:
    options = VideoOptions(
        aspect_ratio="16:9",
        duration_s=2.0,
        guidance={"text": 5.0, "video": 1.5},
        timeout_s=60,
        labels={"team": "a"},
        model_versions={"generator": "g1"},
        request_id="same",
    )
    request = create_request(parse("a ball"), options)
    assert request.settings.shape.aspect_ratio == "16:9"
    assert request.settings.guidance.video == 1.5
    assert not request.settings.guidance.HasField("image")
    assert request.HasField("deadline")
    assert dict(request.labels) == {"team": "a"}
    assert request.model_versions.generator == "g1"
    assert request.request_id == "same"


def test_names() -> None:
    assert video_name("x") == video_name("videos/x") == video_name("operations/x") == "videos/x"
    assert operation_name("videos/x") == "operations/x"
    for wrong in ("", "videos/", "a/b"):
        with pytest.raises(InvalidInput):
            video_name(wrong)


def test_default_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMNIREEL_ADDRESS", raising=False)
    monkeypatch.setenv("OMNIREEL_HOME", str(tmp_path))
    assert default_address() == "127.0.0.1:7070"
    state = tmp_path / "stack.json"
    state.write_text(json.dumps({"gateway": "127.0.0.1:9"}))
    assert default_address() == "127.0.0.1:9"
    for broken in ("{", "[]", "{}"):
        state.write_text(broken)
        with pytest.raises(FailedPrecondition, match="omnireel up"):
            default_address()
    monkeypatch.setenv("OMNIREEL_ADDRESS", "host:1")
    assert default_address() == "host:1"


def test_addresses() -> None:
    assert check_address("[::1]:80") == "[::1]:80"
    assert check_address(" 127.0.0.1:7070\n") == "127.0.0.1:7070"
    for wrong in ("host", "host:", ":80", "host:http", "host:70000", "a host:80"):
        with pytest.raises(InvalidInput):
            check_address(wrong)
    for url in ("http://127.0.0.1:7080", "127.0.0.1:7080/studio"):
        with pytest.raises(InvalidInput, match="is a URL; write host:port of the gRPC port"):
            check_address(url)
    proxy = ("grpc.enable_http_proxy", 0)
    for local in ("127.0.0.1:80", "localhost:80", "[::1]:80"):
        assert proxy in channel_options(local)
    assert proxy not in channel_options("gateway.example:80")
