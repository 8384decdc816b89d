"""A person's folder of clips and images with captions, checked as a whole before anything is done.

Every problem of every file is collected, so that one look mends them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnireel.data.captions import TABLES, Caption, check_caption, read_beside, read_table
from omnireel.data.media_files import NO_TEXT, SUFFIXES, is_text, visible_files
from omnireel.data.sample import Media, TrainingSample
from omnireel.errors import FieldViolation, InvalidInput, NotFound, OmnireelError
from omnireel.media import DecodeLimits, read_media
from omnireel.store.chunks import sha256_of
from omnireel.types import Clip, MediaKind

_SHOWN = 5
_CHECKED_SHORT_SIDE = 128


@dataclass(frozen=True)
class FolderConfig:
    """What is asked of the files. Smaller and shorter ones are refused."""

    min_short_side: int = 32
    """Pixels."""
    min_seconds: float = 0.7
    """Of a clip (five frames at 8 frames per second); images have no length."""
    limits: DecodeLimits = field(default_factory=DecodeLimits)


class FolderSource:
    """The samples of a checked folder; a :class:`omnireel.data.shards.SampleSource`."""

    def __init__(self, folder: Path, files: Mapping[str, _File], ignored: tuple[str, ...]) -> None:
        """Use :func:`open_folder`."""
        self.folder = folder
        self.ignored = ignored
        """Files that are neither media nor captions of any."""
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def contents(self) -> Mapping[str, str]:
        """Hashes of media and caption, by file."""
        return {
            name: hashlib.sha256(f"{file.sha256}\0{file.caption.text}".encode()).hexdigest()
            for name, file in self._files.items()
        }

    def load(self, key: str) -> TrainingSample:
        """The sample made of the file ``key``.

        Raises:
            InvalidInput: the file changed since the folder was checked.

        """
        file = self._files[key]
        data = (self.folder / key).read_bytes()
        if sha256_of(data) != file.sha256:
            raise InvalidInput(
                f"{key} changed while it was being packed; run the command again", field=key
            )
        return TrainingSample(
            key=key,
            target=Media(data, file.kind),
            text=file.caption.text.strip(),
            source_sha256=file.sha256,
            lineage={"file": key, "caption": file.caption.where, "decoded": dict(file.decoded)},
        )


@dataclass(frozen=True)
class _File:
    sha256: str
    kind: MediaKind
    caption: Caption
    decoded: Mapping[str, float]


def open_folder(
    folder: Path,
    config: FolderConfig | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> FolderSource:
    """Find media and captions below ``folder``, decode every file once, and refuse or accept all.

    Hidden files and folders are left alone.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: no media, or some cannot be used: a violation for each, named by its file.

    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    config = config or FolderConfig()
    media, others = _find(folder)
    table, wrong = read_table(folder)
    if not media:
        raise InvalidInput(
            f"{folder} holds no clips or images ({', '.join(sorted(SUFFIXES))})", field="data"
        )
    wrong += [
        FieldViolation(caption.where, f"there is no file {name}")
        for name, caption in table.items()
        if name not in media
    ]
    files: dict[str, _File] = {}
    for number, name in enumerate(media):
        report(number, len(media))
        try:
            files[name] = _check(folder, name, media, table.get(name), config)
        except OmnireelError as error:
            wrong.append(FieldViolation(name, error.message.removeprefix(f"{name} ")))
    report(len(media), len(media))
    if wrong:
        raise InvalidInput(_summary(folder, wrong), violations=tuple(wrong))
    beside = {Path(name).with_suffix(".txt").as_posix() for name in media}
    ignored = tuple(name for name in others if name not in beside and name not in TABLES)
    return FolderSource(folder, files, ignored)


def _find(folder: Path) -> tuple[list[str], list[str]]:
    media: list[str] = []
    others: list[str] = []
    for path in visible_files(folder):
        name = path.relative_to(folder).as_posix()
        (media if path.suffix.lower() in SUFFIXES else others).append(name)
    return media, others


def _check(
    folder: Path, name: str, media: list[str], given: Caption | None, config: FolderConfig
) -> _File:
    """One file, decoded; raises what is wrong with it."""
    path = folder / name
    if not is_text(name):
        raise InvalidInput(NO_TEXT)
    twins = [
        n for n in media if n != name and Path(n).with_suffix("") == Path(name).with_suffix("")
    ]
    caption = read_beside(path)
    if caption is not None and twins and given is None:
        raise InvalidInput(f"{caption.where} is ambiguous: it also matches {twins[0]}; rename one")
    if caption is not None and given is not None:
        raise InvalidInput(f"has a caption in {caption.where} and in {given.where}; keep one")
    caption = caption or given
    if caption is None:
        raise InvalidInput(
            f"has no caption; write one into {path.with_suffix('.txt').name} beside it, or a line "
            f"into {TABLES[0]}"
        )
    if trouble := check_caption(caption):
        raise InvalidInput(trouble)
    # Shrunk, so that a minute from a phone takes little memory.
    short_side = max(config.min_short_side, _CHECKED_SHORT_SIDE)
    kind, clip = read_media(path, config.limits, field=name, shrink_short_side=short_side)
    _check_clip(kind, clip, config)
    decoded: dict[str, float] = {"num_frames": len(clip.frames_THWC)}
    if kind is MediaKind.VIDEO:
        decoded["fps"] = round(clip.fps, 3)
    return _File(sha256_of(path), kind, caption, decoded)


def _check_clip(kind: MediaKind, clip: Clip, config: FolderConfig) -> None:
    _, height, width, _ = clip.frames_THWC.shape
    if min(height, width) < config.min_short_side:
        raise InvalidInput(
            f"is {width}x{height} pixels; the minimum is {config.min_short_side} on the short side"
        )
    seconds = clip.format.duration_s
    if kind is MediaKind.VIDEO and seconds < config.min_seconds:
        raise InvalidInput(f"lasts {seconds:.2f} s; the minimum is {config.min_seconds:g} s")


def _summary(folder: Path, wrong: list[FieldViolation]) -> str:
    some = "; ".join(f"{v.field}: {v.description}" for v in wrong[:_SHOWN])
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    count = "one thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
    return f"{folder}: {count} wrong, nothing was written: {some}{more}"
