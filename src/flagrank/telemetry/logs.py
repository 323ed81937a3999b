"""Structured logs: one line an event, as JSON or for a terminal, of nothing but known fields.

What is logged can't grow a personal value by accident: a field that `FIELDS` does not name is withheld, and
of an exception only its type and the lines it passed are kept, for its message may repeat what a user sent.
"""

import logging
import os
import sys
from contextvars import ContextVar
from pathlib import PurePath
from traceback import extract_tb
from typing import Literal, Protocol, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogStyle = Literal["json", "console"]

ROOT = "flagrank"
FIELDS = frozenset(
    {
        *("timestamp", "level", "logger", "event", "request_id", "exception"),
        *("task_id", "model", "model_version", "key_id", "code", "status", "route", "method", "seconds"),
        *(
            "n_tasks",
            "n_reports",
            "attempts",
            "retry_seconds",
            "lease_no",
            "mode",
            "role",
            "process",
            "policy",
            "address",
        ),
        *("signal", "sentence"),  # one of our own, about the service and never about a request
    }
)
WITHHELD = "[withheld]"
_REQUEST_ID: ContextVar[str] = ContextVar("request_id")


class Log(Protocol):
    """Where events go: named in words_with_underscores, with fields of `FIELDS`."""

    def debug(self, event: str, /, **fields: object) -> object:
        """Tell what helps to find a fault."""
        ...

    def info(self, event: str, /, **fields: object) -> object:
        """Tell what an operator may want to know later."""
        ...

    def warning(self, event: str, /, **fields: object) -> object:
        """Tell what an operator should look at."""
        ...

    def error(self, event: str, /, **fields: object) -> object:
        """Tell what went wrong; `exc_info=True` adds the exception being handled."""
        ...


def get_logger(name: str) -> Log:
    """The log of one room (`worker`); until `configure_logs` was called only warnings are shown."""
    logger = structlog.wrap_logger(
        logging.getLogger(f"{ROOT}.{name}"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return cast("Log", logger)


def set_request_id(request_id: str) -> None:
    """Add the id to all that is logged from now on in this asyncio task; costs about .1 us."""
    _REQUEST_ID.set(request_id)


def configure_logs(style: LogStyle, level: str = "info", stream: TextIO | None = None) -> None:
    """Write our events from `level` on, and other libraries' warnings, to standard error or `stream`."""
    stream = stream or sys.stderr
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request_id,
            _cut_foreign_message,
            _tell_exception,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _withhold_unknown,
            _make_renderer(style, stream),
        ]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())


def _make_renderer(style: LogStyle, stream: TextIO) -> Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(serializer=_encode)
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)


def _encode(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def _add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    request_id = _REQUEST_ID.get(None)
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def _cut_foreign_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep the first line of another library's message, without values: asyncio shows whole exceptions."""
    if not event["_from_structlog"]:
        event["event"] = str(event["_record"].msg).strip().partition("\n")[0]
    return event


def _tell_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None) or event["_record"].exc_info
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = describe_exception(error)
    return event


def describe_exception(error: BaseException) -> str:
    """The exception and its causes, the first cause first: the lines each passed, and its type.

    The message is kept of an `OSError` only, in the system's own words.
    """
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [describe_exception(cause)] if cause else []
    lines += [
        f"  {'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
        for frame in extract_tb(error.__traceback__)
    ]
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, OSError) and error.errno is not None:
        name = f"{name}: {os.strerror(error.errno)}"
    return "\n".join([*lines, name])


def _withhold_unknown(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: value if name in FIELDS else WITHHELD for name, value in event.items()}
