"""A folder of captioned clips -> a folder of derived samples; the same call goes on where an
interrupted one stopped, and makes anew what belongs to a clip or caption that changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from omnireel.data.captions import check_caption, read_beside, read_table, refusal
from omnireel.data.media_files import NO_TEXT, VIDEOS, is_text, media_below
from omnireel.data.synthesis.derived import Derived, all_saved, drop, save, write_sources
from omnireel.data.synthesis.expert import Expert
from omnireel.data.synthesis.forward import by_expert, removed
from omnireel.data.synthesis.rendered import rendered
from omnireel.data.synthesis.reverse import KINDS, Natural, reverse
from omnireel.data.synthesis.segment import find_subject
from omnireel.errors import AlreadyExists, FieldViolation, InvalidInput, NotFound, OmnireelError
from omnireel.files import atomic_write
from omnireel.media import DecodeLimits, read_clip
from omnireel.store.chunks import sha256_of
from omnireel.types import VideoFormat

FORWARD = ("remove",)
PLAN = "synthesis.json"
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class SynthesisConfig:
    """What is made. ``kinds`` are those of reverse synthesis and "remove"; with an expert,
    ``instructions`` are carried out on every clip."""

    kinds: tuple[str, ...] = (*KINDS, *FORWARD)
    instructions: tuple[str, ...] = ()
    licence: str = ""
    short_side: int = 480
    """Frames are shrunk to this before anything is derived from them; the target is not."""
    limits: DecodeLimits = field(default_factory=DecodeLimits)

    def __post_init__(self) -> None:
        known = (*KINDS, *FORWARD)
        if unknown := [kind for kind in self.kinds if kind not in known]:
            raise InvalidInput(
                f"unknown kind {unknown[0]!r}; use some of {', '.join(known)}", field="kinds"
            )
        if self.short_side < 32:
            raise InvalidInput("short_side must be 32 or more", field="short_side")


@dataclass(frozen=True)
class Outcome:
    """How many samples there are, and why clips gave none or fewer, by name."""

    made: int
    left_out: Mapping[str, str]


def synthesise(
    folder: Path,
    out: Path,
    config: SynthesisConfig,
    expert: Expert | None = None,
    report: Report = lambda done, total: None,
) -> Outcome:
    """Derive samples from every clip below ``folder``.

    Raises:
        NotFound: no such folder.
        InvalidInput: no clips, clips without a caption, or several whose samples would have one
            name: a violation for each.
        AlreadyExists: ``out`` holds the work of another folder or of other settings.

    """
    if config.instructions and expert is None:
        raise InvalidInput("instructions need an expert; give one with --expert", field="expert")
    clips = _captioned(folder)
    plan = {
        "from": str(folder.resolve()),
        "kinds": config.kinds,
        "instructions": config.instructions,
        "licence": config.licence,
        "short_side": config.short_side,
        "expert": expert.name if expert else "",
    }
    _claim(out, plan)
    left_out: dict[str, str] = {}
    for number, (path, caption) in enumerate(clips.items()):
        report(number, len(clips))
        file = path.relative_to(folder).as_posix()
        name, of = _flat(file), {"sha256": sha256_of(path), "caption": caption}
        done = out / f".{name}.done"
        why = _said(done, of)
        if why is None:
            done.unlink(missing_ok=True)
            why = _derive(path, name, of, out, config, expert)
            atomic_write(done, json.dumps({**of, "why": why}).encode())
        if why:
            left_out[file] = why
    report(len(clips), len(clips))
    write_sources(out)
    return Outcome(len(list(out.glob("*.lineage.json"))), left_out)


def render_samples(
    out: Path,
    capabilities: tuple[str, ...],
    count: int,
    fmt: VideoFormat,
    seed: int = 0,
    report: Report = lambda done, total: None,
) -> Outcome:
    """``count`` samples of each capability by the world's renderer."""
    _claim(out, {"world": capabilities, "seed": seed, "format": vars(fmt)})
    todo = [(c, s) for c in capabilities for s in range(seed, seed + count)]
    for number, (capability, one) in enumerate(todo):
        report(number, len(todo))
        if not all_saved(out, [f"world-{capability}-{one:06d}"]):
            save(rendered(capability, one, fmt), out)
    report(len(todo), len(todo))
    write_sources(out)
    return Outcome(len(list(out.glob("*.lineage.json"))), {})


