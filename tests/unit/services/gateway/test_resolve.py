from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from omnireel.api.v1 import capabilities_pb2, media_pb2, mvl_pb2, video_pb2
from omnireel.errors import FailedPrecondition, InvalidInput, PromptSyntaxError
from omnireel.sampling import Guidance
from omnireel.types import MAX_GUIDANCE
from services.gateway.resolve import resolve

NOW = 1000.0
MEDIA = {
    "image": media_pb2.Media(
        uri="image", kind=mvl_pb2.MEDIA_KIND_IMAGE, width=300, height=500, num_frames=1
    ),
    "video": media_pb2.Media(
        uri="video",
        kind=mvl_pb2.MEDIA_KIND_VIDEO,
        width=1920,
        height=1080,
        num_frames=36,
        fps=24.0,
    ),
}

Can = capabilities_pb2.Capabilities


def request(text: str = "a red ball") -> video_pb2.CreateVideoRequest:
    return video_pb2.CreateVideoRequest(prompt=mvl_pb2.Prompt(text=text))


def run(asked: video_pb2.CreateVideoRequest, can: Can) -> video_pb2.CreateVideoRequest:
    return resolve(asked, can, MEDIA.get, NOW)


def with_input(kind: str, role: str, uri: str) -> video_pb2.CreateVideoRequest:
    asked = request("make it green")
    asked.prompt.inputs.add(
        name="Clip",
        kind=mvl_pb2.MediaKind.Value(f"MEDIA_KIND_{kind}"),
        role=mvl_pb2.Role.Value(f"ROLE_{role}"),
        uri=uri,
    )
    return asked


def shape(request: video_pb2.CreateVideoRequest) -> tuple[int, int, int, float]:
    fmt = request.settings.format
    return fmt.width, fmt.height, fmt.num_frames, fmt.fps


def test_every_default_is_filled_in(can: Can) -> None:
    made = run(request(), can)
    assert [part.text for part in made.prompt.parts] == ["a red ball"] and not made.prompt.text
    assert shape(made) == (64, 64, 17, 8.0)
    settings = made.settings
    assert settings.HasField("seed") and settings.seed < 2**32
    assert (settings.num_inference_steps, settings.num_upscale_steps) == (4, 4)
    assert (settings.guidance.text, settings.guidance.image) == (4.0, 1.5)
    assert made.enhance and made.upscale
    assert run(request(), can).settings.seed != settings.seed


def test_what_is_given_stays(can: Can) -> None:
    asked = request()
    asked.settings.seed, asked.settings.num_inference_steps = 0, 9
    asked.settings.guidance.text = 1.0
    asked.enhance = False
    made = run(asked, can)
    assert (made.settings.seed, made.settings.num_inference_steps) == (0, 9)
    assert (made.settings.guidance.text, made.settings.guidance.video) == (1.0, 1.5)
    assert not made.enhance and made.HasField("enhance") and made.upscale


def test_no_enhancer_and_no_super_resolver(can: Can) -> None:
    can.can_enhance, can.upscale_factor = False, 0
    made = run(request(), can)
    assert not made.enhance and not made.upscale
    asked = request()
    asked.enhance = asked.upscale = True
    assert fields(asked, can) == ["enhance", "upscale"]


@pytest.mark.parametrize(
    ("ratio", "seconds", "expected"),
    [
        ("16:9", 0, (112, 64, 17)),
        ("9:16", 0, (64, 112, 17)),
        ("1.75:1", 0, (112, 64, 17)),
        ("", 1, (64, 64, 9)),
        ("", 4, (64, 64, 33)),
        ("", 0.1, (64, 64, 1)),
        ("", 2.0, (64, 64, 17)),
    ],
)
def test_shapes(can: Can, ratio: str, seconds: float, expected: tuple[int, int, int]) -> None:
    asked = request()
    asked.settings.shape.aspect_ratio, asked.settings.shape.duration_s = ratio, seconds
    assert shape(run(asked, can))[:3] == expected


def test_source_gives_shape_and_length(can: Can) -> None:
    # 36 frames at 24/s are 1.5 s: 12 frames at 8/s, and 13 is the nearest 1 + 4 k.
    assert shape(run(with_input("VIDEO", "SOURCE", "video"), can)) == (112, 64, 13, 8.0)
    assert shape(run(with_input("IMAGE", "FIRST_FRAME", "image"), can)) == (64, 112, 17, 8.0)
    asked = with_input("VIDEO", "SOURCE", "video")
    asked.settings.shape.aspect_ratio = "1:1"
    assert shape(run(asked, can)) == (64, 64, 13, 8.0)


def fields(asked: video_pb2.CreateVideoRequest, can: Can) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        run(asked, can)
    assert caught.value.violations
    return [violation.field for violation in caught.value.violations]


def test_a_distilled_generator_takes_no_guidance(can: Can) -> None:
    can.guidance_baked_in = True
    for name in ("text", "image", "video"):
        setattr(can.defaults.guidance, name, 1.0)
    asked = request()
    asked.settings.guidance.text = 4.0
    asked.settings.guidance.image = 1.0
    assert fields(asked, can) == ["settings.guidance.text"]
    with pytest.raises(InvalidInput, match="4 is not served: guidance is baked into the weights"):
        run(asked, can)
    asked.settings.guidance.text = 1.0
    assert run(asked, can).settings.guidance.text == 1.0
    assert run(request(), can).settings.guidance.video == 1.0


