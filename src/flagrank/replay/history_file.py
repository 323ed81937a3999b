"""Reads a history from a file: what `flagrank simulate` writes, described in docs/reference/history.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.files.columns import Column, exposure_column, feature_column, reason_column
from flagrank.files.reading import open_reports
from flagrank.files.times import time_column
from flagrank.replay.cases import ABUSE_TYPES
from flagrank.simulation.history import ANONYMOUS, History, Reports
from flagrank.simulation.reasons import REASONS
from flagrank.simulation.targets import Targets
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

Score = Callable[[Mapping[str, Any]], NDArray[np.float64]]
"""From features, columns by name as a file has them, to the scores of the reports."""

_POSITIONS = {reason: position for position, reason in enumerate(REASONS)}
_TIMES = ("reported_at", "truth_visible_at")
_AMOUNTS = ("truth_harm_per_view", "truth_views", "truth_burst_views")
_NULLABLE_AMOUNT = Feature("truth_burst_after_hours", "number", range=(0, 1e9), nullable=True)
_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A history as a file has it; `scores` (n,) are those of the model that it was read with, else empty."""

    history: History
    scores: NDArray[np.float64]


@dataclass
class _Gathered:
    """Columns of the batches read, by name."""

    parts: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, name: str, values: Any) -> None:  # noqa: ANN401 - a list, or an array
        self.parts.setdefault(name, []).append(values)

    def join_texts(self, name: str) -> list[Any]:
        return [value for part in self.parts[name] for value in part]

    def join(self, name: str) -> NDArray[Any]:
        return np.concatenate(self.parts[name])


def read_history(
    path: Path,
    progress: Callable[[int, int], None],
    schema: FeatureSchema | None = None,
    score: Score | None = None,
) -> HistoryFile:
    """Read a file and let `score`, where given, score it by the features of `schema`.

    `progress` is told the rows read and about how many there are. Raises `FileRefused` where a row is bad, a
    column is missing, reports on one target tell of it differently, or there is no row.
    """
    columns = _list_columns()
    features = [feature_column(feature) for feature in schema.feature] if schema else []
    gathered, rows = _Gathered(), 0
    with open_reports(path, [*columns, *features]) as reports:
        for batch in reports.batches:
            for column, values in zip(columns, batch.columns, strict=False):
                gathered.add(column.name, values)
            if score:
                names = [column.name for column in features]
                gathered.add("score", score(dict(zip(names, batch.columns[len(columns) :], strict=True))))
            rows += batch.chunk.rows
            progress(rows, round(rows / batch.chunk.share_read))
    if not rows:
        raise FileRefused(f"{path} has no rows. Write reports into it.")
    order = np.argsort(gathered.join("reported_at"), kind="stable")
    return HistoryFile(
        history=_make_history(path, gathered, order),
        scores=gathered.join("score")[order] if score else np.zeros(0),
    )


def _list_columns() -> list[Column]:
    words = [reason for reason in REASONS if reason is not None]
    features = [
        Feature("reporter_id", "category", nullable=True, open=True),
        Feature("reported_id", "category", open=True),
        Feature("abuse_type", "category", values=ABUSE_TYPES),
        Feature("actionable", "boolean"),
        Feature("truth_bad", "boolean"),
        Feature("truth_brigade", "boolean"),
        *(Feature(name, "number", range=(0, 1e12)) for name in _AMOUNTS),
        Feature("truth_life_hours", "number", range=(1e-6, 1e9)),
        _NULLABLE_AMOUNT,
    ]
    columns = [feature_column(feature) for feature in features]
    return [*columns, reason_column(words), exposure_column(), *map(time_column, _TIMES)]


def _make_history(path: Path, gathered: _Gathered, order: NDArray[np.intp]) -> History:
    times = [gathered.join(name)[order] for name in _TIMES]
    if any(column.dtype.kind != "M" for column in times):
        raise FileRefused(
            f"{path} has a number for a time; expected RFC 3339, as in 2027-01-05T10:00:00+01:00. Write that."
        )
    reported_at, visible_at = ((column - times[0][0]) / _HOUR for column in times)
    target, first = _number(gathered.join_texts("reported_id"), order)
    reporter, people = _number(gathered.join_texts("reporter_id"), order)
    reasons = np.array([_POSITIONS[reason] for reason in gathered.join_texts("reason")])
    burst_after = gathered.join(_NULLABLE_AMOUNT.name)[order]
    columns = {name: gathered.join(name)[order] for name in (*_AMOUNTS, "truth_life_hours")}
    kinds = np.array(gathered.join_texts("abuse_type"))[order]
    truth = {
        "is_profile": kinds == ABUSE_TYPES[1],
        "is_bad": gathered.join("truth_bad")[order] == 1,
        "looks_bad": gathered.join("actionable")[order] == 1,
        "visible_at": visible_at,
        "burst_at": np.where(np.isnan(burst_after), np.inf, visible_at + burst_after),
        **{name.removeprefix("truth_"): values for name, values in columns.items()},
    }
    for name, values in truth.items():
        if (values != values[first][target]).any():
            raise FileRefused(
                f"{path} tells of one reported_id in different ways: {name} differs between its reports. "
                "Write the truth on a target into each of its rows."
            )
    return History(
        hours=max(float(reported_at[-1]), 1e-3),
        reports=Reports(
            target=target,
            reporter=reporter,
            hours=reported_at,
            reason=reasons[order],
            exposure=gathered.join("exposure")[order],
            in_brigade=gathered.join("truth_brigade")[order] == 1,
        ),
        targets=Targets(**{name: values[first] for name, values in truth.items()}),
        n_reporters=max(1, len(people)),
    )


def _number(
    names: Sequence[str | None], order: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number names as they first come in `order`, null as `ANONYMOUS`; and where each one first comes."""
    known: dict[str, int] = {}
    first: list[int] = []
    numbers = np.empty(len(names), dtype=np.intp)
    for place, row in enumerate(order.tolist()):
        name = names[row]
        if name is None:
            numbers[place] = ANONYMOUS
            continue
        if name not in known:
            known[name] = len(known)
            first.append(place)
        numbers[place] = known[name]
    return numbers, np.array(first, dtype=np.intp)
