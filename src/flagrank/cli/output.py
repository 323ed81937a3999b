"""What every command has in common: JSON on standard output, sentences on standard error, exit codes."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from flagrank.triage.errors import FlagrankError

EXIT_FAILURE = 1

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


class CommandGroup(TyperGroup):
    """Turns what a user can cause into its sentence and exit code 1; anything else keeps its traceback."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401 - as click declares it
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FlagrankError as error:
            print_sentence(error)
            raise typer.Exit(EXIT_FAILURE) from error
        except MemoryError as error:
            sys.stderr.write("There is not enough memory for this. Use fewer rows, or a larger machine.\n")
            raise typer.Exit(EXIT_FAILURE) from error


def print_sentence(error: FlagrankError) -> None:
    """Write an error's sentence, then each bad field on a line of its own, to standard error."""
    lines = [
        error.detail,
        *(f"  {problem.detail}" for problem in error.fields if problem.detail not in error.detail),
    ]
    sys.stderr.write("\n".join(lines) + "\n")


def print_json(document: Mapping[str, Any] | msgspec.Struct) -> None:
    """Write one JSON document, indented, to standard output."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    sys.stdout.flush()
