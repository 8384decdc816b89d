"""A model that is loaded and warmed up beside a server that already answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from omnireel.errors import Unavailable
from services.common.logs import get_logger, timed

log = get_logger(__name__)

E = TypeVar("E")


class ModelHost(Generic[E]):
    """Holds the engine once it is ready; before that, asking for it is :class:`Unavailable`."""

    def __init__(self, load: Callable[[], E], warm_up: Callable[[E], None]) -> None:
        self._load = load
        self._warm_up = warm_up
        self._engine: E | None = None

    def prepare(self) -> None:
        """Load the weights and run one warm-up step; errors pass through."""
        with timed(log, "weights loaded"):
            engine = self._load()
        with timed(log, "warmed up"):
            self._warm_up(engine)
        self._engine = engine

    def engine(self) -> E:
        """The engine, ready to work."""
        if self._engine is None:
            raise Unavailable(
                "the model is still loading; wait until health says SERVING", retry_after_s=2.0
            )
        return self._engine
