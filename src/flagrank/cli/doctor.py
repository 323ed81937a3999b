"""`flagrank doctor`: what an operator would look at first."""

import sys

import typer

from flagrank.cli.output import EXIT_FAILURE, AsJson, print_json


def doctor(*, as_json: AsJson = False) -> None:
    """Check the database, its tables, file and disk, the champion and the keys; exit 1 where one fails."""
    from flagrank.service.diagnosis import examine
    from flagrank.settings import load_settings

    findings = examine(load_settings({}))
    if as_json:
        print_json({"healthy": all(finding.is_good for finding in findings), "checks": findings})
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.is_good else 'BAD '} {finding.check}: {finding.sentence}")
    if not all(finding.is_good for finding in findings):
        sys.stderr.write("Something is wrong; see the lines that begin with BAD.\n")
        raise typer.Exit(EXIT_FAILURE)
