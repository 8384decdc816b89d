"""Workflows as the YAML that Kubeflow Pipelines takes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from kfp import compiler

from omnireel.files import atomic_write


def compiled(pipeline: Any) -> bytes:
    """The pipeline spec and, as a second document, what is particular to Kubernetes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return path.read_bytes()


def documents(text: bytes) -> dict[str, Any]:
    """Both documents as one object, the form in which the server takes a spec with a run."""
    spec, *platform = yaml.safe_load_all(text)
    return {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec


def write_compiled(pipeline: Any, path: Path) -> None:
    """Compile into a file, which is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, compiled(pipeline))
