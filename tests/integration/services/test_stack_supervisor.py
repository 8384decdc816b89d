"""The supervisor of a real stack: a model service that is killed is restarted, and works again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omnireel.api.v1 import video_pb2
from omnireel.client import stack_key
from services.common.stack.config import StackConfig
from services.common.stack.down import stop_stack
from services.common.stack.process import is_alive, send
from services.common.stack.state import ProcessState, StackState, read_state
from services.common.stack.status import look
from services.common.stack.supervisor import start_supervisor
from services.common.stack.up import start_stack
from tests.support.stack import Api, stack_config

PATIENCE_S = 180.0


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[StackConfig]:
    config = stack_config(tmp_path)
    try:
        start_stack(config, print)
        start_supervisor(config)
        yield config
    finally:
        stop_stack(tmp_path, print, 20.0)


def until(what: Callable[[], object]) -> None:
    """Wait for something that happens in another process."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def state_of(config: StackConfig) -> StackState:
    state = read_state(config.home)
    assert state is not None
    return state


def generator(config: StackConfig) -> ProcessState:
    return next(p for p in state_of(config).processes if p.name == "generator")


def healthy(config: StackConfig) -> bool:
    found = look(config.home)
    return found is not None and found.healthy


def test_a_killed_generator_is_restarted_and_makes_a_video(supervised: StackConfig) -> None:
    before = generator(supervised)
    send(before.id, signal.SIGKILL)
    until(lambda: state_of(supervised).restarts)
    (line,) = state_of(supervised).restarts
    assert "generator ended and was restarted" in line
    assert not is_alive(before.id) and is_alive(generator(supervised).id)
    assert generator(supervised).address == before.address
    until(lambda: healthy(supervised))
    api = Api(state_of(supervised).gateway, stack_key(supervised.home))
    try:
        video = api.finish(api.create())
        assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED, video.error
        assert api.download(video.outputs.video.uri)
    finally:
        api.close()
