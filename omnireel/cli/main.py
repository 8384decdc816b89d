"""The entry point of ``omnireel``: options for every verb, and failures as one line.

The order of things: `VerbGroup` finds and imports the verb, the verb calls one function of the
library or the client, and whatever that raises ends in `MainGroup.invoke`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from omnireel import __version__
from omnireel.cli.printing import err, exit_code, out, report
from omnireel.cli.verbs import VerbGroup

_EPILOG = (
    "Example: `omnireel up`, then `omnireel generate 'a red ball jumps on a meadow' "
    "--out ball.mp4`, then `omnireel down`."
)


class MainGroup(VerbGroup):
    """Ends every failure of a verb with one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb: 2 for invalid input, 130 after Ctrl-C, 1 for any other failure."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise  # --help, usage errors and closed pipes are typer's business
        except (Exception, KeyboardInterrupt) as error:  # the last line of the program
            if ctx.params.get("debug"):
                err().print_exception()
            report(error)
            raise typer.Exit(exit_code(error)) from error


app = typer.Typer(
    cls=MainGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain: rich doubles the time until the help is there
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out().print(f"omnireel {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="OMNIREEL_DEBUG", help="Show tracebacks.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Train, serve and use one unified video model."""


def main() -> None:
    """Run the command line of this process and exit."""
    app()


if __name__ == "__main__":
    main()
