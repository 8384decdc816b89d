"""A model that is loaded and warmed up beside a server that already answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from omnireel.errors import Unavailable
from services.common.logs import get_logger, timed
from services.common.model_info import Denoised, ModelInfo

log = get_logger(__name__)


class Engine(Protocol):
    """What every engine has besides the one thing that it does."""

    @property
    def info(self) -> ModelInfo:
        """What runs here."""
        ...

    @property
    def denoised(self) -> Denoised | None:
        """What was denoised since the start; None: it does not denoise."""
        ...

    def warm_up(self) -> None:
        """Run the smallest possible piece of work; an engine that cannot is not ready."""
        ...


E = TypeVar("E", bound=Engine)


class ModelHost(Generic[E]):
    """Holds the engine once it is ready; before that, asking for it is :class:`Unavailable`."""

    def __init__(self, load: Callable[[], E]) -> None:
        self._load = load
        self._engine: E | None = None

    def prepare(self, loaded: Callable[[], None] = lambda: None) -> None:
        """Load the weights, say so by ``loaded()``, run one warm-up step; errors pass through."""
        with timed(log, "weights loaded"):
            engine = self._load()
        loaded()
        with timed(log, "warmed up", model=engine.info.name, version=engine.info.version):
            engine.warm_up()
        self._engine = engine

    @property
    def denoised(self) -> Denoised | None:
        """The engine's; None before it is ready."""
        return self._engine.denoised if self._engine else None

    def engine(self) -> E:
        """The engine, ready to work."""
        if self._engine is None:
            loading = Unavailable(
                "the model is still loading; wait until health says SERVING", retry_after_s=2.0
            )
            loading.reason = "LOADING"
            raise loading
        return self._engine
