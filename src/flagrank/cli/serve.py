"""`flagrank serve`: the HTTP server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flagrank.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from flagrank.service import Model


Host = Annotated[
    str | None,
    typer.Option(
        help="Address to listen on; others than loopback need FLAGRANK_ALLOW_NO_KEYS=true.",
        show_default="127.0.0.1",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.", show_default="8081"),
]
ModelSource = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|demo",
        help="The package to serve; demo is the bundled one, trained on synthetic reports.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Feature schema of the reports (TOML); by default the package's own."),
]
IsDemo = Annotated[bool, typer.Option("--demo", help="The same as --model demo.")]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    demo: IsDemo = False,
    model: ModelSource = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> None:
    """Serve scores over HTTP: POST /prediction, and interactive documentation at /docs."""
    from flagrank import service
    from flagrank.settings import DEMO_MODEL, load_settings

    if demo and model not in {None, "demo"}:
        raise typer.BadParameter("--demo and --model name two models; give one of them.")
    source = "demo" if demo else model
    path = DEMO_MODEL if source == "demo" else Path(source) if source else None

    def announce(url: str, loaded: "Model | None") -> None:
        identity = loaded.package.identity if loaded else None
        if as_json:
            print_json({"url": url, "model": identity})
            return
        served = f"{identity.name} {identity.version}" if identity else "no model: give --demo or --model DIR"
        sys.stderr.write(f"flagrank serves {served}\n  {url}/docs   stop with Ctrl-C\n")

    service.serve(load_settings({"host": host, "port": port}), path, schema, announce)
