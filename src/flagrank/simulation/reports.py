"""A history as a file has it: the columns of its reports, each with the truth on its target."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.arrivals import END
from flagrank.simulation.features import Features
from flagrank.simulation.history import ANONYMOUS, History, draw_history
from flagrank.simulation.reasons import REASONS
from flagrank.simulation.truth import chance_of_action, draw_features_of

BATCH_ROWS = 8192

_WORDS = np.array(REASONS, dtype=object)
_HOUR_MS = 3_600_000


def simulate(rows: int, seed: int = 0, days: float = 7.0) -> Iterator[dict[str, list[Any]]]:
    """Draw a history of `rows` reports (>= 1) in the `days` days (> 0) before 2026-01-01, oldest first.

    Yields batches of columns, described in docs/reference/history.md; a `seed` (>= 0) fixes everything. The
    whole history is held in memory, about 1 kB a row.
    """
    history = draw_history(rows, seed, days)
    reports, targets = history.reports, history.targets
    is_bad, is_profile = targets.is_bad[reports.target], targets.is_profile[reports.target]
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(2, 6, 0))))
    features = draw_features_of(generator, is_profile, is_bad)
    # Half a report each way: in a small history all or none may be about something bad.
    bad_shares = {
        kind: float((is_bad[is_profile == kind].sum() + 0.5) / ((is_profile == kind).sum() + 1))
        for kind in (True, False)
    }
    chance = chance_of_action(features, bad_shares)
    names = _Names(seed, END - _milliseconds(history.hours))
    for first in range(0, rows, BATCH_ROWS):
        batch = np.arange(first, min(first + BATCH_ROWS, rows))
        columns = {
            **names.report_columns(history, batch),
            **_feature_columns(features.take(batch)),
            "reason": _WORDS[reports.reason[batch]],
            "actionable": targets.looks_bad[reports.target[batch]],
            "chance": chance[batch],
            **names.truth_columns(history, batch),
        }
        yield {name: column.tolist() for name, column in columns.items()}


class _Names:
    """How things are called in the file of one seed, and its times."""

    def __init__(self, seed: int, start: np.datetime64) -> None:
        self._seed = seed
        self._start = start

    def report_columns(self, history: History, batch: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Whom the reports are about, from whom and of when."""
        reports = history.reports
        reporter, target = reports.reporter[batch], reports.target[batch]
        return {
            "report_id": self._name("simulated", batch),
            "reported_at": self._time(reports.hours[batch]),
            "reporter_id": _blank(self._name("reporter", reporter), reporter == ANONYMOUS),
            "reported_id": self._name("person", target),
            "content_id": self._name("content", target),
            "exposure": reports.exposure[batch],
        }

    def truth_columns(self, history: History, batch: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """What is true of the reports' targets, and nobody knew."""
        targets = history.targets.take(history.reports.target[batch])
        after = np.round(targets.burst_at - targets.visible_at, 4)
        no_burst = np.isinf(after)
        return {
            "truth_bad": targets.is_bad,
            "truth_harm_per_view": np.round(targets.harm_per_view, 4),
            "truth_visible_at": self._time(targets.visible_at),
            "truth_views": np.round(targets.views, 4),
            "truth_life_hours": np.round(targets.life_hours, 4),
            "truth_burst_after_hours": _blank(np.where(no_burst, 0, after).astype(object), no_burst),
            "truth_burst_views": np.round(targets.burst_views, 4),
            "truth_brigade": history.reports.in_brigade[batch],
        }

    def _name(self, word: str, numbers: NDArray[np.intp]) -> NDArray[np.object_]:
        return np.array([f"{word}-{self._seed}-{number}" for number in numbers.tolist()], dtype=object)

    def _time(self, hours: NDArray[np.float64]) -> NDArray[np.object_]:
        times = self._start + _milliseconds(hours)
        return np.array(np.datetime_as_string(times, unit="ms", timezone="UTC").tolist(), dtype=object)


def _blank(column: NDArray[np.object_], is_null: NDArray[np.bool_]) -> NDArray[np.object_]:
    column[is_null] = None
    return column


def _milliseconds(hours: Any) -> Any:  # noqa: ANN401 - a number or an array -> the same of timedelta64
    return np.floor(np.asarray(hours) * _HOUR_MS).astype("timedelta64[ms]")


def _feature_columns(features: Features) -> dict[str, NDArray[Any]]:
    return {
        "abuse_type": np.where(features.is_profile, "PRF", "MSG"),
        "report_text_len": features.text_chars.astype(np.int64),
        "profile_rating": _with_none(features.profile_rating),
        "popularity": _with_none(features.popularity),
        "lifetime_matches_created": _with_none(features.lifetime_matches, np.int64),
    }


def _with_none(column: NDArray[np.float64], dtype: type[np.generic] = np.float64) -> NDArray[np.object_]:
    is_null = np.isnan(column)
    return _blank(np.where(is_null, 0, column).astype(dtype).astype(object), is_null)
