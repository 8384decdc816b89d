from __future__ import annotations

import time

import pytest

from omnireel.api.v1 import generation_pb2, progress_pb2
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.types import VideoFormat
from services.common import convert_generation as convert
from services.common.model_info import GuidanceScales, ModelCapabilities, ModelInfo, Sampling

SAMPLING = Sampling(VideoFormat(64, 112, 17, 8.0), 2**63 - 1, 5, 6, GuidanceScales(4.0, None, 0.0))


def test_settings_make_the_round_trip_and_unset_stays_unset():
    message = convert.sampling_to_proto(SAMPLING)
    assert not message.guidance.HasField("image")
    assert convert.sampling_from_proto(message) == SAMPLING


def test_all_wrong_settings_are_named_at_once():
    message = generation_pb2.GenerationSettings(
        shape=generation_pb2.VideoShape(aspect_ratio="16:9"),
        num_inference_steps=-1,
        guidance=generation_pb2.Guidance(text=float("nan"), video=31),
    )
    with pytest.raises(InvalidInput) as caught:
        convert.sampling_from_proto(message)
    assert [v.field for v in caught.value.violations] == [
        "settings.format",
        "settings.seed",
        "settings.num_inference_steps",
        "settings.guidance.text",
        "settings.guidance.video",
    ]


@pytest.mark.parametrize("wrong", [{"width": 0}, {"num_frames": -1}, {"fps": float("nan")}])
def test_a_format_is_positive(wrong):
    message = convert.sampling_to_proto(SAMPLING)
    for name, value in wrong.items():
        setattr(message.format, name, value)
    with pytest.raises(InvalidInput) as caught:
        convert.sampling_from_proto(message)
    assert caught.value.violations[0].field == "settings.format"


def test_a_seed_beyond_the_range_is_refused():
    message = convert.sampling_to_proto(SAMPLING)
    message.seed = 2**63
    with pytest.raises(InvalidInput, match=r"settings\.seed"):
        convert.sampling_from_proto(message)


def test_progress_is_a_share():
    message = convert.progress_to_proto(progress_pb2.STAGE_GENERATING, 1, 4, eta_s=1.5)
    assert (message.fraction, message.eta.ToMilliseconds()) == (0.25, 1500)
    unknown = convert.progress_to_proto(progress_pb2.STAGE_ENHANCING, 0, 0)
    assert unknown.fraction == 0
    assert not unknown.HasField("eta")


def test_timing_begins_where_it_ended_less_what_it_took():
    message = convert.timing_to_proto(
        progress_pb2.STAGE_UPSCALING, elapsed_s=100.0, codec_s=2.0, num_function_evaluations=9
    )
    assert message.elapsed.ToSeconds() == 100
    assert message.codec_elapsed.ToSeconds() == 2
    assert message.start_time.ToSeconds() + 100 <= time.time() + 1


def test_a_pinned_version_must_run():
    info = ModelInfo(kind="generator", name="m", version="v1", device="cpu")
    convert.check_version("", info)
    convert.check_version("v1", info)
    with pytest.raises(
        FailedPrecondition, match="version 'v2', but 'v1' is deployed; resubmit it with 'v1'"
    ):
        convert.check_version("v2", info)


def test_a_deadline_is_optional():
    job = generation_pb2.JobContext()
    assert convert.deadline_of(job) is None
    job.deadline.FromMilliseconds(1500)
    assert convert.deadline_of(job) == 1.5


def test_model_info_says_what_the_model_can_do():
    info = ModelInfo(
        kind="super_resolver",
        name="m",
        version="v1",
        device="cpu",
        capabilities=ModelCapabilities(
            tasks=("C20",),
            sizes=((112, 64),),
            max_frames=17,
            fps=(8.0,),
            upscale_factor=2,
            defaults=SAMPLING,
        ),
    )
    what = convert.model_info_to_proto(info).capabilities
    assert what.model_versions.super_resolver == "v1"
    assert (what.tasks[0].id, what.tasks[0].title, what.tasks[0].trained) == (
        "C20",
        "text to video",
        True,
    )
    assert what.sizes[0].aspect_ratio == "16:9"
    assert (what.num_frames.min, what.num_frames.max, what.num_frames.step) == (1, 17, 4)
    assert what.defaults.num_inference_steps == 5
    assert not what.defaults.HasField("seed")


@pytest.mark.parametrize(
    ("size", "name"), [((64, 64), "1:1"), ((112, 64), "16:9"), ((64, 112), "9:16")]
)
def test_aspect_names(size, name):
    assert convert.aspect_ratio(*size) == name
