"""What a scrape tells of the queue: read beside it, kept for a while, gone with the database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from flagrank.api.queue_watch import QueueWatch
from flagrank.telemetry import QueueReadings
from flagrank.triage.errors import StoreUnavailable
from flagrank.triage.outlook import DueCases
from flagrank.triage.review_statistics import Backlog, BacklogCell

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
BACKLOG = Backlog(
    counted_at=NOW,
    cells=(BacklogCell(0, 1.0, 5),),
    due=(DueCases(NOW, 2), DueCases(NOW + timedelta(hours=2), 3)),
    n_escalated=0,
    oldest_escalated_at=None,
    n_decided=1,
    first_decided_at=NOW,
)


def read_twice(read_backlog: Callable[[], Backlog]) -> tuple[QueueReadings | None, QueueReadings | None]:
    with ThreadPoolExecutor(1) as executor:
        watch = QueueWatch(read_backlog, executor)
        first = watch.read()
        executor.submit(int).result()  # behind what the first has asked for
        return first, watch.read()


def test_one_scrape_asks_and_the_next_one_knows() -> None:
    _, known = read_twice(lambda: BACKLOG)
    assert known == QueueReadings(n_open=5, n_over=2, n_lost=1)


def test_the_store_is_asked_once_for_scrapes_that_follow_each_other() -> None:
    asked = []

    def read_backlog() -> Backlog:
        asked.append(1)
        return BACKLOG

    read_twice(read_backlog)
    assert len(asked) == 1


def test_without_a_database_nothing_is_told() -> None:
    def read_backlog() -> Backlog:
        raise StoreUnavailable("away")

    assert read_twice(read_backlog) == (None, None)
