from collections.abc import Iterator

import pytest

from flagrank.storage.engine import Database
from flagrank.triage.task import ClaimLimit, Task, TaskCounts, TaskQuery, TaskStatus
from tests.task_store import FAR, MODEL, TaskStore, ago, completion, submission


@pytest.fixture
def store(database: Database) -> TaskStore:
    return TaskStore(database)


def make_one_of_each(store: TaskStore) -> dict[TaskStatus, str]:
    """A task in each status."""
    made = {}
    (made[TaskStatus.FAILED],) = store.submit()
    store.fail(store.claim())
    (made[TaskStatus.SUCCEEDED],) = store.submit()
    store.finish(store.claim())
    (made[TaskStatus.RUNNING],) = store.submit()
    store.claim()
    (made[TaskStatus.CANCELLED],) = store.submit()
    store.changes.cancel(made[TaskStatus.CANCELLED])
    (made[TaskStatus.QUEUED],) = store.submit()
    (made[TaskStatus.SCHEDULED],) = store.accept([submission(run_at=FAR)])
    return made


def walk(store: TaskStore, query: TaskQuery) -> Iterator[Task]:
    """Every task, page by page."""
    cursor = query.cursor
    while True:
        page = store.reading.list_tasks(
            TaskQuery(
                statuses=query.statuses,
                since=query.since,
                until=query.until,
                limit=query.limit,
                cursor=cursor,
            )
        )
        yield from page.tasks
        if page.next is None:
            return
        assert len(page.tasks) == query.limit
        cursor = page.next


def listed(store: TaskStore, query: TaskQuery) -> list[str]:
    return [task.task_id for task in walk(store, query)]


@pytest.mark.parametrize(
    "task_id", ["", "nope", "0" * 36, "01a210d3-e6a3-7226-bde5-6e90e338d5b2", "\x00", "\ud800"]
)
def test_an_unknown_id_has_no_task(store: TaskStore, task_id: str) -> None:
    assert store.reading.read_task(task_id) is None


def test_an_id_is_known_in_either_case(store: TaskStore) -> None:
    (task_id,) = store.submit()
    detail = store.reading.read_task(task_id.upper())
    assert detail is not None
    assert detail.task.task_id == task_id


def test_results_come_back_to_the_bit(store: TaskStore) -> None:
    store.submit(n_reports=1_000)
    (claimed,) = store.claim()
    store.finish([claimed])
    detail = store.reading.read_task(claimed.lease.task_id)
    assert detail is not None
    assert detail.scores == tuple(completion(claimed).scores)
    assert detail.priorities == tuple(completion(claimed).priorities)
    assert detail.task.model == MODEL
    assert detail.task.error is None
    assert detail.task.started_at is not None
    assert detail.task.finished_at is not None
    assert detail.task.submitted_at <= detail.task.started_at <= detail.task.finished_at


@pytest.mark.parametrize("limit", [1, 3, 7, 1_000])
def test_pages_show_each_task_once_newest_first_also_where_times_are_equal(
    store: TaskStore, limit: int
) -> None:
    made = [task_id for _ in range(4) for task_id in store.submit(5)]
    assert listed(store, TaskQuery(limit=limit)) == made[::-1]


def test_pages_mix_all_statuses_by_time(store: TaskStore) -> None:
    made = make_one_of_each(store)
    assert listed(store, TaskQuery(limit=2)) == list(made.values())[::-1]


def test_a_list_shows_what_reading_one_shows(store: TaskStore) -> None:
    for task_id in make_one_of_each(store).values():
        assert store.read(task_id) in walk(store, TaskQuery())


def test_new_tasks_do_not_move_the_pages_of_a_walk(store: TaskStore) -> None:
    made = store.submit(10)
    walked = walk(store, TaskQuery(limit=3))
    seen = []
    for task in walked:
        seen.append(task.task_id)
        store.submit()
    assert seen == made[::-1]


@pytest.mark.parametrize("status", TaskStatus)
def test_a_status_lists_only_its_own(store: TaskStore, status: TaskStatus) -> None:
    made = make_one_of_each(store)
    assert listed(store, TaskQuery(statuses=frozenset({status}))) == [made[status]]


def test_several_statuses_list_all_of_theirs(store: TaskStore) -> None:
    made = make_one_of_each(store)
    wanted = frozenset({TaskStatus.SCHEDULED, TaskStatus.QUEUED, TaskStatus.FAILED})
    assert set(listed(store, TaskQuery(statuses=wanted, limit=1))) == {made[status] for status in wanted}


def test_since_is_inclusive_and_until_exclusive(store: TaskStore) -> None:
    made = [store.submit()[0] for _ in range(4)]
    times = [store.read(task_id).submitted_at for task_id in made]
    assert listed(store, TaskQuery(since=times[1], until=times[3])) == [made[2], made[1]]


def test_an_empty_store_has_one_empty_page(store: TaskStore) -> None:
    page = store.reading.list_tasks(TaskQuery())
    assert (page.tasks, page.next) == ((), None)


def test_a_full_last_page_has_no_next(store: TaskStore) -> None:
    store.submit(3)
    assert store.reading.list_tasks(TaskQuery(limit=3)).next is None


def test_each_status_is_counted(store: TaskStore) -> None:
    assert store.reading.count_tasks() == TaskCounts(dict.fromkeys(TaskStatus, 0), 0.0)
    make_one_of_each(store)
    assert store.reading.count_tasks().by_status == dict.fromkeys(TaskStatus, 1)


def test_counts_add_up_over_many_writers(database: Database) -> None:
    for _ in range(5):
        store = TaskStore(database)
        store.submit(4)
        store.finish(store.claim(ClaimLimit(2, 100)))
        store.fail(store.claim(ClaimLimit(1, 100)))
    assert TaskStore(database).counts() == {"queued": 5, "succeeded": 10, "failed": 5}


def test_the_age_of_the_oldest_queued_task_grows(store: TaskStore) -> None:
    store.accept([submission(run_at=FAR)])
    assert store.reading.count_tasks().oldest_queued_seconds == 0
    store.submit()
    first = store.reading.count_tasks().oldest_queued_seconds
    store.submit()
    assert 0 < first < store.reading.count_tasks().oldest_queued_seconds < 60


def test_final_and_unknown_tasks_need_no_more_waiting(store: TaskStore) -> None:
    made = make_one_of_each(store)
    final = {made[status] for status in TaskStatus if status.is_final}
    assert store.reading.find_final([*made.values(), "nope"]) == {*final, "nope"}
    assert store.reading.find_final([]) == set()


def test_times_are_those_of_the_database(store: TaskStore) -> None:
    (task_id,) = store.submit()
    assert ago(60) < store.read(task_id).submitted_at <= ago(0)
