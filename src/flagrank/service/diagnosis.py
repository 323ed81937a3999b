"""What `flagrank doctor` looks at, each as one finding."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from flagrank.service.store import embedded_file, opened_database
from flagrank.settings import Settings
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.dialect import find_damage
from flagrank.storage.engine import Database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.schema import check_schema, check_writing
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.triage.errors import DatabaseRefused, FlagrankError, StoreUnavailable


class Finding(msgspec.Struct, frozen=True):
    """One check: whether all is well, and what was seen."""

    check: str
    is_good: bool
    sentence: str


def examine(settings: Settings) -> list[Finding]:
    """All findings; the later checks are left out where the database can't be used. Changes nothing."""
    file = embedded_file(settings)
    if file is not None and not file.exists():
        return [_examine_place(file)]
    findings = [] if file is None else [_examine_disk(file.parent, settings.least_free_bytes)]
    with opened_database(settings) as database:
        checks: dict[str, Callable[[Database], str]] = {
            "database": _reach,
            "tables": _check_tables,
            "writing": _check_writing,
            "integrity": _check_integrity,
            "model": _find_champion,
            "keys": _count_keys,
            "tasks": _count_tasks,
        }
        findings += _run(checks, database)
    return findings


def _run(checks: dict[str, Callable[[Database], str]], database: Database) -> Iterator[Finding]:
    for name, check in checks.items():
        try:
            yield Finding(name, is_good=True, sentence=check(database))
        except FlagrankError as error:
            yield Finding(name, is_good=False, sentence=error.detail)
            if name in {"database", "tables"}:  # nothing that follows could be read
                return


def _examine_disk(folder: Path, least_free_bytes: int) -> Finding:
    free = shutil.disk_usage(folder).free
    told = f"{free / 2**20:,.0f} MiB are free in {folder}; tasks are refused below"
    return Finding("disk", free >= least_free_bytes, f"{told} {least_free_bytes / 2**20:,.0f}.")


def _examine_place(file: Path) -> Finding:
    """Where the embedded database would be made: in its folder, or in a new one below one that exists."""
    folder = next(above for above in file.absolute().parents if above.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        advice = "`flagrank serve` makes it."
        return Finding("database", is_good=True, sentence=f"None is at {file} yet; {advice}")
    advice = "Set FLAGRANK_DATA_DIR to a folder that may."
    told = f"None is at {file} yet, and {folder} may not be written to. {advice}"
    return Finding("database", is_good=False, sentence=told)


def _reach(database: Database) -> str:
    if silence := database.explain_silence():
        raise StoreUnavailable(f"It can't be reached: {silence}. Start it, or mend FLAGRANK_DATABASE_URL.")
    database.check()
    return "It answers."


def _check_tables(database: Database) -> str:
    status = check_schema(database)
    if status.still_serves:
        return f"They have version {status.current}, a newer one that still serves this flagrank."
    return "They have the version that this flagrank needs."


def _check_writing(database: Database) -> str:
    check_writing(database)
    return "It may be written to."


def _check_integrity(database: Database) -> str:
    with database.read() as connection:
        damage = find_damage(connection)
    if damage:
        raise DatabaseRefused(f"The file is damaged: {'; '.join(damage[:3])}. Restore it from a backup.")
    return "Nothing is damaged." if database.is_embedded else "Left to the server: see amcheck and checksums."


def _find_champion(database: Database) -> str:
    champion = StoredModelRegistry(database).read_champion()
    if champion is None:
        return "No model is promoted: nothing is scored until `flagrank model promote VERSION`."
    return f"{champion.name} {champion.version} serves."


def _count_keys(database: Database) -> str:
    keys = StoredApiKeys(database).list_keys()
    if not keys:
        return "There is none: only this machine may ask."
    return f"{sum(key.revoked_at is None for key in keys)} in force, {len(keys)} ever made."


def _count_tasks(database: Database) -> str:
    counts = StoredTaskReading(database).count_tasks()
    told = ", ".join(f"{n:,} {status}" for status, n in counts.by_status.items() if n)
    return f"{told or 'none'}; the oldest queued one is due for {counts.oldest_queued_seconds:,.0f} s."
