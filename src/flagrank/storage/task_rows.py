"""Rows of the task table <-> the words of the domain."""

import struct
import sys
from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import Any, assert_never

import msgspec
from sqlalchemy import Row

from flagrank.storage.tables import State, task
from flagrank.triage.lineup import ChallengerPart
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import (
    Submission,
    Task,
    TaskDetail,
    TaskError,
    TaskPriority,
    TaskStatus,
    derive_pending_status,
)

PRIORITY_NUMBERS = {TaskPriority.HIGH: 0, TaskPriority.NORMAL: 1, TaskPriority.LOW: 2}
_PRIORITIES = {number: priority for priority, number in PRIORITY_NUMBERS.items()}

# What a list shows: no reports and no results.
TASK_COLUMNS = (
    task.c.task_id,
    task.c.state,
    task.c.priority,
    task.c.due_at,
    task.c.submitted_at,
    task.c.run_at,
    task.c.started_at,
    task.c.finished_at,
    task.c.attempts,
    task.c.n_reports,
    task.c.model_name,
    task.c.model_version,
    task.c.error,
)
DETAIL_COLUMNS = (
    *(*TASK_COLUMNS, task.c.scores, task.c.priorities),
    *(task.c.challenger_name, task.c.challenger_version, task.c.challenger_reports),
)


class _Identified(msgspec.Struct):
    """What is read of a stored report."""

    report_id: str


_decode_reports = msgspec.json.Decoder(tuple[_Identified, ...]).decode
_decode_error = msgspec.json.Decoder(TaskError).decode


def read_status(state: State, due_at: datetime, now: datetime) -> TaskStatus:
    """The status that a stored state is at this time."""
    match state:
        case State.PENDING:
            return derive_pending_status(due_at, now)
        case State.RUNNING:
            return TaskStatus.RUNNING
        case State.SUCCEEDED:
            return TaskStatus.SUCCEEDED
        case State.FAILED:
            return TaskStatus.FAILED
        case State.CANCELLED:
            return TaskStatus.CANCELLED
        case _:
            assert_never(state)


def read_task_row(row: Row[*tuple[Any, ...]], now: datetime) -> Task:
    """The task of a row that has `TASK_COLUMNS`."""
    return Task(
        task_id=row.task_id,
        status=read_status(State(row.state), row.due_at, now),
        priority=_PRIORITIES[row.priority],
        n_reports=row.n_reports,
        submitted_at=row.submitted_at,
        run_at=row.run_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempts=row.attempts,
        model=None if row.model_name is None else ModelIdentity(row.model_name, row.model_version),
        error=None if row.error is None else _decode_error(row.error),
    )


def read_detail_row(row: Row[*tuple[Any, ...]], reports: bytes, now: datetime) -> TaskDetail:
    """The task and results of a row that has `DETAIL_COLUMNS`, and the ids of its reports."""
    return TaskDetail(
        task=read_task_row(row, now),
        report_ids=tuple(report.report_id for report in _decode_reports(reports)),
        scores=_unpack_numbers(row.scores),
        priorities=_unpack_numbers(row.priorities),
        challenger=_read_challenger(row),
    )


def submitted_task(submission: Submission, now: datetime) -> Task:
    """The task that a submission becomes."""
    return Task(
        task_id=submission.task_id,
        status=derive_pending_status(submission.run_at or now, now),
        priority=submission.priority,
        n_reports=submission.n_reports,
        submitted_at=now,
        run_at=submission.run_at,
        started_at=None,
        finished_at=None,
        attempts=0,
        model=None,
        error=None,
    )


def submitted_row(submission: Submission, now: datetime) -> dict[str, Any]:
    """The row that a submission becomes."""
    key = submission.idempotency
    return {
        "task_id": submission.task_id,
        "state": int(State.PENDING),
        "priority": PRIORITY_NUMBERS[submission.priority],
        "due_at": now if submission.run_at is None else max(now, submission.run_at),
        "submitted_at": now,
        "run_at": submission.run_at,
        "attempts": 0,
        "failed_attempts": 0,
        "group_size": 0,
        "lease_no": 0,
        "n_reports": submission.n_reports,
        "enqueue": submission.enqueue,
        "owner": key and key.owner,
        "idempotency_key": key and key.key,
        "fingerprint": key and key.fingerprint,
    }


def challenger_columns(part: ChallengerPart | None) -> dict[str, Any]:
    """The columns that say which reports a challenger scored."""
    return {
        "challenger_name": part and part.name,
        "challenger_version": part and part.version,
        "challenger_reports": part and struct.pack(f"<{len(part.reports)}I", *part.reports),
    }


def _read_challenger(row: Row[*tuple[Any, ...]]) -> ChallengerPart | None:
    if row.challenger_name is None:
        return None
    reports = [index for (index,) in struct.iter_unpack("<I", row.challenger_reports)]
    return ChallengerPart(row.challenger_name, row.challenger_version, reports)


def pack_numbers(numbers: Iterable[float]) -> bytes:
    """Float64, little endian."""
    packed = array("d", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack_numbers(content: bytes | None) -> tuple[float, ...] | None:
    if content is None:
        return None
    unpacked = array("d", content)
    if sys.byteorder == "big":
        unpacked.byteswap()
    return tuple(unpacked)
