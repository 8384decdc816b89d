from __future__ import annotations

import numpy as np
import pytest

from omnireel.errors import InvalidInput, NotFound
from omnireel.media import DecodeLimits, write_mp4, write_png
from omnireel.mvl import Element, Input, MentionPart, Prompt
from omnireel.store import open_store
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from services.common.load_media import load_media, source_clip, useful_short_side
from services.common.sandbox import MediaSandbox, SandboxConfig
from tests.support.engines.frames import base_frames

FRAMES = base_frames(VideoFormat(64, 48, 5, 8.0), 1)
LIMITS = DecodeLimits()


@pytest.fixture
def store(tmp_path):
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture(scope="module", autouse=True)
def sandbox():
    opened = MediaSandbox(LIMITS, SandboxConfig(processes=1))
    load.sandbox = opened
    yield
    opened.close()


def load(store, *inputs, elements=(), limits=None, side=256):
    sandbox = MediaSandbox(limits) if limits else load.sandbox
    prompt = Prompt((MentionPart("A"),), inputs, elements)
    return load_media(store, prompt, sandbox, shrink_short_side=side)


def test_everything_that_is_declared_is_decoded(store):
    image = store.put("a.png", write_png(FRAMES[0]))
    video = store.put("b.mp4", write_mp4(Clip(FRAMES, 8.0)))
    media = load(
        store,
        Input("A", MediaKind.IMAGE, uri=image),
        Input("B", MediaKind.VIDEO, Role.SOURCE, video),
        elements=(Element("E", (image, image)),),
    )
    assert np.array_equal(media["A"][0].frames_THWC, FRAMES[:1])
    assert media["B"][0].format == VideoFormat(64, 48, 5, 8.0)
    assert [clip.format.num_frames for clip in media["E"]] == [1, 1]


def test_a_large_video_is_shrunk_while_it_is_decoded(store):
    uri = store.put("b.mp4", write_mp4(Clip(FRAMES, 8.0)))
    media = load(store, Input("A", MediaKind.VIDEO, uri=uri), side=24)
    assert media["A"][0].frames_THWC.shape == (5, 24, 32, 3)


@pytest.mark.parametrize(
    ("uri", "kind", "error"),
    [
        ("", MediaKind.IMAGE, InvalidInput),
        ("file:///etc/passwd", MediaKind.IMAGE, InvalidInput),
        ("gone", MediaKind.IMAGE, NotFound),
        ("empty", MediaKind.IMAGE, InvalidInput),
        ("text", MediaKind.VIDEO, InvalidInput),
        ("png", MediaKind.VIDEO, InvalidInput),
        ("mp4", MediaKind.IMAGE, InvalidInput),
    ],
)
def test_wrong_media_names_the_field(store, uri, kind, error):
    store.put("empty", b"")
    store.put("text", b"hello")
    store.put("png", write_png(FRAMES[0]))
    store.put("mp4", write_mp4(Clip(FRAMES, 8.0)))
    uri = uri if not uri or ":" in uri else store.uri(uri)
    with pytest.raises(error, match=r"prompt\.inputs\[0\]\.uri") as caught:
        load(store, Input("A", kind, uri=uri))
    if error is InvalidInput:
        assert caught.value.violations[0].field == "prompt.inputs[0].uri"


def test_a_file_that_is_too_long_is_not_even_read(store, monkeypatch):
    uri = store.put("b", b"x" * 100)
    monkeypatch.setattr(type(store), "get", lambda *_a, **_k: pytest.fail("it was read"))
    with pytest.raises(InvalidInput, match=r"prompt\.inputs\[0\]\.uri"):
        load(store, Input("A", MediaKind.VIDEO, uri=uri), limits=DecodeLimits(max_bytes=99))


def test_an_element_needs_images(store):
    with pytest.raises(InvalidInput) as caught:
        load(store, elements=(Element("A"),))
    assert caught.value.violations[0].field == "prompt.elements[0].uris"


def test_only_a_source_video_gives_its_sound():
    clip = Clip(FRAMES, 8.0)
    for declared, expected in (
        (Input("A", MediaKind.VIDEO, Role.SOURCE), clip),
        (Input("A", MediaKind.IMAGE, Role.SOURCE), None),
        (Input("A", MediaKind.VIDEO, Role.MOTION), None),
    ):
        prompt = Prompt((MentionPart("A"),), (declared,))
        assert source_clip(prompt, {"A": (clip,)}) is expected


def test_useful_side():
    assert useful_short_side(((64, 64), (112, 64))) == 256
    assert useful_short_side(()) == 256