def change(**values: object) -> Callable[[video_pb2.CreateVideoRequest], None]:
    def apply(asked: video_pb2.CreateVideoRequest) -> None:
        for path, value in values.items():
            target = asked
            *parents, name = path.split("__")
            for parent in parents:
                target = getattr(target, parent)
            setattr(target, name, value)

    return apply


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (change(request_id="x" * 65), "request_id"),
        (change(priority=11), "priority"),
        (change(preview_every_steps=-1), "preview_every_steps"),
        (change(settings__seed=2**63), "settings.seed"),
        (change(settings__num_inference_steps=65), "settings.num_inference_steps"),
        (change(settings__num_upscale_steps=-1), "settings.num_upscale_steps"),
        (change(settings__guidance__text=MAX_GUIDANCE + 0.1), "settings.guidance.text"),
        (change(settings__guidance__image=float("nan")), "settings.guidance.image"),
        (change(settings__shape__aspect_ratio="3:1"), "settings.shape.aspect_ratio"),
        (change(settings__shape__aspect_ratio="wide"), "settings.shape.aspect_ratio"),
        (change(settings__shape__aspect_ratio="1:0"), "settings.shape.aspect_ratio"),
        (change(settings__shape__duration_s=60.0), "settings.shape.duration_s"),
        (change(settings__shape__duration_s=-1.0), "settings.shape.duration_s"),
        (change(settings__shape__duration_s=float("nan")), "settings.shape.duration_s"),
        (change(prompt__text="@Nobody dances"), "prompt.text"),
        (change(prompt__text=""), "prompt"),
        (change(prompt__text="x" * 3000), "prompt"),
    ],
)
def test_wrong_fields_are_named(
    can: Can, wrong: Callable[[video_pb2.CreateVideoRequest], None], field: str
) -> None:
    asked = request()
    wrong(asked)
    with pytest.raises(InvalidInput) as caught:
        run(asked, can)
    violation = caught.value.violations[0]
    assert violation.field.startswith(field)
    assert not violation.description.startswith(field + ":")


def test_gateway_model_and_studio_agree_on_the_largest_guidance(can: Can) -> None:
    asked = request()
    asked.settings.guidance.text = MAX_GUIDANCE
    assert run(asked, can).settings.guidance.text == MAX_GUIDANCE
    assert Guidance(text=MAX_GUIDANCE).text == MAX_GUIDANCE
    with pytest.raises(InvalidInput, match="between 0 and 20"):
        Guidance(text=MAX_GUIDANCE + 0.1)
    source = (Path(__file__).resolve().parents[4] / "studio/src/options.ts").read_text()
    assert f"const MAX_GUIDANCE = {MAX_GUIDANCE:g};" in source


def test_wrong_format_says_what_is_served(can: Can) -> None:
    asked = request()
    asked.settings.format.width, asked.settings.format.height = 640, 480
    asked.settings.format.num_frames, asked.settings.format.fps = 16, 30.0
    with pytest.raises(InvalidInput, match=r"112x64.*steps of 4.*choose 8") as caught:
        run(asked, can)
    assert len(caught.value.violations) == 3


def test_all_mistakes_at_once(can: Can) -> None:
    asked = with_input("IMAGE", "SOURCE", "")
    asked.prompt.text = "@Nobody"
    asked.priority = 99
    asked.settings.shape.duration_s = 99
    found = fields(asked, can)
    assert {"priority", "prompt.inputs[0].uri", "settings.shape.duration_s"} <= set(found)
    assert any(field.startswith("prompt.text") for field in found)


def test_syntax_errors_keep_their_position(can: Can) -> None:
    with pytest.raises(PromptSyntaxError) as caught:
        run(request("hello @Nobody"), can)
    assert caught.value.position == 6


def test_media_must_be_there_and_of_their_kind(can: Can) -> None:
    assert fields(with_input("VIDEO", "SOURCE", "gone"), can) == ["prompt.inputs[0].uri"]
    assert fields(with_input("VIDEO", "SOURCE", "image"), can) == ["prompt.inputs[0].kind"]
    asked = request("@Hero dances")
    asked.prompt.elements.add(name="Hero", uris=["image", "video", "gone"])
    assert fields(asked, can) == ["prompt.elements[0].uris[1]", "prompt.elements[0].uris[2]"]
    del asked.prompt.elements[0].uris[:]
    assert fields(asked, can) == ["prompt.elements[0].uris"]


def test_labels_and_deadline(can: Can) -> None:
    asked = request()
    asked.labels["x" * 64] = "1"
    asked.deadline.FromSeconds(int(NOW) - 1)
    assert fields(asked, can) == ["deadline", f"labels[{'x' * 20}]"]


def test_pinned_versions(can: Can) -> None:
    asked = request()
    asked.model_versions.generator = "test-1"
    assert run(asked, can).model_versions.generator == "test-1"
    asked.model_versions.generator = "test-0"
    with pytest.raises(FailedPrecondition, match=r"model_versions\.generator.*'test-1'"):
        run(asked, can)


def test_inputs_for_what_the_generator_was_not_trained_for_are_refused(can: Can) -> None:
    asked = with_input("IMAGE", "STORYBOARD", "image")
    with pytest.raises(InvalidInput, match="not trained for C24") as caught:
        run(asked, can)
    assert caught.value.violations[0].field == "prompt.inputs[0].role"
    can.tasks.add(id="C24", trained=True)
    assert run(asked, can).prompt.inputs[0].role == mvl_pb2.ROLE_STORYBOARD


def test_a_generator_that_does_not_say_what_it_can_is_asked_for_anything(can: Can) -> None:
    del can.tasks[:]
    run(with_input("IMAGE", "ANNOTATION", "image"), can)
