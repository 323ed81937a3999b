import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.scoring.drift import COUNTED_A_SECOND, MOST_BINS, DriftWatch, create_drift_file
from flagrank.scoring.package import Fingerprint, Manifest, TrainingData
from flagrank.triage.drift import FEWEST_REPORTS, WindowDrift
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.ports import ModelIdentity
from tests.packages import make_manifest

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b"), open=True),
        Feature("size", "number", nullable=True),
        Feature("is_new", "boolean"),
    )
)
DECILES = tuple((np.arange(1, 10) / 10).tolist())
TRAINING = TrainingData(
    rows=1_000,
    positives=100,
    base_rate=0.1,
    features={
        "kind": Fingerprint((-0.5, 0.5), (0.0, 0.5, 0.5), 0.0),
        "size": Fingerprint(DECILES, (0.1,) * 10, 0.2),
        "is_new": Fingerprint((0.5,), (0.7, 0.3), 0.0),
    },
    score=Fingerprint(DECILES, (0.1,) * 10, 0.0),
)
FIRST, SECOND = ModelIdentity("m", "1"), ModelIdentity("m", "2")
RANDOM = np.random.default_rng(7)
HOUR = 3_600.0


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 5 * HOUR

    def __call__(self) -> float:
        return self.now


def make_training_manifest(training: TrainingData = TRAINING, name: str = "m") -> Manifest:
    return msgspec.structs.replace(make_manifest(SCHEMA), training=training, name=name)


def draw(count: int, *, shift: float = 0.0, missing: float = 0.2) -> tuple[Matrix, NDArray[np.float64]]:
    """Reports and scores as the fingerprint has them, or shifted."""
    kind = RANDOM.integers(0, 2, count)
    size = np.where(RANDOM.random(count) < missing, np.nan, np.minimum(RANDOM.random(count) + shift, 1))
    is_new = RANDOM.random(count) < 0.3
    rows = np.column_stack([kind, size, is_new]).astype(np.float32)
    return rows, np.minimum(RANDOM.random(count) * 0.99 + 0.005 + shift, 0.995)


class Process:
    """One process that scores with the first model."""

    def __init__(
        self,
        clock: Clock | None = None,
        path: Path | None = None,
        row: int = 0,
        training: TrainingData = TRAINING,
    ) -> None:
        self.watch = DriftWatch(path, row, clock or Clock())
        self.observe = self.watch.watch(FIRST, make_training_manifest(training))
        self.watch.follow(FIRST)

    def score(self, rows: Matrix, scores: NDArray[np.float64]) -> None:
        self.observe(rows, scores)
        self.watch.count()

    def score_some(self, count: int = 5_000, *, shift: float = 0.0, missing: float = 0.2) -> None:
        self.score(*draw(count, shift=shift, missing=missing))

    def read(self) -> Mapping[str, WindowDrift]:
        drift = self.watch.read()
        assert drift is not None
        return drift.windows


def indices(window: WindowDrift) -> Sequence[float | None]:
    return [*(feature.index for feature in window.features.values()), window.score_index]


def test_of_reports_like_the_training_data_every_index_is_small() -> None:
    process = Process()
    process.score_some()
    for window in process.read().values():
        assert window.reports == 5_000
        assert list(window.features) == ["kind", "size", "is_new"]
        assert all(index is not None and 0 <= index < 0.01 for index in indices(window))
        assert window.features["size"].missing_share == pytest.approx(0.2, abs=0.03)


def test_a_shift_raises_the_index_of_what_has_shifted_and_no_other() -> None:
    process = Process()
    process.score_some(shift=0.3)
    kind, size, is_new, score = indices(process.read()["1h"])
    assert kind is not None
    assert size is not None
    assert is_new is not None
    assert score is not None
    assert size > 0.25
    assert score > 0.25
    assert max(kind, is_new) < 0.01


def test_values_that_go_missing_are_told_by_their_share_alone() -> None:
    process = Process()
    process.score_some(missing=0.6)
    size = process.read()["1h"].features["size"]
    assert size.missing_share == pytest.approx(0.6, abs=0.03)
    assert size.index is not None
    assert size.index < 0.01
    drift = process.watch.read()
    assert drift
    assert drift.trained_missing == {"kind": 0.0, "size": 0.2, "is_new": 0.0}


def test_where_no_value_is_known_there_is_no_index() -> None:
    process = Process()
    process.score_some(missing=1.1)
    size = process.read()["1h"].features["size"]
    assert (size.index, size.missing_share) == (None, 1.0)


def test_an_unknown_word_is_a_shift() -> None:
    process = Process()
    rows, scores = draw(1_000)
    rows[:300, 0] = -1
    process.score(rows, scores)
    index = process.read()["1h"].features["kind"].index
    assert index is not None
    assert index > 0.25


