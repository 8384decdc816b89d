"""How a trial of a version ends, whatever became of it: it is the champion, or it is not served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from omnireel.cli.rollout.targets import Target
from omnireel.errors import OmnireelError

CANARY = "canary"
"""Alias of the version that is tried."""


def settle(
    version: str,
    model: Path,
    targets: Mapping[str, Target],
    mlflow: str,
    say: Callable[[str], None],
) -> None:
    """Let places that serve ``model`` go back, unless its ``version`` became the champion.

    It may be repeated, and does nothing where something else is served. A place that fails does not
    keep the others.

    Raises:
        NotFound: there is no such version.
        OmnireelError: of the first place that could not be set back.

    """
    from omnireel.registry.publishing import drop_alias
    from omnireel.registry.versions import Registry

    registry = Registry.open(mlflow)
    tried = registry.resolve(version)
    champion = registry.champion(tried.name)
    if champion is not None and champion.ref == tried.ref:
        say(f"{tried.ref} is the champion, and stays in service")
        return
    failures: list[OmnireelError] = []
    for name, target in targets.items():
        try:
            served = target.undo(model)
        except OmnireelError as error:
            say(f"{name}: {error.message}")
            failures.append(error)
        else:
            say(f"{name}: {served or f'does not serve {tried.ref}'}")
    drop_alias(tried.ref, CANARY, tracking_uri=mlflow)
    if failures:
        raise failures[0]
