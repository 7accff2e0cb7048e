"""The command line.

Every command ends with one of these exit codes: 0 done, 1 failed, 2 the command line or the settings cannot be used,
3 a server does not answer, 130 interrupted. What went wrong is one line on standard error; ``--debug`` adds where.
"""

import sys
import traceback
from typing import Annotated

import typer

from vigie import __version__
from vigie.cli import (
    dead_letters,
    demo,
    exporting,
    importing,
    init,
    learner,
    predict,
    simulate,
    status,
    stream,
    train,
    up,
    web,
)
from vigie.cli.exits import MEANINGS, code_of
from vigie.errors import VigieError

_EXITS = "  \n".join(f"{code}  {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    help="Vigie labels streams of short texts with a person in the loop. Start with: vigie demo",
    epilog=f"Exit codes:\n\n{_EXITS}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_TO_START = "Start"
_ROLES = "Roles"
_DATA = "Models and data"

app.command(rich_help_panel=_TO_START)(demo.demo)
app.command(rich_help_panel=_TO_START)(init.init)
app.command(rich_help_panel=_TO_START)(up.up)
app.command(rich_help_panel=_TO_START)(status.status)
app.command(rich_help_panel=_ROLES)(web.web)
app.command(rich_help_panel=_ROLES)(stream.stream)
app.command(rich_help_panel=_ROLES)(learner.learner)
app.command("import", rich_help_panel=_DATA)(importing.import_file)
app.command("export", rich_help_panel=_DATA)(exporting.export_file)
app.command(rich_help_panel=_DATA)(train.train)
app.command(rich_help_panel=_DATA)(predict.predict)
app.command(rich_help_panel=_DATA)(simulate.simulate)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=_DATA)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"vigie {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
]


@app.callback()
def _options_before_the_command(version: VersionOption = False) -> None:
    """Hold the options that stand before a command."""


def main() -> None:
    """Run the command that the command line names, and end the process with its exit code."""
    try:
        app(prog_name="vigie")
    except VigieError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        print(f"vigie: {error}", file=sys.stderr)
        sys.exit(code_of(error))