def _derive(
    path: Path,
    name: str,
    of: Mapping[str, str],
    out: Path,
    config: SynthesisConfig,
    expert: Expert | None,
) -> str:
    """Save the samples of one clip instead of those that are there; why they are none or fewer."""
    experts = [f"expert{number}" for number in range(len(config.instructions))]
    for kind in (*config.kinds, *experts):
        drop(out, f"{name}-{kind}")
    try:
        natural = _open(path, name, of, config)
        wanted = tuple(kind for kind in config.kinds if kind in KINDS)
        for sample in _samples(natural, wanted, config, expert):
            save(sample, out)
    except OmnireelError as error:
        return error.message
    return "" if natural.mask_THW is not None else "nothing in it clearly moves by itself"


def _samples(
    natural: Natural, kinds: tuple[str, ...], config: SynthesisConfig, expert: Expert | None
) -> Iterator[Derived]:
    yield from reverse(natural, kinds)
    if "remove" in config.kinds:
        yield from removed(natural)
    if expert is not None:
        for number, instruction in enumerate(config.instructions):
            for sample in by_expert(natural, expert, instruction):
                yield Derived(**{**vars(sample), "name": f"{natural.name}-expert{number}"})


def _captioned(folder: Path) -> dict[Path, str]:
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    table, wrong = read_table(folder)
    found: dict[Path, str] = {}
    taken: dict[str, str] = {}
    clips = media_below(folder, VIDEOS)
    for path in clips:
        name = path.relative_to(folder).as_posix()
        other = taken.setdefault(_flat(name), name)
        if not is_text(name):
            wrong.append(FieldViolation(repr(name), NO_TEXT))
        elif other != name:
            why = f"its samples would be named as {other}'s; rename one"
            wrong.append(FieldViolation(name, why))
        elif (caption := table.get(name) or read_beside(path)) is None:
            wrong.append(
                FieldViolation(name, "has no caption; write one, or run omnireel data caption")
            )
        elif trouble := check_caption(caption):
            wrong.append(FieldViolation(name, trouble))
        else:
            found[path] = caption.text.strip()
    if not clips:
        raise InvalidInput(f"{folder} holds no clips ({', '.join(sorted(VIDEOS))})", field="input")
    if wrong:
        raise refusal(str(folder), wrong)
    return found


def _flat(file: str) -> str:
    """What the samples of a clip are named by: its file without folders and suffix."""
    return PurePosixPath(file).with_suffix("").as_posix().replace("/", "_")


def _open(path: Path, name: str, of: Mapping[str, str], config: SynthesisConfig) -> Natural:
    clip = read_clip(
        path, config.limits, field=path.name, shrink_short_side=config.short_side, with_audio=False
    )
    subject = find_subject(clip.frames_THWC)
    return Natural(
        name, path, of["sha256"], clip, of["caption"],
        subject.mask_THW if subject else None, subject.shadow_THW if subject else None,
        config.licence, {"mask": "motion and colour"},
    )  # fmt: skip


def _claim(out: Path, plan: Mapping[str, object]) -> None:
    """Note what ``out`` is for, or refuse when it is for something else."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plan, sort_keys=True, indent=1)
    path = out / PLAN
    if path.is_file():
        there, wanted = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
        other = [k for k in sorted({*there, *wanted}) if there.get(k) != wanted.get(k)]
        if other:
            raise AlreadyExists(
                f"{out} holds samples of other settings ({', '.join(other)}); choose another folder"
            )
        return
    if any(out.iterdir()):
        raise AlreadyExists(f"{out} is not empty; choose another folder")
    atomic_write(path, text.encode())


def _said(done: Path, of: Mapping[str, str]) -> str | None:
    """Why a clip gave none or fewer samples; None: it has not been looked at as it is now."""
    if not done.is_file():
        return None
    said = json.loads(done.read_text(encoding="utf-8"))
    why = said.pop("why")
    return why if said == of else None
