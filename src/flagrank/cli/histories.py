"""Histories that commands play: read from a file, and scored by a model or by simulated ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flagrank.cli.packages import find_package
from flagrank.cli.progress import show_progress

if TYPE_CHECKING:
    from flagrank.replay.history_file import Score
    from flagrank.replay.scored_history import ScoredHistory
    from flagrank.scoring.package import Package
    from flagrank.triage.policy import Policy

HistoryPath = Annotated[
    Path,
    typer.Option("--history", metavar="FILE", help="A history, as flagrank simulate writes it."),
]
ScoringModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="DIR|champion|demo",
        help="The package that scores the reports; without it a strong and a weak model are simulated.",
    ),
]
PolicyPath = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="The policy, a TOML file; the default one without it."),
]


def load_histories(path: Path, model: str | None, policy: "Policy") -> "dict[str, ScoredHistory]":
    """The history of a file with the scores of each model, by the model's name."""
    from flagrank.replay.history_file import read_history
    from flagrank.replay.scored_history import LOOK_HOURS, find_groupings, score_by_draw, score_by_model
    from flagrank.simulation.scores import STRONG, WEAK

    package = find_package(model) if model else None
    with show_progress("Reading", "rows") as on_rows:
        if package:
            read = read_history(path, on_rows, package.manifest.schema, _make_scorer(package))
        else:
            read = read_history(path, on_rows)
    looks = int(read.history.hours / LOOK_HOURS)
    with show_progress("Looking for reporters in step", "times") as on_looks:
        found = []
        for grouping in find_groupings(read.history, policy.reporters):
            found.append(grouping)
            on_looks(len(found), looks)
    groupings = tuple(found)
    if package:
        base_rate = package.manifest.training.base_rate
        scored = score_by_model(read.history, read.scores, base_rate, groupings)
        return {f"{package.identity.name} {package.identity.version}": scored}
    return {
        f"simulated, ROC AUC {roc_auc:g}": score_by_draw(read.history, roc_auc, groupings)
        for roc_auc in (STRONG, WEAK)
    }


def _make_scorer(package: "Package") -> "Score":
    from flagrank.scoring.columns import ColumnEncoder
    from flagrank.scoring.session import ModelSession
    from flagrank.scoring.verification import verify_package

    verify_package(package)
    schema = package.manifest.schema
    session, encoder = ModelSession(package.model, schema.names), ColumnEncoder(schema)
    return lambda features: session.score(encoder.encode_columns(features))


def read_policy_text(path: Path | None) -> str:
    """The text of a policy's file, or of the default one; raises `PolicyRefused` where it can't be read."""
    from flagrank.settings import DEFAULT_POLICY
    from flagrank.triage.errors import PolicyRefused

    try:
        return (path or DEFAULT_POLICY).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyRefused(f"{path} can't be read: {error}. Name a TOML file in UTF-8.") from error


def load_policy(path: Path | None) -> "Policy":
    """The policy of a TOML file, or the default one."""
    from flagrank.triage.policy_file import parse_policy

    return parse_policy(read_policy_text(path), str(path or "default_policy.toml"), version=1)
