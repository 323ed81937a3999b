"""Who waits for a task, and when the waiting ends."""

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from flagrank.api.task_waiting import FinalWatch
from flagrank.triage.errors import StoreUnavailable


class Store:
    """Says that tasks are final after so many questions; fails at the first."""

    def __init__(self, questions: int) -> None:
        self.questions = questions
        self.asked: list[list[str]] = []

    def find_final(self, task_ids: Collection[str]) -> set[str]:
        """Those that are final."""
        self.asked.append(sorted(task_ids))
        if len(self.asked) == 1:
            raise StoreUnavailable("The database can't be used now. Try again later.")
        return set(task_ids) if len(self.asked) >= self.questions else set()


async def wait_for(watch: FinalWatch, *task_ids: str, seconds: float = 30.0) -> float:
    """How long it takes until all of them have been waited for."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await asyncio.gather(*(watch.wait(task_id, seconds) for task_id in task_ids))
    return loop.time() - begin


def test_one_question_is_asked_for_all_who_wait() -> None:
    store = Store(questions=3)

    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            assert await wait_for(FinalWatch(store.find_final, executor), *"aab") < 10

    asyncio.run(run())
    assert store.asked == [["a", "b"]] * 3


def test_waiting_ends_with_its_time_and_nothing_is_asked_any_more() -> None:
    store = Store(questions=10_000)

    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            watch = FinalWatch(store.find_final, executor)
            assert 0.05 <= await wait_for(watch, "a", seconds=0.05) < 10
            await asyncio.sleep(0.1)
            asked = len(store.asked)
            await asyncio.sleep(0.3)
            assert len(store.asked) == asked

    asyncio.run(run())


def test_a_release_ends_all_waiting_now_and_later() -> None:
    store = Store(questions=10_000)

    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            watch = FinalWatch(store.find_final, executor)
            asyncio.get_running_loop().call_later(0.05, watch.release)
            assert await wait_for(watch, "a", "b") < 10
            assert await wait_for(watch, "a") < 10

    asyncio.run(run())
