"""The task: a durable request to score reports; its words, and the rules that need no store."""

import random
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from flagrank.triage.cursor import count_microseconds, pack_cursor, read_microseconds, unpack_cursor
from flagrank.triage.identifiers import pack_identifier, unpack_identifier
from flagrank.triage.lineup import ChallengerPart
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import Arrival

MAX_PAGE = 1_000
DEFAULT_PAGE = 100
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0

_CURSOR = struct.Struct(">q16s")  # microseconds since 1970, task id


class TaskStatus(StrEnum):
    """Where a task stands, in the words of the API."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing but a retry changes it any more."""
        return self in {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED}


class TaskPriority(StrEnum):
    """The task priority: which queued task goes first; another thing than a case's priority."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TaskError(msgspec.Struct, frozen=True):
    """Why a task failed, or its latest attempt did."""

    code: str
    title: str
    detail: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as lists show it; all times are in UTC, by the database's clock."""

    task_id: str
    status: TaskStatus
    priority: TaskPriority
    n_reports: int
    submitted_at: datetime
    run_at: datetime | None
    started_at: datetime | None  # of its latest attempt
    finished_at: datetime | None
    attempts: int  # how often a worker began it
    model: ModelIdentity | None  # the one that scored it
    error: TaskError | None


class TaskDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A task with its reports' ids and, once it has succeeded, their results, all in the order sent."""

    task: Task
    report_ids: tuple[str, ...]
    scores: tuple[float, ...] | None
    priorities: tuple[float, ...] | None
    challenger: ChallengerPart | None = None  # where it scored some of them


class Idempotency(msgspec.Struct, frozen=True):
    """A client's key, whose it is (`""` where no API key was used), and a digest of body and query."""

    owner: str
    key: str
    fingerprint: bytes


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A task to be: `reports` is the JSON array of its reports, each with its report_id."""

    task_id: str
    reports: bytes
    n_reports: int
    priority: TaskPriority = TaskPriority.NORMAL
    run_at: datetime | None = None
    enqueue: bool = True  # whether its reports enter the review queue
    idempotency: Idempotency | None = None


class Receipt(msgspec.Struct, frozen=True):
    """The task that stands for a submission; not new where its idempotency key had made it before."""

    task: Task
    is_new: bool


class Cursor(msgspec.Struct, frozen=True):
    """The last task of a page; the next page starts behind it."""

    submitted_at: datetime
    task_id: str


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks to list; no statuses means all of them; since is inclusive, until exclusive."""

    statuses: frozenset[TaskStatus] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    limit: int = DEFAULT_PAGE
    cursor: Cursor | None = None


class TaskPage(msgspec.Struct, frozen=True):
    """Tasks, newest first, and where the next page starts; None at the end."""

    tasks: tuple[Task, ...]
    next: Cursor | None


class TaskCounts(msgspec.Struct, frozen=True):
    """How many tasks have each status (all six are there), and the age of the oldest that is queued."""

    by_status: Mapping[TaskStatus, int]
    oldest_queued_seconds: float  # 0 where none is queued


class Lease(msgspec.Struct, frozen=True):
    """The right to write a task's result; each claim of a task has a higher `lease_no` than the last."""

    task_id: str
    lease_no: int


class ClaimLimit(msgspec.Struct, frozen=True):
    """How much to claim at once, at most; one task is claimed however many reports it has."""

    tasks: int
    reports: int


class ClaimedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that a worker holds."""

    lease: Lease
    reports: bytes  # as submitted
    n_reports: int
    enqueue: bool
    submitted_at: datetime
    attempts: int  # with this one
    failed_attempts: int  # earlier ones that failed
    is_suspect: bool = False  # claimed alone, since a process died that ran nothing else


class Completion(msgspec.Struct, frozen=True):
    """The result of a task: a score and a priority for each report, in the order sent."""

    lease: Lease
    model: ModelIdentity
    scores: Sequence[float]
    priorities: Sequence[float]
    challenger: ChallengerPart | None = None  # what of these reports it scored in the model's place
    arrivals: Sequence[Arrival] = ()  # those that enter the review queue


class Failure(msgspec.Struct, frozen=True):
    """A failed attempt, and in how many seconds to try again; None: never, the task has failed.

    After a death it is a suspect whenever it is claimed again.
    """

    lease: Lease
    error: TaskError
    retry_seconds: float | None
    is_death: bool = False


class GroupMember(msgspec.Struct, frozen=True):
    """What decides how many tasks may be claimed together; `most_together` None limits nothing."""

    n_reports: int
    most_together: int | None


def derive_pending_status(due_at: datetime, now: datetime) -> TaskStatus:
    """What a task is that waits for a worker; becoming due changes no row."""
    return TaskStatus.SCHEDULED if due_at > now else TaskStatus.QUEUED


def halve_group(size: int) -> int:
    """How many of a group may run together after its process died: half, so that the culprit ends alone."""
    return max(1, size // 2)


def cut_group(candidates: Sequence[GroupMember], limit: ClaimLimit) -> int:
    """How many of the candidates, in their order, to claim together: at least one where there is one.

    No member is in a larger group than it allows, and only the first may exceed the limit of reports.
    """
    most, reports = limit.tasks, 0
    for taken, candidate in enumerate(candidates):
        most = most if candidate.most_together is None else min(most, candidate.most_together)
        reports += candidate.n_reports
        if taken and (taken + 1 > most or reports > limit.reports):
            return taken
    return min(len(candidates), max(1, limit.tasks))


def retry_delay(failed_attempts: int, *, chance: random.Random | None = None) -> float:
    """Seconds to wait after so many failed attempts (1 ..): doubled each time, up to half of it by chance.

    The chance keeps tasks that failed together from coming back together.
    """
    longest = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failed_attempts - 1, 30))
    share = (chance or random).random()
    return longest * (0.5 + share / 2)


def is_exhausted(failed_attempts: int, max_attempts: int) -> bool:
    """Whether a task that failed so often is not tried again."""
    return failed_attempts >= max_attempts


def encode_cursor(cursor: Cursor) -> str:
    """An opaque word of A-Z a-z 0-9 - _ that `decode_cursor` reads."""
    return pack_cursor(_CURSOR, count_microseconds(cursor.submitted_at), pack_identifier(cursor.task_id))


def decode_cursor(text: str) -> Cursor:
    """The cursor that was encoded; raises `InvalidCursor` where the text is none of ours."""
    microseconds, packed = unpack_cursor(_CURSOR, text)
    return Cursor(read_microseconds(microseconds), unpack_identifier(packed))
