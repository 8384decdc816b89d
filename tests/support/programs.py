"""Programs that are no Python packages; ``make system-packages`` installs them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class MissingProgram(RuntimeError):
    """A test needs a program that is not there: it fails in CI and is skipped elsewhere."""


def program(*names: str, folders: tuple[Path, ...] = ()) -> str:
    """The path of the first of ``names`` that is there; ``folders`` come before the usual ones.

    Raises:
        MissingProgram: none is; the message says how to get it.

    """
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise MissingProgram(f"{names[0]} is not installed; run `make system-packages` as root")
