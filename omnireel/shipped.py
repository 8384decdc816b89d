"""Where the weights that ship with the package are, from whatever directory a command runs.

Recipes, run folders and plans name them ``omnireel/weights/...``, which holds on any machine; here
that becomes the folder of the package that is running.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_PREFIX = ("omnireel", "weights")

SHIPPED = _PACKAGE / "weights"
SHIPPED_TINY = SHIPPED / "tiny"
SHIPPED_TEACHER = SHIPPED_TINY / "teacher"
SHIPPED_ORACLE = SHIPPED / "oracle"


def located(path: Path) -> Path:
    """``path``; if it is ``omnireel/weights/..`` and nothing else lies there, the package's own."""
    if path.parts[:2] != _PREFIX:
        return path
    own = _PACKAGE.parent / path
    return path if path.exists() and path.resolve() != own else own


def portable(path: Path) -> str:
    """``path`` as text that another machine understands: the package's own weights without the
    folder that the package is in."""
    if path.is_relative_to(SHIPPED):
        return path.relative_to(_PACKAGE.parent).as_posix()
    return str(path)
