"""A policy: which checks are asked, the range of scores that each keeps, and how files are cut.

::

    base: standard          # the policy that the lines below change
    unsafe: /models/nsfw    # a classifier's folder, or off; never left out
    embedder: off           # a text-image embedder for the checks of tier 3, or off
    checks:
      resolution: {low: 480}
      logo: off
    shots:
      max_seconds: 10
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from omnireel.data.checks.base import Bounds, Check, Judged, Models, Tier
from omnireel.data.checks.registry import ALL, CHECKS
from omnireel.errors import FieldViolation, InvalidInput, NotFound

NAMES = ("standard",)
_BY_NAME: Mapping[str, type[Judged]] = {check.name: check for check in ALL}
_TOP = ("base", "unsafe", "embedder", "checks", "shots")


@dataclass(frozen=True)
class ShotConfig:
    """How files are cut into shots."""

    split: bool = True
    """False: every file is one shot, however long. A file with companions always is."""
    cut: float = 0.3
    """Change between neighbouring sampled frames that counts as a cut, 0 to 1."""
    max_seconds: float = 10.0
    """Longer ones become several samples."""

    def __post_init__(self) -> None:
        if not 0 < self.cut <= 1:
            raise InvalidInput(f"shots.cut {self.cut} is outside of 0..1", field="shots.cut")
        if not 1 <= self.max_seconds <= 60:
            raise InvalidInput(
                f"shots.max_seconds {self.max_seconds} is outside of 1..60",
                field="shots.max_seconds",
            )


@dataclass(frozen=True)
class Policy:
    """What is asked of data. A check that ``bounds`` does not have is off."""

    name: str
    bounds: Mapping[str, Bounds]
    models: Models = field(default_factory=Models)
    shots: ShotConfig = field(default_factory=ShotConfig)

    def checks(self, *tiers: Tier) -> tuple[type[Check], ...]:
        """The checks of one candidate that are on, in their order."""
        return tuple(c for c in CHECKS if c.tier in tiers and c.name in self.bounds)

    def digest(self) -> str:
        """Identity of everything that decides verdicts: thresholds, versions of checks, cutting."""
        facts = {
            "bounds": {n: [b.low, b.high] for n, b in sorted(self.bounds.items())},
            "versions": {n: _BY_NAME[n].version for n in sorted(self.bounds)},
            "models": {n: str(p) for n, p in vars(self.models).items()},
            "shots": asdict(self.shots),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def standard_policy() -> Policy:
    """Every check at its own standard range, except those whose model nobody named."""
    return _without_models(
        Policy("standard", {check.name: check.standard for check in ALL}), Models()
    )


def load_policy(name: str) -> Policy:
    """The policy called ``name``, or the one in the YAML file at that path.

    Raises:
        NotFound: no such name or file.
        InvalidInput: what it says makes no sense; all mistakes are named.

    """
    if name in NAMES:
        return standard_policy()
    path = Path(name)
    if not path.is_file():
        near = _nearest(name, NAMES)
        raise NotFound(f"there is no policy or file {name!r}{near}")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error
    return read_policy(data, name=path.stem)


def read_policy(data: Any, *, name: str) -> Policy:
    """The policy that parsed YAML describes; see the module.

    Raises:
        InvalidInput: with a violation for every mistake.

    """
    if not isinstance(data, Mapping):
        raise InvalidInput(f"policy {name}: a table is needed", field="policy")
    wrong = [
        FieldViolation(str(key), f"a policy has no {key!r}{_nearest(str(key), _TOP)}")
        for key in data
        if key not in _TOP
    ]
    base = data.get("base", "standard")
    if base not in (*NAMES, "empty"):
        wrong.append(FieldViolation("base", f"{base!r} is not a policy; use standard or empty"))
    models = _models(data, wrong)
    bounds = {} if base == "empty" else {check.name: check.standard for check in ALL}
    _change(bounds, data.get("checks") or {}, wrong)
    shots = _shots(data.get("shots") or {}, wrong)
    _need_models(data.get("checks") or {}, models, wrong)
    if wrong:
        lines = "; ".join(f"{v.field}: {v.description}" for v in wrong)
        raise InvalidInput(f"policy {name}: {lines}", violations=tuple(wrong))
    return _without_models(Policy(name, bounds, models, shots), models)


def _models(data: Mapping[str, Any], wrong: list[FieldViolation]) -> Models:
    if "unsafe" not in data:
        wrong.append(FieldViolation("unsafe", "give the folder of a classifier, or 'unsafe: off'"))
    found: dict[str, Path] = {}
    for key in ("unsafe", "embedder"):
        value = data.get(key, False)
        if value is False or value == "off":  # YAML reads off as false
            continue
        path = Path(str(value))
        if not isinstance(value, str) or not path.exists():
            wrong.append(FieldViolation(key, f"there is no model at {value!r}; give a path or off"))
        found[key] = path
    return Models(**found)


def _change(bounds: dict[str, Bounds], given: Any, wrong: list[FieldViolation]) -> None:
    """Apply the lines of ``checks`` to the base's bounds."""
    if not isinstance(given, Mapping):
        wrong.append(FieldViolation("checks", "a table of check: {low: .., high: ..} is needed"))
        return
    for name, value in given.items():
        where = f"checks.{name}"
        check = _BY_NAME.get(name)
        if check is None:
            wrong.append(
                FieldViolation(where, f"there is no check {name!r}{_nearest(str(name), _BY_NAME)}")
            )
        elif value is False or value == "off":
            bounds.pop(name, None)
        elif value is True or value == "on":
            bounds[name] = check.standard
        elif not isinstance(value, Mapping) or not value or value.keys() - {"low", "high"}:
            wrong.append(FieldViolation(where, "give {low: .., high: ..}, on or off"))
        else:
            bounds[name] = _bounds(where, check, bounds.get(name, Bounds()), value, wrong)


