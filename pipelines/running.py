"""A whole workflow on this machine, by Kubeflow's local runner: no cluster, no containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import local

from omnireel.errors import FailedPrecondition, InvalidInput


def run_here(pipeline: Any, arguments: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Run every step in turn, each as a process of this Python; what they hand on lies in ``root``.

    Returns:
        The workflow's outputs.

    Raises:
        InvalidInput: an argument that the workflow does not have, or one that is missing.
        FailedPrecondition: a step failed; its output was shown.

    """
    check_arguments(pipeline, arguments)
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
    try:
        return dict(pipeline(**arguments).outputs)
    except RuntimeError as error:  # the local runner has no other word for a failed step
        raise FailedPrecondition(f"the workflow stopped: {error}") from error


def check_arguments(pipeline: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse unknown and missing arguments by name."""
    inputs = pipeline.component_spec.inputs or {}
    if unknown := sorted(arguments.keys() - inputs.keys()):
        raise InvalidInput(
            f"unknown argument {unknown[0]!r}; valid: {', '.join(inputs)}",
            field=unknown[0],
        )
    missing = [n for n, spec in inputs.items() if not spec.optional and n not in arguments]
    if missing:
        raise InvalidInput(f"{missing[0]} is missing; give -a {missing[0]}=...", field=missing[0])
