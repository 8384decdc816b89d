"""``omnireel models``: look at model components and check their integrity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.shipped import SHIPPED

app = typer.Typer(
    name="models", help="Show, verify, merge and average model components.", no_args_is_help=True
)

Folder = Annotated[
    Path | None,
    typer.Argument(help="A component folder, or a folder of them; default: the shipped ones."),
]


@app.command("show")
def show(folder: Folder = None) -> None:
    """List components with size and scores. Example: omnireel models show."""
    from omnireel.registry import verify

    for path in _components(folder):
        card = verify(path)
        scores = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in card.get("scores", {}).items()
        )
        typer.echo(
            f"{path}: {card['kind']}, {card['num_parameters'] / 1e6:.2f} M parameters, "
            f"{card['weight_bytes'] / 2**20:.1f} MiB" + (f"; {scores}" if scores else "")
        )


@app.command("verify")
def verify_all(folder: Folder = None) -> None:
    """Check the files of every component against its card. Example: omnireel models verify."""
    from omnireel.registry import verify

    for path in _components(folder):
        verify(path)
        typer.echo(f"{path}: ok")


@app.command("merge")
def merge(
    adapter: Annotated[Path, typer.Argument(help="Component folder of the adapter.")],
    base: Annotated[Path, typer.Argument(help="Component folder of its generator.")],
    out: Annotated[Path, typer.Argument(help="Component folder to write.")],
) -> None:
    """Fold an adapter into its generator. Example: omnireel models merge ADAPTER BASE OUT."""
    from omnireel.generate.adapters import merge_adapter

    typer.echo(merge_adapter(adapter, base, out))


@app.command("average")
def average(
    first: Annotated[Path, typer.Argument(help="Component folder; its configuration is kept.")],
    second: Annotated[Path, typer.Argument(help="Component folder of the same architecture.")],
    out: Annotated[Path, typer.Argument(help="Component folder to write.")],
    share: Annotated[float, typer.Option(help="Weight of the first model (0 to 1).")] = 0.5,
) -> None:
    """The mean of two models of one descent. Example: omnireel models average A B OUT."""
    from omnireel.generate.averaging import average_models

    command = f"omnireel models average {first} {second} {out} --share {share:g}"
    typer.echo(average_models(first, second, share, out, command))


def _components(folder: Path | None) -> list[Path]:
    from omnireel.errors import NotFound

    root = folder or SHIPPED
    found = sorted({path.parent for path in root.rglob("card.json")})
    if not found:
        raise NotFound(
            f"no model component below {root}; train one with 'omnireel train <recipe>' and "
            "'omnireel train export RUN FOLDER'"
        )
    return found
