"""Drift of what is scored from the champion's training data: counted by all processes of a server together.

Whoever scores only leaves its rows in a queue; a thread counts them once a second, by the bins of the
package's fingerprint, in a file that the processes share: a row each, read by whoever is asked. A window
moves on by ten minutes, and begins anew with another champion.
"""

import hashlib
import mmap
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.own_thread import OwnThread
from flagrank.scoring.batch_scorer import Observe
from flagrank.scoring.columns import Matrix
from flagrank.scoring.package import Fingerprint, Manifest
from flagrank.scoring.session import Scores
from flagrank.triage.drift import (
    FEWEST_REPORTS,
    Drift,
    FeatureDrift,
    WindowDrift,
    population_stability_index,
)
from flagrank.triage.feature_schema import MAX_FEATURES
from flagrank.triage.ports import ModelIdentity

COUNTED_A_SECOND = 1_000  # reports in each process, and a last batch as a whole: the others are passed over
STEP_SECONDS = 600
WINDOWS = {"1h": 6, "24h": 144}  # steps, and the one that has begun
MOST_BINS = 25  # of a column; of a category with more values the rarest are counted as one

_MOST_CELLS = (1 + MAX_FEATURES) * (1 + MOST_BINS)
_STEPS = max(WINDOWS.values()) + 1
_ROW_CELLS = 1 + _STEPS * (1 + _MOST_CELLS)  # which model, the steps' numbers, their counts
_COUNT_SECONDS = 1.0

_Counts = NDArray[np.int64]


def create_drift_file(path: Path, rows: int) -> None:
    """Make the file that `rows` processes share; it takes room on the disk as it is filled."""
    with path.open("wb") as file:
        file.truncate(rows * _ROW_CELLS * 8)


