import sqlite3

import psycopg
import pytest
from psycopg import errors

from flagrank.storage.dialect import Fault, find_fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (errors.DiskFull(), Fault.FULL),
        (errors.LockNotAvailable(), Fault.LOCKED),
        (errors.DeadlockDetected(), Fault.LOCKED),
        (errors.ReadOnlySqlTransaction(), Fault.READ_ONLY),
        (errors.UndefinedTable(), Fault.NO_TABLES),
        (errors.UndefinedColumn(), Fault.NO_TABLES),
        (errors.UniqueViolation(), Fault.REFUSED),
        (errors.NumericValueOutOfRange(), Fault.REFUSED),
        (errors.AdminShutdown(), Fault.UNREACHABLE),
        (errors.TooManyConnections(), Fault.UNREACHABLE),
        (errors.InvalidPassword(), Fault.UNREACHABLE),
        (psycopg.OperationalError("connection refused"), Fault.UNREACHABLE),
        (psycopg.DataError("text fields cannot contain NUL bytes"), Fault.REFUSED),
        (sqlite3.ProgrammingError("type 'object' is not supported"), Fault.REFUSED),
    ],
)
def test_a_drivers_error_is_known_by_its_code(error: Exception, fault: Fault) -> None:
    assert find_fault(error) is fault
