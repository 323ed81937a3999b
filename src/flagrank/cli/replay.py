"""`flagrank replay`: a history played through rankings, side by side."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flagrank.cli.extras import needs_extra
from flagrank.cli.histories import HistoryPath, PolicyPath, ScoringModel, load_histories, load_policy
from flagrank.cli.output import AsJson, print_json
from flagrank.cli.progress import show_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flagrank.files.kind import ColumnType
    from flagrank.replay.comparison import Line
    from flagrank.replay.scored_history import ScoredHistory
    from flagrank.simulation.history import History
    from flagrank.triage.policy import Policy

_CAPACITY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(/h|%)")


def replay(
    *,
    history: HistoryPath,
    capacity: Annotated[
        list[str],
        typer.Option(
            metavar="N/h|P%",
            help="How many cases moderators decide, an hour or of a hundred. May be repeated.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where to put the table and the plots; made where it is missing."),
    ],
    model: ScoringModel = None,
    policy: PolicyPath = None,
    as_json: AsJson = False,
) -> None:
    """Play a history through rankings of the review queue, and tell what each would have caught, and when.

    All have the same arrivals, scores, capacity and moderators, who err now and then.
    """
    with needs_extra("train"):
        from flagrank.replay.plots import plot_harm, plot_waits
    from flagrank.files.output import make_folder, write_whole
    from flagrank.replay.comparison import list_rows

    make_folder(out)
    rules = load_policy(policy)
    histories = load_histories(history, model, rules)
    played = next(iter(histories.values())).history
    lines = _play(histories, rules, [_read_capacity(text, played) for text in capacity])
    rows = list_rows(lines)
    files = [out / name for name in ("comparison.csv", "harm.png", "waits.png")]
    _write_table(files[0], rows)
    for path, picture in zip(files[1:], (plot_harm(lines), plot_waits(lines)), strict=True):
        with write_whole(path, is_gzip=False) as stream:
            stream.write(picture)
    if as_json:
        print_json({"targets": len(played.targets), "outcomes": rows, "out": [str(path) for path in files]})
        return
    _print_tables(lines)
    typer.echo(
        "Averted: share of the harm that could be. Never seen: share of the bad targets; of those seen,\n"
        f"half were seen within p50, 95 % within p95. Ranked by {rules.label}.\n"
        f"The table and two plots: {', '.join(map(str, files))}"
    )


def _read_capacity(text: str, history: "History") -> float:
    """Decisions per hour."""
    match = _CAPACITY.fullmatch(text)
    if not match:
        raise typer.BadParameter(
            "--capacity takes a number of cases an hour, as in 40/h, or a share, as in 20%"
        )
    number = float(match[1])
    return number if match[2] == "/h" else number / 100 * len(history.targets) / history.hours


def _play(
    histories: "Mapping[str, ScoredHistory]", rules: "Policy", capacities: "Sequence[float]"
) -> "list[Line]":
    from flagrank.replay.comparison import compare, list_entries

    lines: list[Line] = []
    total = len(capacities) * sum(len(list_entries(scored, rules)) for scored in histories.values())
    with show_progress("Playing", "rankings") as on_ranking:
        for name, scored in histories.items():
            for per_hour in capacities:
                for line in compare(name, scored, rules, per_hour):
                    lines.append(line)
                    on_ranking(len(lines), total)
    return lines


def _write_table(path: Path, rows: "Sequence[Mapping[str, Any]]") -> None:
    from flagrank.files.writing import open_new

    types: dict[str, ColumnType] = dict.fromkeys(rows[0], "number")
    types |= {"model": "text", "ranking": "text", "cases": "integer", "decisions": "integer"}
    with open_new(path, types) as write:
        write({name: [row[name] for row in rows] for name in types})


def _print_tables(lines: "Sequence[Line]") -> None:
    from itertools import groupby

    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)
    for (model, per_hour, share), group in groupby(
        lines, lambda line: (line.model, line.decisions_per_hour, line.capacity_share)
    ):
        console.print(f"{model}: {per_hour:,.4g} decisions/h, {share:.0%} of the targets")
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("ranking")
        for heading in ("averted", "never seen", "p50", "p95"):
            table.add_column(heading, justify="right")
        for line in group:
            outcome = line.outcome
            table.add_row(
                line.ranking,
                f"{outcome.harm_averted:.3f}",
                f"{outcome.bad_never_seen:.3f}",
                f"{outcome.wait_of_bad(0.5):.1f} h",
                f"{outcome.wait_of_bad(0.95):.1f} h",
            )
        console.print(table)
        console.print()
