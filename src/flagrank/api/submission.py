"""`POST /predict`: reports are checked as for `/prediction`, committed, and scored later.

A request passes here, `request_body`, `triage.report_decoding`, `group_commit` and `storage.task_intake`.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET
from starlette.types import Receive, Scope

from flagrank.api.group_commit import GroupCommit
from flagrank.api.prediction import LOOP_BYTES
from flagrank.api.problems import make_no_model_problem
from flagrank.api.query import (
    read_enqueue,
    read_idempotency_key,
    read_priority,
    read_query,
    read_time,
)
from flagrank.api.reply import Reply, encode_json
from flagrank.api.request_body import BodyReader
from flagrank.api.serving import FindServing
from flagrank.api.store_watch import StoreWatch
from flagrank.triage.api_key import ApiKey
from flagrank.triage.errors import MalformedBody, StoreUnavailable
from flagrank.triage.identifiers import IdentifierSource
from flagrank.triage.report_decoding import ReportDecoder
from flagrank.triage.task import Idempotency, Receipt, Submission, Task, TaskStatus

KNOWN = frozenset({"run_at", "priority", "enqueue"})


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a submission."""

    task_id: str
    status: TaskStatus
    n_reports: int
    submitted_at: datetime
    run_at: datetime | None


class SubmissionRoute:
    """Takes reports in; big bodies are decoded in `executor`, which has one thread.

    A request without body, query and key is answered by `list_tasks`.
    """

    def __init__(
        self,
        find_serving: FindServing,
        reader: BodyReader,
        executor: Executor,
        intake: GroupCommit,
        *,
        watch: StoreWatch,
        list_tasks: Callable[[], Awaitable[Reply]],
    ) -> None:
        self._find_serving = find_serving
        self._reader = reader
        self._executor = executor
        self._intake = intake
        self._watch = watch
        self._list_tasks = list_tasks
        self._identifiers = IdentifierSource()
        self._executor_identifiers = IdentifierSource()  # of the executor's one thread

    async def respond(self, scope: Scope, receive: Receive) -> Reply:
        """Answer one request."""
        headers = scope["state"]["headers"]
        body = b""
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0"):
            body = await self._reader.read(scope, receive)
        if not body:
            if scope["query_string"] or b"idempotency-key" in headers:
                raise MalformedBody(
                    "The body is empty, and the request has a query or an Idempotency-Key. Send a JSON array "
                    "of reports; without all three the answer is the list of tasks."
                )
            return await self._list_tasks()
        return await self._submit(scope, body)

    async def _submit(self, scope: Scope, body: bytes) -> Reply:
        query = read_query(scope, KNOWN)
        run_at, priority, enqueue = read_time(query, "run_at"), read_priority(query), read_enqueue(query)
        idempotency = _read_idempotency(scope, body)
        serving = self._find_serving()
        if serving is None:
            raise make_no_model_problem()
        received_at = datetime.now(UTC)
        if len(body) <= LOOP_BYTES:
            encoded, count = _read_reports(serving.decoder, body, received_at, self._identifiers)
        else:
            run = asyncio.get_running_loop().run_in_executor
            work = (serving.decoder, body, received_at, self._executor_identifiers)
            encoded, count = await run(self._executor, _read_reports, *work)
        submission = Submission(
            task_id=self._identifiers.make()[0],
            reports=encoded,
            n_reports=count,
            priority=priority,
            run_at=run_at,
            enqueue=enqueue,
            idempotency=idempotency,
        )
        receipt = await self.commit(submission)
        return _accept(receipt.task, is_new=receipt.is_new)

    async def commit(self, submission: Submission) -> Receipt:
        """Commit a task where there is room for it, whoever it came from."""
        self._watch.check_room()
        self._watch.note_accepted()
        try:
            return await self._intake.submit(submission)
        except StoreUnavailable as error:
            self._watch.note_refused(error)
            raise


def _read_reports(
    decoder: ReportDecoder, body: bytes, received_at: datetime, identifiers: IdentifierSource
) -> tuple[bytes, int]:
    """The reports as they are stored, each with its id, and how many there are."""
    reports = decoder.decode(body, received_at)
    nameless = [report for report in reports if report.report_id is UNSET]
    for report, made in zip(nameless, identifiers.make(len(nameless)), strict=True):
        msgspec.structs.force_setattr(report, "report_id", made)  # ours alone until here
    return encode_json(reports), len(reports)


def _read_idempotency(scope: Scope, body: bytes) -> Idempotency | None:
    key = read_idempotency_key(scope["state"]["headers"])
    if key is None:
        return None
    owner: ApiKey | None = scope["state"].get("api_key")
    query: bytes = scope["query_string"]
    digest = hashlib.sha256(b"%d:" % len(query) + query + body).digest()
    return Idempotency("" if owner is None else owner.key_id, key, digest)


def _accept(task: Task, *, is_new: bool) -> Reply:
    accepted = Accepted(task.task_id, task.status, task.n_reports, task.submitted_at, task.run_at)
    location = (b"location", b"/task/" + task.task_id.encode())
    return Reply(encode_json(accepted), 202 if is_new else 200, [location])
