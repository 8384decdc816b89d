"""The champion: it moves only through a verdict, and back by one step.

1. The verdict must be about this very content; it is written to the version as tags, passed or not.
2. A refusal ends here, with every rule's numbers.
3. In its turn (:mod:`omnireel.registry.claims`) the alias is read again: the champion must still be
   the one that the verdict compared with. So of two promotions at once the second is told that the
   champion has changed, and neither is lost unseen.
4. The step is written to the model's history, then the alias is set, then read back. A process
   that is killed in between leaves a step that no alias confirms; such steps do not count.

MLflow itself lets anyone with write access set any alias; the rule binds who uses this module.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.registry.claims import claim
from omnireel.registry.tracking import DEFAULT_TRACKING_URI, mlflow_errors, not_found
from omnireel.registry.verdict import GateVerdict
from omnireel.registry.versions import CHAMPION, TAG, ModelVersion, Registry

HISTORY = TAG + "champion.history"
_MAX_HISTORY = 40


@dataclass(frozen=True)
class Promotion:
    """``version`` is champion now; before it was ``previous`` (None: there was none)."""

    version: ModelVersion
    previous: ModelVersion | None


def promote(
    reference: str, verdict: GateVerdict, *, tracking_uri: str = DEFAULT_TRACKING_URI
) -> Promotion:
    """Make a version the champion of its name, if the verdict allows it.

    Promoting the champion again changes nothing.

    Raises:
        NotFound: no such version.
        InvalidInput: the verdict is about other content.
        FailedPrecondition: the gate refused it; or the champion is another one than the verdict
            compared with; or someone else is promoting.
        Unavailable: MLflow does not answer.

    """
    registry = Registry.open(tracking_uri)
    version = registry.resolve(reference)
    if verdict.candidate not in (version.content_hash, version.weights_hash):
        raise InvalidInput(
            f"the verdict is about content {verdict.candidate[:12]}, but {version.ref} is "
            f"{version.content_hash[:12]} (weights {version.weights_hash[:12]}); measure the "
            "version that you promote",
            field="verdict",
        )
    _write_verdict(registry, version, verdict)
    if not verdict.passed:
        lines = "; ".join(verdict.lines) or "the gate has no rule"
        raise FailedPrecondition(f"{version.ref} is not promoted: {lines}")
    with claim(registry, version.name, CHAMPION, version.number):
        before = registry.champion(version.name)
        if before is not None and before.number == version.number:
            return Promotion(version=before, previous=_previous(registry, before))
        _check_opponent(version, before, verdict)
        history = _confirmed(_history(registry, version.name), before)
        history.append({"version": version.number, "previous": before.number if before else None})
        _write_history(registry, version.name, history)
        return Promotion(_point(registry, version), before)


def rollback(name: str, *, tracking_uri: str = DEFAULT_TRACKING_URI) -> Promotion:
    """Make the previous champion of ``name`` champion again; repeated, go back further.

    Returns:
        The restored version, and as ``previous`` the one that it replaces.

    Raises:
        NotFound: no such model, or the previous champion was deleted.
        FailedPrecondition: no champion, no previous one, or someone else is promoting.

    """
    registry = Registry.open(tracking_uri)
    registry.named(name)
    with claim(registry, name, CHAMPION, 0):
        current = registry.champion(name)
        if current is None:
            raise FailedPrecondition(f"{name} has no champion to roll back")
        history = _confirmed(_history(registry, name), current)
        previous = history[-1]["previous"] if history else None
        if previous is None:
            raise FailedPrecondition(
                f"{current.ref} is the first champion of {name} that is recorded; there is none "
                "to go back to"
            )
        try:
            target = registry.resolve(f"{name}/{previous}")
        except NotFound as error:
            raise NotFound(
                f"the previous champion {name}/{previous} was deleted; promote another version"
            ) from error
        restored = _point(registry, target)
        _write_history(registry, name, history[:-1])
        _tag(registry, current, "rolled_back_at", _now())
        return Promotion(restored, current)


def _check_opponent(
    version: ModelVersion, champion: ModelVersion | None, verdict: GateVerdict
) -> None:
    hashes = ("",) if champion is None else (champion.content_hash, champion.weights_hash)
    if verdict.champion in hashes:
        return
    compared = f"content {verdict.champion[:12]}" if verdict.champion else "no champion"
    now = champion.ref if champion else "none"
    raise FailedPrecondition(
        f"{version.ref} is not promoted: its gate compared it with {compared}, but the champion "
        f"of {version.name} is {now} now; measure against that and promote again"
    )


def _write_verdict(registry: Registry, version: ModelVersion, verdict: GateVerdict) -> None:
    _tag(registry, version, "gate.reasons", "\n".join(verdict.lines))
    _tag(registry, version, "gate.champion", verdict.champion or "none")
    _tag(registry, version, "gate.at", _now())
    _tag(registry, version, "gate", "passed" if verdict.passed else "refused")


def _tag(registry: Registry, version: ModelVersion, key: str, value: str) -> None:
    with mlflow_errors(registry.tracking_uri):
        registry.client.set_model_version_tag(version.name, str(version.number), TAG + key, value)


def _point(registry: Registry, version: ModelVersion) -> ModelVersion:
    with mlflow_errors(registry.tracking_uri):
        try:
            registry.client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
        except Exception as error:
            if not_found(error):
                raise NotFound(f"{version.ref} was deleted in the meantime") from error
            raise
    now = registry.champion(version.name)
    if now is None or now.number != version.number:
        raise FailedPrecondition(
            f"{version.name}@{CHAMPION} was set to {version.ref} but is "
            f"{now.ref if now else 'unset'} now: someone else moved it at the same moment"
        )
    return now


def _previous(registry: Registry, champion: ModelVersion) -> ModelVersion | None:
    history = _confirmed(_history(registry, champion.name), champion)
    number = history[-1]["previous"] if history else None
    return next((v for v in registry.versions(champion.name) if v.number == number), None)


def _history(registry: Registry, name: str) -> list[dict[str, Any]]:
    """Steps of the champion, oldest first: ``{"version": 4, "previous": 3}``."""
    steps: list[dict[str, Any]] = json.loads(registry.model_tags(name).get(HISTORY, "[]"))
    return steps


def _confirmed(
    history: list[dict[str, Any]], champion: ModelVersion | None
) -> list[dict[str, Any]]:
    """The history up to the step that made ``champion``; later ones never happened."""
    for end in range(len(history), 0, -1):
        if champion is not None and history[end - 1]["version"] == champion.number:
            return history[:end]
    return []


def _write_history(registry: Registry, name: str, history: list[dict[str, Any]]) -> None:
    with mlflow_errors(registry.tracking_uri):
        registry.client.set_registered_model_tag(name, HISTORY, json.dumps(history[-_MAX_HISTORY:]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
