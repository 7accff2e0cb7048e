"""The options that several commands share, so that they are written and explained the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

ProjectOption = Annotated[
    Path,
    typer.Option(
        "--project", metavar="DIR", envvar="VIGIE_PROJECT", help="The project directory.", show_default="this one"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs instead of text for people.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Log more, and show where an error comes from.")]
LogJsonOption = Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")]
OnlyLogJsonOption = Annotated[bool, typer.Option("--log-json", "--json", help="Log one JSON object a line.")]
"""For commands that say nothing but what they log."""
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        metavar="N",
        min=0,
        max=65535,
        help="Where pages and API listen; 0 takes a free one.  [default: web.port, 8080]",
    ),
]

HERE = Path()
