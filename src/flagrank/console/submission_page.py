"""A file of reports becomes a task: read by the schema as a whole, or refused with the lines that are bad."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import BinaryIO

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.navigation import TASKS
from flagrank.console.pages import Pages
from flagrank.console.task_filters import describe_form_time, read_form_time
from flagrank.console.uploads import limit_body
from flagrank.files.reports import read_reports
from flagrank.triage.errors import FieldProblem, FileRefused, FlagrankError, NoModel
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.identifiers import IdentifierSource
from flagrank.triage.policy import Policy
from flagrank.triage.task import Receipt, Submission, TaskPriority

SUFFIXES = (".csv", ".tsv", ".jsonl")
FORM_BYTES = 16 * 2**10  # what a form has beside the file
_NAME_CHARS = 100

Submit = Callable[[Submission], Awaitable[Receipt]]


class SubmissionPage:
    """The form and what comes of it."""

    def __init__(
        self,
        pages: Pages,
        submit: Submit,
        find_schema: Callable[[], FeatureSchema | None],
        find_policy: Callable[[], Policy],
        *,
        limit_bytes: int,
    ) -> None:
        self._pages = pages
        self._submit = submit
        self._find_schema = find_schema
        self._find_policy = find_policy
        self._limit_bytes = limit_bytes
        self._identifiers = IdentifierSource()

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [Route("/submit", self.ask), Route("/submit", self.submit, methods=["POST"])]

    async def ask(self, request: Request) -> Response:
        """The form."""
        return self._show(request, 200)

    async def submit(self, request: Request) -> Response:
        """Make the task and show it, or the form again with what is wrong."""
        limited = limit_body(request, self._limit_bytes + FORM_BYTES, "Split it.")
        async with limited.form(max_files=1, max_fields=2, max_part_size=FORM_BYTES) as form:
            try:
                submission = await self._read(form)
                receipt = await self._submit(submission)
            except FlagrankError as error:
                return self._show(request, 422, error.detail, error.fields)
        return RedirectResponse(f"{TASKS}/{receipt.task.task_id}", 303)

    async def _read(self, form: FormData) -> Submission:
        file, run_at, priority = form.get("file"), form.get("run_at", ""), form.get("priority", "normal")
        if not isinstance(file, UploadFile) or not file.filename:
            raise FileRefused("No file was chosen. Choose one.")
        schema = self._find_schema()
        if schema is None:
            raise NoModel("No model serves, so that no schema says how to read the file. Promote a model.")
        work = (file.file, file.filename, schema, self._find_policy().severities)
        reports = await asyncio.to_thread(_read_upload, *work)
        made = iter(self._identifiers.make(len(reports) + 1))
        for report in reports:
            report.setdefault("report_id", next(made))
        return Submission(
            task_id=next(made),
            reports=msgspec.json.encode(reports),
            n_reports=len(reports),
            priority=_read_priority(priority),
            run_at=_read_run_at(run_at),
        )

    def _show(
        self, request: Request, status: int, detail: str = "", fields: Collection[FieldProblem] = ()
    ) -> Response:
        schema = self._find_schema()
        return self._pages.show(
            request.scope,
            "submit.html.jinja",
            status,
            detail=detail,
            fields=fields,
            features=schema.feature if schema else (),
            suffixes=SUFFIXES,
            priorities=list(TaskPriority),
        )


def _read_upload(
    file: BinaryIO, name: str, schema: FeatureSchema, reasons: Collection[str]
) -> list[dict[str, object]]:
    """The reports of a file that a browser sent, in sentences that call it by its name there."""
    plain = "".join(filter(str.isprintable, PurePosixPath(name.replace("\\", "/")).name)).lstrip(".")
    name = plain[-_NAME_CHARS:] or "file"
    if not name.lower().endswith(SUFFIXES):
        raise FileRefused(
            f"{name} has a name that tells no kind of file taken here. Name it .csv, .tsv or .jsonl."
        )
    with TemporaryDirectory(prefix="flagrank-") as folder:
        path = Path(folder) / name
        with path.open("wb") as copy:
            while piece := file.read(2**20):
                copy.write(piece)
        try:
            return read_reports(path, schema, reasons, datetime.now(UTC))
        except FileRefused as error:
            raise FileRefused(error.detail.replace(f"{folder}/", ""), error.fields) from error


def _read_priority(text: object) -> TaskPriority:
    try:
        return TaskPriority(str(text))
    except ValueError as error:
        raise FileRefused("The task's priority is none that there is. Choose one of the list.") from error


def _read_run_at(text: object) -> datetime | None:
    try:
        return read_form_time(str(text).strip())
    except ValueError as error:
        raise FileRefused(describe_form_time("The time to run")) from error
