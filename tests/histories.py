"""Small histories written by hand, where it is plain what a ranking should do."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from flagrank.simulation.history import History, Reports
from flagrank.simulation.reasons import REASONS
from flagrank.simulation.targets import Targets

SPAM = REASONS.index("spam")


def write_history(
    reports: Sequence[tuple[int, int, float]],
    *,
    is_bad: Sequence[bool],
    hours: float = 24.0,
    **columns: Sequence[float],
) -> History:
    """A history of (target, reporter, hours) in which each target is seen 100 times, half of it in 10 hours.

    `columns` replace those of its reports.
    """
    count, people = len(is_bad), 1 + max(reporter for _, reporter, _ in reports)
    ordered = sorted(reports, key=lambda report: report[2])
    given: dict[str, Any] = {
        "target": np.array([report[0] for report in ordered]),
        "reporter": np.array([report[1] for report in ordered]),
        "hours": np.array([report[2] for report in ordered], dtype=np.float64),
        "reason": np.full(len(ordered), SPAM),
        "exposure": np.full(len(ordered), 10.0),
        "in_brigade": np.zeros(len(ordered), dtype=np.bool_),
    }
    bad = np.array(is_bad)
    return History(
        hours=hours,
        reports=Reports(**{**given, **{name: np.array(values) for name, values in columns.items()}}),
        targets=Targets(
            is_profile=np.zeros(count, dtype=np.bool_),
            is_bad=bad,
            looks_bad=bad,
            harm_per_view=bad.astype(np.float64),
            visible_at=np.zeros(count),
            views=np.full(count, 100.0),
            life_hours=np.full(count, 10 / np.log(2)),
            burst_at=np.full(count, np.inf),
            burst_views=np.zeros(count),
        ),
        n_reporters=people,
    )