def test_values_on_an_edge_are_counted_as_in_training() -> None:
    """Bins are closed above."""
    process = Process()
    rows, scores = draw(1_000)
    rows[:, 1] = np.float32(0.5)
    scores[:] = 0.5
    process.score(rows, scores)
    on_edge = process.read()["1h"].score_index
    below = Process()
    below.score(rows, scores - 1e-9)
    assert on_edge == below.read()["1h"].score_index


def test_too_few_reports_say_nothing() -> None:
    process = Process()
    assert process.read() == {"1h": WindowDrift(0), "24h": WindowDrift(0)}
    process.score_some(FEWEST_REPORTS - 1)
    assert process.read()["1h"] == WindowDrift(FEWEST_REPORTS - 1)
    process.score_some(1)
    assert process.read()["1h"].features


def test_windows_slide() -> None:
    clock = Clock()
    process = Process(clock)
    process.score_some(200, shift=0.3)
    clock.now += HOUR - 1
    assert process.read()["1h"].reports == 200
    clock.now += 601
    assert [window.reports for window in process.read().values()] == [0, 200]
    process.score_some(300)
    assert [window.reports for window in process.read().values()] == [300, 500]
    clock.now += 23 * HOUR
    assert [window.reports for window in process.read().values()] == [0, 300]
    clock.now += 2 * HOUR
    assert [window.reports for window in process.read().values()] == [0, 0]
    process.score_some(400)  # into a step's place that was used a day ago
    assert [window.reports for window in process.read().values()] == [400, 400]


def test_any_process_reads_what_all_have_counted(tmp_path: Path) -> None:
    create_drift_file(tmp_path / "drift", 3)
    processes = [Process(path=tmp_path / "drift", row=row) for row in range(3)]
    for count, process in zip((100, 20, 3), processes, strict=True):
        process.score_some(count)
    assert [process.read()["1h"].reports for process in processes] == [123] * 3
    reborn = Process(path=tmp_path / "drift", row=1)
    reborn.score_some(1_000)
    assert [process.read()["1h"].reports for process in processes] == [1_123] * 3


def test_another_champion_begins_anew_and_the_scores_of_other_models_are_not_its() -> None:
    process = Process()
    process.score_some(500)
    observe_second = process.watch.watch(SECOND, make_training_manifest(name="second"))
    observe_second(*draw(300))  # a challenger's
    process.score_some(1)
    assert process.read()["1h"].reports == 501
    process.observe(*draw(7))
    process.watch.follow(SECOND, [FIRST])
    process.observe(*draw(70))  # of a request that began before
    observe_second(*draw(200))
    process.watch.count()
    assert process.read()["1h"].reports == 200
    process.watch.follow(FIRST)
    process.score_some(400)
    assert process.read()["1h"].reports == 400


def test_before_there_is_a_champion_there_is_no_drift() -> None:
    watch = DriftWatch()
    watch.count()
    assert watch.read() is None


def test_of_many_reports_a_second_some_are_counted() -> None:
    process = Process()
    for _ in range(COUNTED_A_SECOND + 500):
        process.observe(*draw(1))
    process.watch.count()
    assert process.read()["1h"].reports == COUNTED_A_SECOND
    process.score_some(10)
    assert process.read()["1h"].reports == COUNTED_A_SECOND + 10


def test_of_a_category_with_many_values_the_rarest_are_counted_as_one() -> None:
    shares = np.arange(1, 201) / np.arange(1, 201).sum()
    fingerprint = Fingerprint(tuple((np.arange(199) + 0.5).tolist()), tuple(shares.tolist()), 0.0)
    features = {**TRAINING.features, "kind": fingerprint}
    process = Process(training=msgspec.structs.replace(TRAINING, features=features))
    rows, scores = draw(20_000)
    rows[:, 0] = RANDOM.choice(200, size=20_000, p=shares)
    process.score(rows, scores)
    alike = process.read()["1h"].features["kind"].index
    assert alike is not None
    assert alike < 0.01
    rows[:, 0] = RANDOM.choice(200 - MOST_BINS, size=20_000)  # only rare ones
    process.score(rows, scores)
    shifted = process.read()["1h"].features["kind"].index
    assert shifted is not None
    assert shifted > 0.05


def test_a_thread_counts_without_being_asked() -> None:
    process = Process()
    give_up_at = time.monotonic() + 20
    with process.watch:
        process.observe(*draw(150))
        while process.read()["1h"].reports < 150 and time.monotonic() < give_up_at:
            threading.Event().wait(0.05)
    assert process.read()["1h"].reports == 150
