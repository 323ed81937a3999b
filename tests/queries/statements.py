"""What is sent to the database about tasks, as SQLAlchemy tells of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def record_statements() -> Iterator[list[tuple[str, Any]]]:
    """Each statement about a table of tasks, with its parameters, of many rows those of the first."""
    statements: list[tuple[str, Any]] = []

    def record(*call: Any) -> None:  # noqa: ANN401 - a connection, a cursor, and what follows
        _, _, statement, parameters, _, is_many = call
        if " task" in statement:
            statements.append((statement, parameters[0] if is_many else parameters))

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)
