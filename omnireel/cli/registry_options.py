"""What the verbs of ``omnireel registry`` take alike."""

from __future__ import annotations

from typing import Annotated

import typer

Mlflow = Annotated[str, typer.Option("--mlflow", help="MLflow tracking address.")]
Reference = Annotated[
    str, typer.Argument(metavar="REF", help="NAME/3, NAME@champion, or the start of a hash.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_MLFLOW = "sqlite:///runs/mlflow.db"
