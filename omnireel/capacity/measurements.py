"""Measured times and sizes of one model on one kind of device, as a TOML file says them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from omnireel.errors import InvalidInput, NotFound

MODEL_SERVICES = ("prompt_enhancer", "generator", "super_resolver")
"""The stages that a model service runs, in order."""
FINISH = "finish"
"""What the worker itself does at the end."""
STAGES = (*MODEL_SERVICES, FINISH)

MEASURED = Path(__file__).parent / "measured"


@dataclass(frozen=True)
class StageTime:
    """One job in one stage, alone: ``other_s`` and ``steps`` times ``step_s``; seconds.

    ``cv`` is the standard deviation of the whole over its mean.
    """

    other_s: float
    cv: float = 0.0
    steps: int = 0
    step_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("other_s", "cv", "steps", "step_s"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name} must not be negative", field=name)
        if not self.mean_s > 0:
            raise InvalidInput("a stage must take time: set other_s, or steps and step_s", field="")

    @property
    def mean_s(self) -> float:
        """Of a whole job."""
        return self.other_s + self.steps * self.step_s


@dataclass(frozen=True)
class Measurements:
    """``device`` is what one replica of a model service has; times are of jobs that ran alone."""

    device: str
    model: str
    """Which model, and in which format."""
    source: str
    """Who measured this, where and how."""
    stages: Mapping[str, StageTime]
    dispatch_s: float = 0.0
    """From accepting a job to its first stage when a slot is free."""
    video_bytes: float = 0.0
    """What a finished job keeps: videos and poster."""
    artefact_bytes: float = 0.0
    """What it keeps for a while longer: latents, the base video, previews."""
    creates_per_s: float = 0.0
    """Jobs that one gateway takes in at most; 0: not measured."""

    def __post_init__(self) -> None:
        if unknown := set(self.stages) - set(STAGES):
            raise InvalidInput(
                f"unknown stage {min(unknown)!r}; valid: {', '.join(STAGES)}", field="stages"
            )
        if "generator" not in self.stages:
            raise InvalidInput("stages.generator is missing: no video without it", field="stages")
        for name in ("dispatch_s", "video_bytes", "artefact_bytes", "creates_per_s"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name} must not be negative", field=name)

    def with_steps(self, service: str, steps: int) -> Measurements:
        """The same with another number of denoising steps.

        Raises:
            InvalidInput: the stage was not measured step by step.

        """
        time = self.stages.get(service)
        if time is None or not time.steps:
            raise InvalidInput(
                f"the measurements of {self.device!r} have no step time of {service}, so its "
                "number of steps cannot be changed",
                field="--steps",
            )
        return replace(self, stages={**self.stages, service: replace(time, steps=steps)})


def measured_devices() -> tuple[str, ...]:
    """The kinds of device whose measurements come with the package."""
    return tuple(sorted(path.stem for path in MEASURED.glob("*.toml")))


def measurements_of(device: str) -> Measurements:
    """Those that come with the package.

    Raises:
        NotFound: there are none of this device.

    """
    known = measured_devices()
    if device not in known:
        near = get_close_matches(device, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise NotFound(
            f"there are no measurements of {device!r}; {hint}known: {', '.join(known)}. "
            "Measure a running installation with `omnireel plan measure --out mine.toml` and give "
            "the file as --measurements mine.toml"
        )
    return read_measurements(MEASURED / f"{device}.toml")


def read_measurements(path: Path) -> Measurements:
    """From a file.

    Raises:
        InvalidInput: it cannot be read, or something in it is wrong; names the place.

    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}", field="--measurements") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}", field="--measurements") from None
    stages = found.pop("stages", {})
    if not isinstance(stages, dict):
        raise InvalidInput(f"{path}: stages must be a table of stages", field="--measurements")
    try:
        times = {name: StageTime(**_checked(StageTime, value)) for name, value in stages.items()}
        return Measurements(**_checked(Measurements, found, without="stages"), stages=times)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", field="--measurements") from None


def measurements_text(measured: Measurements) -> str:
    """The file."""
    lines = [
        f"{f.name} = {_toml(getattr(measured, f.name))}"
        for f in fields(measured)
        if f.name != "stages" and getattr(measured, f.name) != f.default
    ]
    for name, time in measured.stages.items():
        lines += ["", f"[stages.{name}]"]
        lines += [
            f"{f.name} = {_toml(getattr(time, f.name))}"
            for f in fields(time)
            if getattr(time, f.name) != f.default
        ]
    return "\n".join(lines) + "\n"


def _toml(value: str | float) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        return f'"{escaped}"'
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _checked(kind: type, given: Any, *, without: str = "") -> dict[str, Any]:
    """The values of a table, each of its field's type."""
    if not isinstance(given, dict):
        raise InvalidInput(f"{given!r} is not a table of values")
    known = {f.name: f for f in fields(kind) if f.name != without}
    if unknown := set(given) - set(known):
        raise InvalidInput(f"unknown field {min(unknown)!r}; valid: {', '.join(known)}")
    allowed = {"str": (str,), "int": (int,), "float": (int, float)}
    for name, field in known.items():
        if name in given:
            value, names = given[name], str(field.type)
            if not isinstance(value, allowed[names]) or isinstance(value, bool):
                kinds = {"str": "text", "int": "a whole number", "float": "a number"}
                raise InvalidInput(f"{name} must be {kinds[names]}, not {value!r}")
        elif field.default is not None and "MISSING" in type(field.default).__name__:
            raise InvalidInput(f"{name} is missing")
    return given
