"""Every rung's component as a model version whose parents are the rungs that it stands on."""

from __future__ import annotations

from omnireel.recipes.climb import RungResult
from omnireel.registry.publishing import register
from omnireel.registry.versions import ModelVersion

_RUN_ID_FILE = "mlflow_run_id"


class LadderVersions:
    """Registers rungs in order; the same component again is the version that it was."""

    def __init__(self, size: str, tracking_uri: str) -> None:
        self._size, self._tracking_uri = size, tracking_uri
        self._by_component: dict[str, str] = {}

    def register(self, result: RungResult) -> ModelVersion:
        """The version of a finished rung, called ``omnireel-<size>-<part>``.

        Raises:
            NotFound: a rung that it stands on was not registered first.

        """
        run_id = result.component.parent / "run" / _RUN_ID_FILE
        parents = dict.fromkeys(self._by_component[str(p)] for p in result.stands_on.values())
        version = register(
            result.component,
            name=f"omnireel-{self._size}-{result.rung.part}",
            run_id=run_id.read_text(encoding="utf-8").strip() if run_id.is_file() else None,
            parents=tuple(parents),
            tracking_uri=self._tracking_uri,
        )
        self._by_component[str(result.component)] = version.ref
        return version
