"""Own weights for a stack: the parts that a folder holds, and shipped ones for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omnireel.errors import InvalidInput

PARTS = ("vae", "generator", "upscaler", "enhancer")
"""Component folders that the services load."""
_ALSO = ("teacher",)
"""What an adapter may need."""


def parts_of(folder: Path) -> tuple[str, ...]:
    """Which of ``PARTS`` are in ``folder``.

    Raises:
        InvalidInput: none, with what to name instead.
    """
    found = tuple(part for part in PARTS if _is_component(folder / part))
    if found:
        return found
    if _is_component(folder):
        raise InvalidInput(
            f"{folder} is one component; name the folder that holds it, in which it must be "
            f"called {', '.join(PARTS[:-1])} or {PARTS[-1]}",
            field="weights",
        )
    raise InvalidInput(
        f"{folder} holds none of {', '.join(PARTS)}; make one with 'omnireel train export RUN "
        f"{folder / 'generator'}', or 'omnireel registry fetch VERSION --out "
        f"{folder / 'generator'}'",
        field="weights",
    )


def describe_parts(own: Path, shipped: str) -> str:
    """Which part comes from where, in one line; ``shipped`` names the weights for the rest."""
    found = parts_of(own)
    rest = ", ".join(part for part in PARTS if part not in found)
    line = f"weights: {', '.join(found)} from {own}"
    return f"{line}; {rest}: {shipped}" if rest else line


def join_parts(own: Path, shipped: Path) -> dict[str, Path]:
    """Where each component comes from: ``own`` where that holds it, else ``shipped``."""
    joined = {}
    for part in (*PARTS, *_ALSO):
        for folder in (own, shipped):
            if _is_component(folder / part):
                joined[part] = (folder / part).resolve()
                break
    return joined


def link_parts(parts: Mapping[str, Path], into: Path) -> None:
    """Make ``into`` a folder of links to ``parts``, and of nothing else."""
    into.mkdir(parents=True, exist_ok=True)
    for old in into.iterdir():
        old.unlink()
    for name, folder in parts.items():
        (into / name).symlink_to(folder, target_is_directory=True)


def _is_component(folder: Path) -> bool:
    return (folder / "card.json").is_file()
