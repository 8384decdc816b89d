"""What recipes of a super-resolver's pixel networks share: where they begin.

Start from a trained super-resolver with --init-from: what comes out is that super-resolver with
one part new, or trained further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate.components import check_latent_space, weights_sha256
from omnireel.recipes.base import ComponentParts, Workplace
from omnireel.recipes.on_pairs import PairRecipe
from omnireel.recipes.upscaler import LIMITS
from omnireel.registry import load_component
from omnireel.shipped import SHIPPED_TINY
from omnireel.train.pair_cache import FACTOR

_ORIGIN = "super_resolver"
"""The hash of the weights that training began from, among what a run stands on."""


@dataclass(frozen=True)
class PixelPartRecipe(PairRecipe):
    """Training of one pixel network of a super-resolver, on pairs of clips."""

    title: ClassVar[str] = "Omnireel super-resolver"
    part: ClassVar[str]
    """Its name in the component."""

    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the autoencoder that wears the base clips."""

    def autoencoder(self, place: Workplace) -> Path:
        """The one that the recipe names."""
        del place
        return self.vae

    def origin(self, place: Workplace) -> Path:
        """The super-resolver that the run begins with.

        Raises:
            InvalidInput: it starts from nothing, or from something else than a super-resolver of
                this factor and autoencoder.

        """
        if place.started_from is None:
            raise InvalidInput(
                f"the {self.part} is a part of a super-resolver: give its component with "
                f"--init-from, for example --init-from {SHIPPED_TINY / 'upscaler'}",
                field="init_from",
            )
        component = load_component(place.started_from, kind="upscaler")
        check_latent_space(component, self.vae)
        factor = int(component.config["upscale"]["factor"])
        if factor != FACTOR:
            raise InvalidInput(
                f"{place.started_from} enlarges {factor} times, this recipe {FACTOR} times",
                field="init_from",
            )
        return place.started_from

    def pinned(self, place: Workplace) -> Mapping[str, str]:
        """What the run stands on: its data, and the weights that it begins with."""
        origin = self.origin(place)
        return {**self.prepare(place), _ORIGIN: _weights_of(origin)}

    def with_parts(
        self,
        place: Workplace,
        upscale: Mapping[str, Any],
        state: Mapping[str, Tensor],
    ) -> ComponentParts:
        """The super-resolver that training started from, with other parts.

        Raises:
            IntegrityError: it is not the one any more that the run began with.

        """
        origin = self.origin(place)
        if _weights_of(origin) != place.pinned[_ORIGIN]:
            raise IntegrityError(
                f"{origin} is no longer the super-resolver that the run began with; restore it, "
                f"or train the {self.part} of the new one"
            )
        config = {**load_component(origin).config, "upscale": dict(upscale)}
        return ComponentParts("upscaler", config, state, self.card(LIMITS))


def _weights_of(folder: Path) -> str:
    return weights_sha256(load_component(folder, kind="upscaler"))
