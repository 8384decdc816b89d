"""What kfp's executor loads on this machine: ``<verb>``, a function that runs the verb's words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from pipelines.components.step import Verb, with_interface
from pipelines.components.verbs import VERBS


def __getattr__(name: str) -> Callable[..., None]:
    if name not in VERBS:
        raise AttributeError(name)
    return _runnable(VERBS[name])


def _runnable(verb: Verb) -> Callable[..., None]:
    def run(**values: Any) -> None:
        words = [str(word) for word in verb.words(**values)]
        code = subprocess.run([sys.executable, "-m", "omnireel.cli.main", *words], check=False)
        if code.returncode:
            sys.exit(code.returncode)

    return with_interface(run, verb)
