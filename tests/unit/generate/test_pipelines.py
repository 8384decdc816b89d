"""The real pipelines on random weights: what is served is deterministic, bounded, cancellable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.errors import Cancelled, IntegrityError, InvalidInput
from omnireel.generate import GenerationSettings, GeneratorPipeline, UpscalePipeline, source_ids
from omnireel.generate.components import load_vae, weights_sha256
from omnireel.generate.frames import frames_to_video, resize_video, video_to_frames
from omnireel.model.sequence import ALIGNED_ROLES
from omnireel.mvl import parse
from omnireel.mvl.prompt import Element, Input
from omnireel.registry import load_component, save_component
from omnireel.sampling import Guidance
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from omnireel.world.tasks.mix import TaskMix, sample_mixed
from tests.support.engines.random_weights import save_random_weights

FORMAT = VideoFormat(32, 32, 5, 8.0)
SETTINGS = GenerationSettings(FORMAT, seed=3, num_inference_steps=3)


def clip(frames: int, height: int = 40, width: int = 48, fps: float = 8.0, seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    return Clip(rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8), fps=fps)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def generator(weights: Path) -> GeneratorPipeline:
    return GeneratorPipeline.load(weights)


@pytest.fixture(scope="module")
def upscaler(weights: Path) -> UpscalePipeline:
    return UpscalePipeline.load(weights)


def edit_prompt():
    inputs = (
        Input("Clip", MediaKind.VIDEO, Role.SOURCE),
        Input("Last", MediaKind.IMAGE, Role.LAST_FRAME),
        Input("Look", MediaKind.IMAGE),
    )
    elements = (Element("Hero"),)
    return parse("@Hero in @Clip looks like @Look", inputs, elements)


def edit_media():
    return {
        "Clip": (clip(9, fps=16.0),),
        "Last": (clip(1, seed=1),),
        "Look": (clip(1, height=20, width=64, seed=2),),
        "Hero": (clip(1, seed=3), clip(1, seed=4)),
    }


def test_the_same_seed_gives_the_same_frames_and_another_seed_others(generator):
    prompt = parse("a red ball rolls", (), ())
    first, again = (generator.generate(prompt, {}, SETTINGS).clip.frames_THWC for _ in range(2))
    other = generator.generate(prompt, {}, replace(SETTINGS, seed=4)).clip.frames_THWC
    assert first.shape == (5, 32, 32, 3)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_declared_media_become_segments_with_roles_times_and_sources(generator):
    prompt = edit_prompt()
    assert source_ids(prompt) == {"Clip": 1, "Last": 2, "Look": 3, "Hero": 4}
    segments = generator.conditions.segments(prompt, edit_media(), FORMAT)
    found = [(s.role, s.source_id, s.start, tuple(s.latents_CTHW.shape[1:])) for s in segments]
    assert found == [
        (Role.SOURCE, 1, 0.0, (2, 4, 4)),
        (Role.LAST_FRAME, 2, 1.0, (1, 4, 4)),
        (Role.REFERENCE, 3, 0.0, (1, 2, 6)),
        (Role.ELEMENT, 4, 0.0, (1, 4, 4)),
        (Role.ELEMENT, 4, 1.0, (1, 4, 4)),
    ]
    assert {s.role for s in segments if s.role in ALIGNED_ROLES} == {Role.SOURCE, Role.LAST_FRAME}


def test_each_step_reports_a_preview_and_the_evaluations_are_counted(generator):
    events = []
    settings = replace(SETTINGS, guidance=Guidance(3.0, 2.0, 1.5))
    made = generator.generate(edit_prompt(), edit_media(), settings, on_step=events.append)
    assert [(e.step, e.num_steps) for e in events] == [(1, 3), (2, 3), (3, 3)]
    assert all(e.preview().shape == (5, 32, 32, 3) for e in events)
    assert made.num_function_evaluations == 3 * 4


def test_cancel_stops_before_the_next_step(generator):
    events = []
    with pytest.raises(Cancelled):
        generator.generate(
            edit_prompt(),
            edit_media(),
            SETTINGS,
            on_step=events.append,
            cancelled=lambda: len(events) == 1,
        )
    assert len(events) == 1


def test_settings_outside_the_limits_name_every_field(generator):
    settings = GenerationSettings(VideoFormat(48, 32, 6, 24.0), num_inference_steps=0)
    with pytest.raises(InvalidInput) as caught:
        generator.generate(parse("a", (), ()), {}, settings)
    fields = {v.field for v in caught.value.violations}
    assert fields == {"format.size", "format.num_frames", "format.fps", "num_inference_steps"}


def test_a_distilled_model_refuses_guidance(generator, upscaler):
    baked = replace(generator.limits, guidance_baked_in=True)
    student = GeneratorPipeline(
        generator.model, generator.conditions, generator.defaults, baked, "student"
    )
    prompt = parse("a red ball rolls", (), ())
    with pytest.raises(InvalidInput, match="baked into the weights") as caught:
        student.generate(prompt, {}, replace(SETTINGS, guidance=Guidance(4.0, 1.0, 0.5)))
    assert {v.field for v in caught.value.violations} == {"guidance.text", "guidance.video"}
    unguided = replace(SETTINGS, guidance=Guidance(1.0, 1.0, 1.0))
    made = student.generate(prompt, {}, unguided)
    assert made.num_function_evaluations == 3
    larger = UpscalePipeline(
        upscaler.model, upscaler.conditions, upscaler.config, upscaler.defaults, baked
    )
    with pytest.raises(InvalidInput, match=r"guidance\.text: 4 is not 1"):
        larger.upscale(made.clip, prompt, {}, SETTINGS)


def test_missing_media_are_named(generator):
    media = {k: v for k, v in edit_media().items() if k != "Look"}
    with pytest.raises(InvalidInput, match="@Look"):
        generator.generate(edit_prompt(), media, SETTINGS)


def test_the_upscaler_doubles_the_size_and_sees_the_base_and_the_references(generator, upscaler):
    prompt, media = edit_prompt(), edit_media()
    base = generator.generate(prompt, media, SETTINGS).clip

    def upscaled(base_clip, media):
        return upscaler.upscale(base_clip, prompt, media, SETTINGS).clip.frames_THWC

    made = upscaled(base, media)
    assert made.shape == (5, 64, 64, 3)
    assert np.array_equal(made, upscaled(base, media))
    assert not np.array_equal(made, upscaled(clip(5, 32, 32), media))
    assert not np.array_equal(made, upscaled(base, {**media, "Look": (clip(1, seed=9),)}))


def test_a_removal_is_enlarged_with_the_pixels_of_a_source_that_is_large_enough():
    pipeline = UpscalePipeline.load(SHIPPED_TINY)
    fmt = VideoFormat(64, 64, 5, 8.0)
    small, large = (
        sample_mixed(11, size, TaskMix({"C5": 1.0}), split="held_out")
        for size in (fmt, replace(fmt, width=128, height=128))
    )
    settings = replace(SETTINGS, format=fmt, num_inference_steps=1)

    def distance(media, where):
        made = pipeline.upscale(small.target, large.prompt, media, settings).clip.frames_THWC
        off = np.abs(made.astype(int) - large.target.frames_THWC).mean(-1)
        return off[where].mean()

    removed = large.edit_mask_THW
    assert 0.01 < removed.mean() < 0.9
    # Elsewhere the source itself is shown; where it was edited, as good as nothing of it.
    assert distance(large.media, ~removed) < 0.4 * distance(small.media, ~removed)
    source = large.media[large.prompt.inputs[0].name][0].frames_THWC
    far = np.abs(source.astype(int) - large.target.frames_THWC).mean(-1)[removed].mean()
    assert distance(large.media, removed) < 0.3 * far


def test_a_clip_that_begins_as_given_shows_the_given_frame_itself(generator):
    conditions = generator.conditions
    prompt = parse(
        "@Start, nothing moves", (Input("Start", MediaKind.IMAGE, Role.FIRST_FRAME),), ()
    )
    start = clip(1, 32, 32)
    with torch.no_grad():
        shown = frames_to_video(np.repeat(start.frames_THWC, 5, axis=0))
        latents = conditions.vae.encode(shown[None])[0]
    again = conditions.decode(latents, prompt, {"Start": (start,)}, FORMAT)
    alone = conditions.decode(latents, parse("nothing moves", (), ()), {}, FORMAT)
    torch.testing.assert_close(again[:, 0], shown[:, 0])
    assert float((alone - shown)[:, 0].abs().mean()) > 0.1


def test_an_upscaler_that_changes_nothing_enlarges_by_interpolation(weights):
    upscaler = UpscalePipeline.load(weights)
    for zero in (upscaler.model.out.weight, upscaler.model.out.bias):
        torch.nn.init.zeros_(zero)
    base = clip(5, 32, 32)
    made = upscaler.upscale(base, parse("a ball", (), ()), {}, SETTINGS).clip.frames_THWC
    enlarged = video_to_frames(resize_video(frames_to_video(base.frames_THWC), 64, 64))
    assert np.abs(made.astype(int) - enlarged.astype(int)).max() <= 1


def test_a_base_clip_of_another_format_is_refused(upscaler):
    with pytest.raises(InvalidInput, match="base clip"):
        upscaler.upscale(clip(5, 32, 16), parse("a", (), ()), {}, SETTINGS)


def test_models_of_another_autoencoder_are_refused(weights, tmp_path):
    other = save_random_weights(tmp_path / "other", seed=1)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "vae").symlink_to(other / "vae")
    for name in ("generator", "upscaler"):
        (mixed / name).symlink_to(weights / name)
    for pipeline in (GeneratorPipeline, UpscalePipeline):
        with pytest.raises(IntegrityError, match="another autoencoder"):
            pipeline.load(mixed)


def changed(folder, component, config, **tensors):
    return save_component(
        folder,
        kind=component.kind,
        config=config,
        state_dict={**component.state_dict, **tensors},
        card={},
        dtype=None,
    )


@pytest.mark.parametrize(
    ("pipeline", "part", "path", "value"),
    [
        (GeneratorPipeline, "generator", ("transformer",), None),
        (GeneratorPipeline, "generator", ("transformer", "unknown"), 1),
        (GeneratorPipeline, "generator", ("transformer", "heads"), 0),
        (GeneratorPipeline, "generator", ("transformer", "heads"), 3),
        (GeneratorPipeline, "generator", ("transformer", "depth"), "2"),
        (GeneratorPipeline, "generator", ("limits",), None),
        (GeneratorPipeline, "generator", ("latent_space",), None),
        (GeneratorPipeline, "generator", ("sampling", "guidance", "text"), 99),
        (UpscalePipeline, "upscaler", ("upscale",), None),
        (UpscalePipeline, "upscaler", ("upscale",), []),
        (UpscalePipeline, "upscaler", ("upscale", "window"), None),
    ],
)
def test_a_configuration_that_fits_no_model_is_told(weights, tmp_path, pipeline, part, path, value):
    component = load_component(weights / part, dtype=None)
    config = at = json.loads(json.dumps(component.config))
    for name in path[:-1]:
        at = at[name]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    folder = changed(tmp_path / part, component, config)
    with pytest.raises(IntegrityError, match=r"config\.json does not fit this release"):
        pipeline.open(folder, weights / "vae")


@pytest.mark.parametrize("name", ["keeper.extra", "enlarger.extra", "fusion.extra"])
def test_tensors_of_a_part_that_the_model_lacks_are_refused(weights, tmp_path, name):
    for part, load in (("generator", GeneratorPipeline.open), ("vae", None)):
        component = load_component(weights / part, dtype=None)
        folder = changed(tmp_path / part, component, component.config, **{name: torch.zeros(3)})
        with pytest.raises(IntegrityError, match=f"Unexpected key.*{name}"):
            load(folder, weights / "vae") if load else load_vae(folder)


def test_weights_in_several_files_have_one_version(weights, tmp_path):
    component = load_component(weights / "vae")
    folder = save_component(
        tmp_path / "vae",
        kind="vae",
        config=component.config,
        state_dict=component.state_dict,
        card={},
        max_file_bytes=10_000,
    )
    assert len(list(folder.glob("*.safetensors"))) > 1
    version = weights_sha256(load_component(folder))
    assert len(version) == 64 and version != weights_sha256(component)
