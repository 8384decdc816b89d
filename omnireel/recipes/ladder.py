"""The training ladder as data: which stages make the model, and what each starts from.

A rung is one run of one recipe. It makes one part of the model (``vae``, ``generator``, ...),
starts from the component that an earlier rung left, and uses the newest part of every other kind.
:mod:`omnireel.recipes.climb` runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from omnireel.errors import InvalidInput

Part = Literal["vae", "generator", "upscaler", "enhancer"]

SMOKE_FRAME = 'data.formats=[{"width": 32, "height": 32, "num_frames": 1, "fps": 8.0}]'


SECOND_ROUND = ("pairs.round=2", "pairs.seed=70000000")
"""Other prompts than in the first round of preferences."""


@dataclass(frozen=True)
class Rung:
    """One training stage: which recipe makes which part of the model, from which earlier stage."""

    name: str
    purpose: str
    """What the part learns here, for people."""
    part: Part
    recipe: str
    """Name in :data:`omnireel.recipes.RECIPES`."""
    smoke_recipe: str
    """The recipe that stands for it where only the joints between stages are tried."""
    start: str = ""
    """Rung whose component this one starts from; empty: from random weights."""
    teacher: str = ""
    """Distillation: rung whose component is the teacher."""
    optional: bool = False
    """It refines what is there already: set aside when it is measured to be worse than that."""
    overrides: tuple[str, ...] = ()
    """Settings of the recipe that differ, as ``field=value``."""
    smoke_overrides: tuple[str, ...] = ()
    """The same of ``smoke_recipe``."""

    def plan(self, *, smoke: bool) -> tuple[str, tuple[str, ...]]:
        """Recipe name and overrides."""
        if smoke:
            return self.smoke_recipe, self.smoke_overrides
        return self.recipe, self.overrides

    def with_settings(self, settings: Sequence[str]) -> Rung:
        """The rung with more overrides, tried or climbed."""
        return replace(
            self,
            overrides=(*self.overrides, *settings),
            smoke_overrides=(*self.smoke_overrides, *settings),
        )


@dataclass(frozen=True)
class Ladder:
    """Rungs in order."""

    size: str
    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        seen: dict[str, Part] = {}
        for rung in self.rungs:
            if rung.name in seen:
                raise InvalidInput(f"two rungs are called {rung.name}", field="rungs")
            for role in ("start", "teacher"):
                named = getattr(rung, role)
                if named and named not in seen:
                    raise InvalidInput(
                        f"{rung.name} has {named} as {role}, which is not an earlier rung",
                        field=f"rungs.{rung.name}.{role}",
                    )
            if rung.optional and not rung.start:
                raise InvalidInput(
                    f"{rung.name} is optional, so it needs a start to fall back to",
                    field=f"rungs.{rung.name}.start",
                )
            seen[rung.name] = rung.part

    def in_distillation(self, rung: Rung) -> bool:
        """Whether a rung is a student, or the teacher of one."""
        return bool(rung.teacher) or any(r.teacher == rung.name for r in self.rungs)


def tiny_ladder() -> Ladder:
    """The shipped model: everything from random weights on the procedural world."""
    return Ladder(
        "tiny",
        (
            Rung(
                "vae",
                "clips to latents and back",
                part="vae",
                recipe="vae-tiny",
                smoke_recipe="vae-debug",
            ),
            Rung(
                "keeper",
                "pixels of the media that a clip was made from",
                part="vae",
                recipe="keeper-tiny",
                smoke_recipe="keeper-debug",
                start="vae",
            ),
            Rung(
                "images",
                "what things look like",
                part="generator",
                recipe="generator-tiny-images",
                smoke_recipe="generator-debug",
                smoke_overrides=(SMOKE_FRAME,),
            ),
            Rung(
                "clips",
                "how things move",
                part="generator",
                recipe="generator-tiny-clips",
                smoke_recipe="generator-debug",
                start="images",
            ),
            Rung(
                "tasks",
                "references, edits, first frames",
                part="generator",
                recipe="generator-tiny",
                smoke_recipe="generator-debug",
                start="clips",
            ),
            Rung(
                "all-tasks",
                "every task of the table",
                part="generator",
                recipe="generator-tiny-all",
                smoke_recipe="generator-debug",
                start="tasks",
            ),
            Rung(
                "quality",
                "few, balanced, clear and precisely told",
                part="generator",
                recipe="generator-tiny-quality",
                smoke_recipe="generator-debug",
                start="all-tasks",
                optional=True,
            ),
            Rung(
                "preference",
                "what its own better clips have in common",
                part="generator",
                recipe="preference-tiny",
                smoke_recipe="preference-debug",
                start="quality",
                optional=True,
            ),
            Rung(
                "preference-2",
                "the same with clips of the better model",
                part="generator",
                recipe="preference-tiny",
                smoke_recipe="preference-debug",
                start="preference",
                optional=True,
                overrides=SECOND_ROUND,
                smoke_overrides=SECOND_ROUND,
            ),
            Rung(
                "trajectory",
                "ten steps without guidance",
                part="generator",
                recipe="trajectory-tiny",
                smoke_recipe="trajectory-debug",
                start="preference-2",
                teacher="preference-2",
            ),
            Rung(
                "distribution",
                "ten steps that look like the teacher's",
                part="generator",
                recipe="distribution-tiny",
                smoke_recipe="distribution-debug",
                start="trajectory",
                teacher="preference-2",
            ),
            Rung(
                "upscaler",
                "twice the size",
                part="upscaler",
                recipe="upscaler-tiny",
                smoke_recipe="upscaler-debug",
                start="all-tasks",
            ),
            Rung(
                "upscaler-distilled",
                "twice the size in one step",
                part="upscaler",
                recipe="upscaler-student-tiny",
                smoke_recipe="upscaler-student-debug",
                start="upscaler",
                teacher="upscaler",
            ),
            Rung(
                "enlarger",
                "detail that the small clip's own pixels tell",
                part="upscaler",
                recipe="enlarger-tiny",
                smoke_recipe="enlarger-debug",
                start="upscaler-distilled",
            ),
            Rung(
                "fusion",
                "the same in clips of twice the size",
                part="upscaler",
                recipe="fusion-tiny",
                smoke_recipe="fusion-debug",
                start="enlarger",
            ),
            Rung(
                "enhancer",
                "careless words to exact ones",
                part="enhancer",
                recipe="enhancer-tiny-all",
                smoke_recipe="enhancer-debug",
            ),
            Rung(
                "enhancer-rl",
                "policy: answers that are worth more",
                part="enhancer",
                recipe="enhancer-rl-tiny",
                smoke_recipe="enhancer-rl-debug",
                start="enhancer",
            ),
        ),
    )


LADDERS = {"tiny": tiny_ladder}


def build_ladder(size: str) -> Ladder:
    """The ladder of a size.

    Raises:
        InvalidInput: there is none.

    """
    if size not in LADDERS:
        raise InvalidInput(
            f"there is no ladder of size {size!r}; use {', '.join(LADDERS)}", field="size"
        )
    return LADDERS[size]()
