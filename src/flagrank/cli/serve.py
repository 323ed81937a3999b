"""`flagrank serve`: the HTTP server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flagrank.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from flagrank.triage.ports import ModelIdentity


Host = Annotated[
    str | None,
    typer.Option(
        help="Address to listen on; others than loopback need a key, or FLAGRANK_ALLOW_NO_KEYS=true.",
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
        help="A package to publish and promote first; demo, the bundled one, only where no champion stands.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Feature schema of the reports (TOML); by default the package's own."),
]
IsDemo = Annotated[
    bool, typer.Option("--demo", help="As --model demo, with a synthetic review queue in ./flagrank-demo.")
]
Processes = Annotated[
    int | None, typer.Option(min=1, max=256, help="How many processes answer requests.", show_default="1")
]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Start no worker beside the server.")]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    demo: IsDemo = False,
    model: ModelSource = None,
    schema: SchemaFile = None,
    processes: Processes = None,
    no_worker: NoWorker = False,
    as_json: AsJson = False,
) -> None:
    """Serve over HTTP: POST /prediction scores now, POST /predict later; /docs shows all of it."""
    from flagrank.service import serving
    from flagrank.settings import DEMO_DATA, DEMO_MODEL, load_settings

    if demo and model not in {None, "demo"}:
        raise typer.BadParameter("--demo and --model name two models; give one of them.")
    name = "demo" if demo else model
    source = None
    if name is not None:
        is_demo = name == "demo"
        source = serving.ModelSource(
            DEMO_MODEL if is_demo else Path(name), unless_champion=is_demo, with_queue=demo
        )

    def announce(url: str, identity: "ModelIdentity | None") -> None:
        if as_json:
            print_json({"url": url, "model": identity})
            return
        served = f"{identity.name} {identity.version}" if identity else "no model: give --demo or --model DIR"
        sys.stderr.write(f"flagrank serves {served}\n  {url}/docs   stop with Ctrl-C\n")

    flags = {"host": host, "port": port, "processes": processes, "no_worker": no_worker or None}
    settings = load_settings(flags, fallback={"data_dir": DEMO_DATA} if demo else {})
    serving.serve(settings, source, schema, announce)
