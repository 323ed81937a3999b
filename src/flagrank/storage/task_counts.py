"""The counter rows of final tasks, kept in the transaction that ends them."""

import random
from collections.abc import Mapping

from sqlalchemy import Connection

from flagrank.storage.dialect import insert_into
from flagrank.storage.tables import State, task_count

_SLOTS = 32


def choose_slot() -> int:
    """The slot of one writer; two that share one wait for each other, nothing worse."""
    return random.randrange(_SLOTS)  # noqa: S311 - spreads writers


def count_final(connection: Connection, slot: int, changes: Mapping[State, int]) -> None:
    """Add to the counters, as the last thing in a transaction: the rows stay locked until it ends."""
    rows = [{"slot": slot, "state": int(state), "n": n} for state, n in sorted(changes.items()) if n]
    if rows:
        insert = insert_into(connection, task_count)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["slot", "state"], set_={"n": task_count.c.n + insert.excluded.n}
            ),
            rows,
        )
