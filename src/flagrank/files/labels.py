"""Labels: what says that a report deserved action, or that it did not."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.files.columns import read_truth
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import show

SHOWN = 8


class LabelReader:
    """Gathers the labels of a file batch by batch; an empty one is never taken as a negative."""

    def __init__(self, source: str) -> None:
        """`source` names file and column in errors."""
        self._source = source
        self._parts: list[NDArray[np.float64]] = []
        self._counts: Counter[str] = Counter()

    def add(self, values: Sequence[Any]) -> None:
        """Take the labels of a batch: texts or typed values, None for an empty one."""
        truths = (None if value is None else read_truth(value) for value in values)
        self._parts.append(np.array([math.nan if truth is None else truth for truth in truths]))
        self._counts.update("empty" if value is None else show(value) for value in values)

    def join(self) -> NDArray[np.int8]:
        """All labels, (n,) 0/1; raises `FileRefused` with the counts where some are empty or no label."""
        labels = np.concatenate(self._parts)
        if np.isnan(labels).any():
            held = ", ".join(f"{value} ({count:,})" for value, count in self._counts.most_common(SHOWN))
            more = f" and {len(self._counts) - SHOWN} others" if len(self._counts) > SHOWN else ""
            raise FileRefused(
                f"{self._source} holds {held}{more}; expected 0/1, true/false or yes/no in every row. "
                "Correct what is no label, "
                "and leave out rows without one: they are not taken as negatives."
            )
        return labels.astype(np.int8)