class _Column:
    """One feature, or the score: the cells that count its values, of which the first is for those missing."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        shares = np.array(fingerprint.shares)
        self._edges = np.array(fingerprint.edges)
        self._cells = np.full(len(shares), MOST_BINS)  # by the value's bin
        largest = np.argsort(-shares, kind="stable")[: MOST_BINS - 1]
        self._cells[largest] = np.arange(1, len(largest) + 1)
        self.expected: list[float] = np.bincount(self._cells, shares)[1:].tolist()
        self.width = 1 + len(self.expected)
        self.trained_missing = fingerprint.null_rate

    def find_cells(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """The cell of each value (n,)."""
        cells = self._cells[np.searchsorted(self._edges, values, side="left")]
        return np.where(np.isnan(values), 0, cells)

    def measure(self, counts: Sequence[int]) -> FeatureDrift:
        """The drift in a window by its counts (width,), of which there are some."""
        missing, *known = counts
        total = sum(known)
        index = None
        if total:
            shares = [count / total for count in known]
            index = population_stability_index(self.expected, shares, 0.5 / total)
        return FeatureDrift(index, missing / (missing + total))


class _Layout:
    """Which cells count what, for one model: those of the score, then those of each feature."""

    def __init__(self, manifest: Manifest) -> None:
        training = manifest.training
        self.score = _Column(training.score)
        self.features = {name: _Column(training.features[name]) for name in manifest.schema.names}
        self.columns = (self.score, *self.features.values())
        self.begins = [0, *accumulate(column.width for column in self.columns)]
        digest = hashlib.sha256(msgspec.json.encode(manifest)).digest()
        self.tag = int.from_bytes(digest[:7]) + 1  # 0 is nobody's

    def count(self, rows: Matrix, scores: Scores) -> _Counts:
        """How often each cell is met by rows (n, f) and their scores (n,)."""
        values = (scores, *rows.T.astype(np.float64))
        cells = [
            column.find_cells(given) + begin
            for column, given, begin in zip(self.columns, values, self.begins, strict=False)
        ]
        return np.bincount(np.concatenate(cells), minlength=self.begins[-1])

    def measure(self, counts: _Counts) -> WindowDrift:
        """The drift in a window."""
        parts = [counts[begin:end].tolist() for begin, end in zip(self.begins, self.begins[1:], strict=False)]
        reports = sum(parts[0])
        if reports < FEWEST_REPORTS:
            return WindowDrift(reports)
        score, *features = (column.measure(part) for column, part in zip(self.columns, parts, strict=True))
        return WindowDrift(reports, dict(zip(self.features, features, strict=True)), score.index)


class DriftWatch(OwnThread):
    """Counts what one process scores with its champion, from a thread of its own; a context manager."""

    def __init__(
        self, path: Path | None = None, row: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`path` is a file by `create_drift_file`, `row` from 0 this process's own; without, there is one."""
        super().__init__("drift")
        if path is None:
            memory = mmap.mmap(-1, _ROW_CELLS * 8)
        else:
            with path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
        self._rows = np.frombuffer(memory, np.int64).reshape(-1, _ROW_CELLS)
        self._own = self._rows[row]
        self._clock = clock
        self._layouts: dict[ModelIdentity, _Layout] = {}
        self._champion: _Layout | None = None
        self._waiting: deque[tuple[_Layout, Matrix, Scores]] = deque()
        self._room = COUNTED_A_SECOND

    def watch(self, model: ModelIdentity, manifest: Manifest) -> Observe:
        """What hears the rows and scores of a model, which count while it is the champion; never blocks."""
        layout = self._layouts[model] = _Layout(manifest)

        def observe(rows: Matrix, scores: Scores) -> None:
            if self._room > 0 and layout is self._champion:
                self._room -= len(scores)
                self._waiting.append((layout, rows, scores))

        return observe

    def follow(self, champion: ModelIdentity, others: Collection[ModelIdentity] = ()) -> None:
        """Count what this model scores from now on; of the others only those named may be followed later."""
        kept = {champion, *others}
        self._layouts = {model: layout for model, layout in self._layouts.items() if model in kept}
        self._champion = self._layouts[champion]

    def count(self) -> None:
        """Count what waits; the thread does each second, and nobody else while it runs."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        self._room = COUNTED_A_SECOND
        champion = self._champion
        heard = [(rows, scores) for layout, rows, scores in waiting if layout is champion]
        if champion is None or not heard:
            return
        every_row, every_score = (np.concatenate(part) for part in zip(*heard, strict=True))
        step = self._find_step()
        numbers, cells = _open_row(self._own, champion)
        if self._own[0] != champion.tag:
            self._own[0] = 0  # nobody reads it meanwhile
            numbers[:] = 0
            cells[:] = 0
            self._own[0] = champion.tag
        place = step % _STEPS
        if numbers[place] != step:
            cells[place] = 0
            numbers[place] = step
        cells[place] += champion.count(every_row, every_score)

    def read(self) -> Drift | None:
        """The drift of the champion, by what all processes have counted; None while there is no champion."""
        champion = self._champion
        if champion is None:
            return None
        step = self._find_step()
        totals = dict.fromkeys(WINDOWS, np.zeros(champion.begins[-1], np.int64))
        for row in self._rows:
            if row[0] == champion.tag:
                numbers, cells = _open_row(row, champion)
                for window, steps in WINDOWS.items():
                    totals[window] = totals[window] + cells[numbers >= step - steps].sum(axis=0)
        return Drift(
            {window: champion.measure(total) for window, total in totals.items()},
            {name: column.trained_missing for name, column in champion.features.items()},
        )

    def _find_step(self) -> int:
        """The number of the step that has begun; the processes of a machine share the clock."""
        return 1 + int(self._clock() / STEP_SECONDS)

    def _run(self) -> None:
        while not self._closing.wait(_COUNT_SECONDS):
            self.count()


def _open_row(row: _Counts, layout: _Layout) -> tuple[_Counts, _Counts]:
    """The numbers of a row's steps (s,), and each one's counts (s, cells)."""
    width = layout.begins[-1]
    begin = 1 + _STEPS
    return row[1:begin], row[begin : begin + _STEPS * width].reshape(_STEPS, width)
