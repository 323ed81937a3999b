"""Intake of tasks: all submissions that arrive while one commit runs share the next one."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeAlias

from flagrank.api.problems import make_backlog_problem
from flagrank.triage.errors import FlagrankError, StoreUnavailable
from flagrank.triage.task import Receipt, Submission
from flagrank.triage.task_ports import TaskIntake

GROUP_TASKS = 1_000
GROUP_BYTES = 16 * 2**20
WAITING_BYTES = 128 * 2**20  # of reports that wait in memory for their commit

_Answer: TypeAlias = Receipt | FlagrankError
_Waiting: TypeAlias = tuple[Submission, asyncio.Future[Receipt]]


class GroupCommit:
    """One writer thread; an async context manager, at whose end everything taken has been committed."""

    def __init__(self, intake: TaskIntake, observe: Callable[[float], None]) -> None:
        """`observe` hears how many tasks each commit took in."""
        self._intake = intake
        self._observe = observe
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._waiting_bytes = 0  # the event loop's own
        self._left_over: _Waiting | None = None  # the writer's own
        self._thread = threading.Thread(target=self._write_all, name="intake", daemon=True)
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def submit(self, submission: Submission) -> Receipt:
        """The task's receipt, once the commit that holds it is on disk.

        Raises what `TaskIntake.submit` answers, or `HttpProblem` where too much waits for its commit already.
        """
        size = len(submission.reports)
        if self._waiting_bytes and self._waiting_bytes + size > WAITING_BYTES:
            raise make_backlog_problem(
                "More reports arrive than the database takes at the moment. Send the request again later."
            )
        self._waiting_bytes += size
        future: asyncio.Future[Receipt] = self._loop.create_future()
        future.add_done_callback(lambda _: self._forget(size))
        self._queue.put((submission, future))
        return await future

    def _forget(self, size: int) -> None:
        self._waiting_bytes -= size

    def _write_all(self) -> None:
        """The writer thread: one group after the other until the end."""
        while group := self._take_group():
            try:
                answers: Sequence[_Answer] = self._intake.submit([submission for submission, _ in group])
            except FlagrankError as error:
                answers = [error] * len(group)
            except Exception as error:  # noqa: BLE001 - whatever it is, each request has to be answered
                self._loop.call_soon_threadsafe(_fail, group, error)
                continue
            self._observe(len(group))
            self._loop.call_soon_threadsafe(_answer, group, answers)

    def _take_group(self) -> list[_Waiting]:
        """What waits, at least one submission; nothing at the end."""
        first = self._left_over or self._queue.get()
        self._left_over = None
        if first is None:
            return []
        group, size = [first], len(first[0].reports)
        while len(group) < GROUP_TASKS:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            size += len(following[0].reports)
            if size > GROUP_BYTES:
                self._left_over = following
                break
            group.append(following)
        return group


def _answer(group: Sequence[_Waiting], answers: Sequence[_Answer]) -> None:
    """In the event loop; a client that hung up has cancelled its own future."""
    for (_, future), answer in zip(group, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Receipt):
            future.set_result(answer)
        else:
            future.set_exception(_own(answer))


def _own(error: FlagrankError) -> FlagrankError:
    """Each request raises an error of its own: tracebacks would pile up on a shared one."""
    return StoreUnavailable(error.detail) if isinstance(error, StoreUnavailable) else error


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
