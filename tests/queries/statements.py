"""What is sent to the database, as SQLAlchemy tells of it, and by which ways it is answered."""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

Statements = list[tuple[str, Any]]

SORT = "SORT"


@contextmanager
def record_statements(tables: Collection[str]) -> Iterator[Statements]:
    """Each statement about one of these tables, with its parameters, of many rows those of the first."""
    statements: Statements = []
    is_about = re.compile(rf"\b({'|'.join(tables)})\b").search

    def record(*call: Any) -> None:  # noqa: ANN401 - a connection, a cursor, and what follows
        _, _, statement, parameters, _, is_many = call
        if is_about(statement):
            is_list = is_many and parameters and isinstance(parameters[0], tuple | dict)
            statements.append((statement, parameters[0] if is_list else parameters))

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


def explain(
    connection: Connection,
    statement: str,
    parameters: Any,  # noqa: ANN401 - the driver's
    tables: Collection[str],
) -> list[str]:
    """A line for each way in which the plan reads one of these tables, with index and condition, or sorts."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        steps = [SORT if row[3] == "USE TEMP B-TREE FOR ORDER BY" else row[3] for row in rows]
        wanted = re.compile(rf"(SCAN|SEARCH) ({'|'.join(tables)})( |$)|{SORT}").match
        return [step for step in steps if wanted(step)]
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return list(_read_plan(plan[0]["Plan"], tables))


def _read_plan(node: dict[str, Any], tables: Collection[str]) -> Iterator[str]:
    if "Index Name" in node:
        yield f"INDEX {node['Index Name']} {node.get('Index Cond', '')}"
    elif node["Node Type"] == "Sort":
        yield SORT
    elif node.get("Relation Name") in tables and node["Node Type"] not in {"ModifyTable", "Bitmap Heap Scan"}:
        yield f"{node['Node Type']} {node['Relation Name']}"
    for below in node.get("Plans", ()):
        yield from _read_plan(below, tables)