def _bounds(
    where: str,
    check: type[Judged],
    now: Bounds,
    value: Mapping[str, Any],
    wrong: list[FieldViolation],
) -> Bounds:
    for end, threshold in value.items():
        if isinstance(threshold, bool) or not isinstance(threshold, int | float):
            wrong.append(FieldViolation(f"{where}.{end}", f"{threshold!r} is not a number"))
            return now
        if threshold not in check.scale:
            nearest = min(max(threshold, check.scale.low), check.scale.high)
            wrong.append(
                FieldViolation(
                    f"{where}.{end}",
                    f"{threshold:g} is out of range for {check.unit} ({check.scale}); did you mean "
                    f"{nearest:g}?",
                )
            )
    changed = replace(now, **{end: float(threshold) for end, threshold in value.items()})
    if changed.low > changed.high:
        wrong.append(
            FieldViolation(where, f"low {changed.low:g} is above high {changed.high:g}; swap them")
        )
    return changed


def _shots(given: Any, wrong: list[FieldViolation]) -> ShotConfig:
    known = {f.name: f for f in fields(ShotConfig)}
    if not isinstance(given, Mapping):
        wrong.append(FieldViolation("shots", f"a table with {', '.join(known)} is needed"))
        return ShotConfig()
    for key, value in given.items():
        if key not in known:
            wrong.append(FieldViolation(f"shots.{key}", f"unknown{_nearest(str(key), known)}"))
        elif isinstance(value, bool) != (key == "split") or not isinstance(value, int | float):
            wrong.append(FieldViolation(f"shots.{key}", f"{value!r} does not fit"))
    if any(v.field.startswith("shots") for v in wrong):
        return ShotConfig()
    try:
        return ShotConfig(**given)
    except InvalidInput as error:
        wrong.extend(error.violations)
        return ShotConfig()


def _need_models(given: Any, models: Models, wrong: list[FieldViolation]) -> None:
    """A check that somebody asks for by name needs its model."""
    for name, value in given.items() if isinstance(given, Mapping) else ():
        check = _BY_NAME.get(name)
        need = _model_of(check) if check is not None else None
        if need and value not in (False, "off") and getattr(models, need) is None:
            wrong.append(FieldViolation(need, f"the check {name!r} needs one; name its folder"))


def _without_models(policy: Policy, models: Models) -> Policy:
    """The policy without checks whose model is off."""
    kept = {
        name: bounds
        for name, bounds in policy.bounds.items()
        if (need := _model_of(_BY_NAME[name])) is None or getattr(models, need) is not None
    }
    return replace(policy, bounds=kept)


def _model_of(check: type[Judged]) -> str | None:
    if issubclass(check, Check):
        return check.model
    return None


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"
