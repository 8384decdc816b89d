"""Store URIs -> decoded clips, bounded before memory is taken and decoded in the sandbox."""

from __future__ import annotations

from omnireel.errors import InvalidInput, NotFound
from omnireel.media.limits import DecodeLimits
from omnireel.mvl import Prompt
from omnireel.store import ObjectStore
from omnireel.types import Clip, MediaKind, MediaSet, Role
from services.common.sandbox import MediaSandbox


def load_media(
    store: ObjectStore,
    prompt: Prompt,
    sandbox: MediaSandbox,
    *,
    shrink_short_side: int,
    field: str = "prompt",
) -> MediaSet:
    """Decode everything that ``prompt`` declares.

    Videos are shrunk while decoding to a short side of ``shrink_short_side`` pixels (see
    :func:`useful_short_side`), so that a long film does not take the memory of its full size.

    Raises:
        InvalidInput: a URI is missing, or its bytes are not what the prompt says they are; names
            the field.
        NotFound: an object is gone; names the field.
    """
    media: dict[str, tuple[Clip, ...]] = {}
    for index, declared in enumerate(prompt.inputs):
        where = f"{field}.inputs[{index}].uri"
        data = read_object(store, declared.uri, sandbox.limits, where)
        if declared.kind is MediaKind.IMAGE:
            media[declared.name] = (sandbox.read_image(data, field=where),)
        else:
            clip = sandbox.read_clip(data, field=where, shrink_short_side=shrink_short_side)
            media[declared.name] = (clip,)
    for index, element in enumerate(prompt.elements):
        where = f"{field}.elements[{index}].uris"
        if not element.uris:
            raise InvalidInput(f"{where}: @{element.name} has no images; give one", field=where)
        media[element.name] = tuple(
            sandbox.read_image(
                read_object(store, uri, sandbox.limits, where), field=f"{where}[{i}]"
            )
            for i, uri in enumerate(element.uris)
        )
    return media


def read_object(store: ObjectStore, uri: str, limits: DecodeLimits, field: str) -> bytes:
    """The bytes of one stored object, refused by size before they are read.

    Raises:
        InvalidInput, NotFound: naming ``field``.
    """
    if not uri:
        raise InvalidInput(f"{field} is empty; upload the media and put its URI there", field=field)
    try:
        size = store.stat(uri).size
        limits.check_bytes(size, field)
        return store.get(uri, max_bytes=limits.max_bytes)
    except NotFound as error:
        raise NotFound(f"{field}: {error.message}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{field}: {error.message}", field=field) from error


def useful_short_side(sizes: tuple[tuple[int, int], ...]) -> int:
    """Short side in pixels beyond which a model of these ``sizes`` gains nothing from an input."""
    return 4 * max((min(size) for size in sizes), default=64)


def source_clip(prompt: Prompt, media: MediaSet) -> Clip | None:
    """The video that is being edited, whose sound the result keeps; ``None`` without one."""
    for declared in prompt.inputs:
        if declared.role is Role.SOURCE and declared.kind is MediaKind.VIDEO:
            return media[declared.name][0]
    return None
