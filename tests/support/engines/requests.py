"""Requests to the model services, and their answers taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
import pytest

from omnireel.api.v1 import (
    generation_pb2,
    generator_pb2,
    mvl_pb2,
    progress_pb2,
    super_resolver_pb2,
)
from omnireel.errors import OmnireelError
from services.common.status import error_from_rpc


def settings(
    *, width: int = 64, height: int = 64, num_frames: int = 5, seed: int = 3, steps: int = 0
) -> generation_pb2.GenerationSettings:
    """Complete settings."""
    return generation_pb2.GenerationSettings(
        format=generation_pb2.VideoFormat(
            width=width, height=height, num_frames=num_frames, fps=8.0
        ),
        seed=seed,
        num_inference_steps=steps,
        num_upscale_steps=steps,
    )


def generate_request(
    text: str = "a ball", *, prefix: str = "jobs/7/1", **more: Any
) -> generator_pb2.GenerateRequest:
    """A request for five frames of 64x64; ``more`` are fields of the request."""
    fields = {"prompt": mvl_pb2.Prompt(text=text), "settings": settings(), **more}
    return generator_pb2.GenerateRequest(output_prefix=prefix, **fields)


def upscale_request(
    text: str = "a ball", *, prefix: str = "jobs/7/1", **more: Any
) -> super_resolver_pb2.UpscaleRequest:
    """A request to refine such a video."""
    fields = {"prompt": mvl_pb2.Prompt(text=text), "settings": settings(), **more}
    return super_resolver_pb2.UpscaleRequest(output_prefix=prefix, **fields)


def take_apart(responses: Iterable[Any]) -> tuple[list[Any], Any]:
    """The progress events and the one result, which must be last.

    The event with which a denoising service says that it has begun is left out.
    """
    events = list(responses)
    assert [e.WhichOneof("event") for e in events].index("result") == len(events) - 1
    steps = [e.progress for e in events[:-1]]
    if steps and steps[0].stage != progress_pb2.STAGE_ENHANCING and steps[0].step == 0:
        steps = steps[1:]
    return steps, events[-1].result


def first_step(stream: Iterator[Any]) -> Any:
    """The progress of the first step, once it is done."""
    return next(event.progress for event in stream if event.progress.step)


def failure(call: Callable[[], Any]) -> OmnireelError:
    """The error that ``call`` (one that talks to a service) ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        result = call()
        if hasattr(result, "__next__"):
            list(result)
    return error_from_rpc(caught.value)
