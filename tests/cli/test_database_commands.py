"""`flagrank doctor`, `db` and `serve` on databases that can't be used: the sentence and the exit code."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flagrank.service.store import FILE
from flagrank.storage.engine import embedded_url
from flagrank.storage.schema import NEWEST
from tests.cli.running import check_refusal, read_json, run, run_ordinary
from tests.databases import migrate
from tests.postgres_server import WHEEL_18, PostgresServer, find_free_port, run_server

PAGE_BYTES = 4_096
ROWS = 2_000
WRONG = "Something is wrong; see the lines that begin with BAD."
DAMAGED = (
    "The database can't be used: its file is damaged, or is no database. "
    "Restore it from a backup, or name another one."
)
NEWER = (
    f"The database has tables of version 9999, newer than this flagrank knows ({NEWEST}). "
    "Install the flagrank that made them, or a later one."
)
SILENT = "The database can't be used now: it does not answer. Try again later."
NOT_WRITTEN = (
    "The database can't be used now: it may not be written to. Give this user the right to write to its "
    "file and folder; of servers, name the primary one."
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory whose database holds half a megabyte."""
    migrate(embedded_url(tmp_path / FILE))
    change(
        tmp_path,
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) "
        "INSERT INTO task_reports SELECT randomblob(16), randomblob(250) FROM n",
        ROWS,
    )
    return tmp_path


def change(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute(statement, values)


def overwrite(folder: Path, first_page: int, pages: int) -> None:
    with (folder / FILE).open("r+b") as file:
        file.seek(first_page * PAGE_BYTES)
        file.write(b"\xaa" * PAGE_BYTES * pages)


def check_diagnosis(done: subprocess.CompletedProcess[str], check: str, said: str) -> None:
    """What `doctor` finds bad is this alone."""
    assert (done.returncode, done.stderr) == (1, f"{WRONG}\n")
    bad = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    assert bad == [f"BAD  {check}: {said}"]


def test_a_sound_database_is_told_to_be_sound(folder: Path) -> None:
    done = run("doctor", "--json", data_dir=folder)
    found = read_json(done)
    assert found["healthy"] is True
    assert [check["check"] for check in found["checks"]] == [
        *("disk", "database", "tables", "writing", "integrity", "model", "keys", "tasks")
    ]
    assert read_json(run("db", "status", "--json", data_dir=folder)) == {
        "current": NEWEST,
        "newest": NEWEST,
        "is_current": True,
        "is_usable": True,
    }
    assert read_json(run("db", "upgrade", "--json", data_dir=folder)) == {
        "before": NEWEST,
        "current": NEWEST,
    }


def test_a_missing_database_is_looked_at_without_making_it_and_then_made(tmp_path: Path) -> None:
    done = run("doctor", data_dir=tmp_path / "new")
    assert done.returncode == 0
    assert done.stdout == f"ok   database: None is at {tmp_path}/new/{FILE} yet; `flagrank serve` makes it.\n"
    told = run("db", "status", data_dir=tmp_path / "new")
    assert (
        told.stdout == f"The tables have version none, flagrank needs {NEWEST}. Run `flagrank db upgrade`.\n"
    )
    assert not (tmp_path / "new").exists()
    made = run("db", "upgrade", data_dir=tmp_path / "new")
    assert made.stdout == f"The tables have version {NEWEST} now; before: none.\n"


def test_damage_in_the_middle_of_the_file_is_found_by_doctor(folder: Path) -> None:
    overwrite(folder, first_page=60, pages=3)
    done = run("doctor", data_dir=folder)
    assert (done.returncode, done.stderr) == (1, f"{WRONG}\n")
    (bad,) = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert bad.startswith("BAD  integrity: The file is damaged: ")
    assert bad.endswith(". Restore it from a backup.")
    assert len(done.stdout.splitlines()) == 8


@pytest.mark.parametrize("spoil", ["the_catalogue", "the_end", "all_of_it"])
def test_a_file_that_is_damaged_or_no_database_is_refused_by_every_command(folder: Path, spoil: str) -> None:
    match spoil:
        case "the_catalogue":
            overwrite(folder, first_page=1, pages=20)
        case "the_end":
            with (folder / FILE).open("r+b") as file:
                file.truncate(5 * PAGE_BYTES)
        case _:
            (folder / FILE).write_text("Once upon a time there was no database. " * 200)
    before = (folder / FILE).read_bytes()
    done = run("doctor", data_dir=folder)
    check_diagnosis(done, "tables" if spoil == "the_catalogue" else "database", DAMAGED)
    for command in (("db", "status"), ("db", "upgrade"), ("serve", "--port", "0"), ("worker",)):
        check_refusal(run(*command, data_dir=folder), DAMAGED)
    assert (folder / FILE).read_bytes() == before


def test_tables_of_another_program_are_refused_and_left_alone(tmp_path: Path) -> None:
    change(tmp_path, "CREATE TABLE task (anything)")
    change(tmp_path, "CREATE TABLE unrelated (anything)")
    said = (
        "The database has tables that flagrank did not make, under names that it needs: task. "
        "Give flagrank a database of its own."
    )
    for command in (("db", "upgrade"), ("serve", "--port", "0")):
        check_refusal(run(*command, data_dir=tmp_path), said)
    change(tmp_path, "DROP TABLE task")
    assert run("db", "upgrade", data_dir=tmp_path).returncode == 0


def test_tables_of_a_newer_program_are_refused_by_every_command(folder: Path) -> None:
    change(folder, "UPDATE alembic_version SET version_num = '9999'")
    check_diagnosis(run("doctor", data_dir=folder), "tables", NEWER)
    for command in (("db", "upgrade"), ("serve", "--port", "0"), ("worker",), ("model", "list")):
        check_refusal(run(*command, data_dir=folder), NEWER)
    told = run("db", "status", data_dir=folder)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == (
        f"The tables have version 9999, flagrank needs {NEWEST}. "
        "Install the flagrank that made them, or a later one.\n"
    )


def test_newer_tables_that_still_serve_this_program_are_used_as_they_are(folder: Path) -> None:
    version = f"9999_from_{NEWEST[:4]}"
    change(folder, "UPDATE alembic_version SET version_num = ?", version)
    assert f"ok   tables: They have version {version}, a newer one" in run("doctor", data_dir=folder).stdout
    assert run("db", "status", data_dir=folder).stdout == (
        f"The tables have version {version}, flagrank needs {NEWEST}. They are newer, and still serve it.\n"
    )
    assert read_json(run("db", "upgrade", "--json", data_dir=folder)) == {
        "before": version,
        "current": version,
    }
    assert run("model", "list", data_dir=folder).returncode == 0


def test_a_folder_that_may_not_be_written_to_is_told_before_a_database_is_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run_ordinary("doctor", data_dir=tmp_path)
    advice = "Set FLAGRANK_DATA_DIR to a folder that may."
    check = f"None is at {tmp_path}/{FILE} yet, and {tmp_path} may not be written to. {advice}"
    check_diagnosis(done, "database", check)
    for command in (("db", "upgrade"), ("serve", "--port", "0")):
        check_refusal(run_ordinary(*command, data_dir=tmp_path), NOT_WRITTEN)
        check_refusal(
            run_ordinary(*command, data_dir=tmp_path / "new"),
            f"The data directory {tmp_path}/new can't be made: Permission denied. "
            "Set FLAGRANK_DATA_DIR to a folder that may be written to.",
        )
    tmp_path.chmod(0o700)


def test_a_database_in_a_folder_that_may_not_be_written_to_is_refused(folder: Path) -> None:
    for beside in ("-wal", "-shm", "-writers"):
        (folder / f"{FILE}{beside}").unlink(missing_ok=True)
    folder.chmod(0o500)
    check_diagnosis(run_ordinary("doctor", data_dir=folder), "database", NOT_WRITTEN)
    for command in (("db", "status"), ("db", "upgrade"), ("serve", "--port", "0"), ("worker",)):
        check_refusal(run_ordinary(*command, data_dir=folder), NOT_WRITTEN)
    folder.chmod(0o700)


def test_a_database_that_may_be_read_only_is_refused_and_diagnosed(folder: Path) -> None:
    run("doctor", data_dir=folder)
    for file in folder.iterdir():
        file.chmod(0o400)
    check_diagnosis(run_ordinary("doctor", data_dir=folder), "writing", NOT_WRITTEN)
    for command in (("db", "upgrade"), ("serve", "--port", "0")):
        check_refusal(run_ordinary(*command, data_dir=folder), NOT_WRITTEN)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_server(WHEEL_18) as started:
        yield started


def test_a_server_that_does_not_listen_is_told_by_doctor_with_its_address(tmp_path: Path) -> None:
    port = find_free_port()
    url = f"postgresql://flagrank:secret@127.0.0.1:{port}/flagrank"
    done = run("doctor", database_url=url)
    assert (done.returncode, done.stderr) == (1, f"{WRONG}\n")
    (line,) = done.stdout.splitlines()
    assert line.startswith("BAD  database: It can't be reached: connection failed: ")
    assert f'server at "127.0.0.1", port {port} failed: Connection refused' in line
    assert line.endswith(". Start it, or mend FLAGRANK_DATABASE_URL.")
    for command in (("db", "status"), ("db", "upgrade"), ("serve", "--port", "0"), ("worker",)):
        check_refusal(run(*command, database_url=url), SILENT)
    assert "secret" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_the_server_does_not_have_is_told_by_doctor(server: PostgresServer) -> None:
    done = run("doctor", database_url=server.url("nowhere"))
    assert done.returncode == 1
    assert 'database "nowhere" does not exist' in done.stdout


def test_an_empty_database_of_a_server_is_refused_by_doctor_and_then_upgraded(server: PostgresServer) -> None:
    url = server.create_database("empty")
    said = f"The database has no tables, this flagrank needs {NEWEST}. Run `flagrank db upgrade`."
    check_diagnosis(run("doctor", database_url=url), "tables", said)
    assert run("db", "upgrade", database_url=url).returncode == 0
    assert run("doctor", database_url=url).returncode == 0


def test_a_server_that_only_reads_is_diagnosed(server: PostgresServer) -> None:
    url = server.create_database("standby")
    migrate(url)
    only_reads = f"{url}?options=-c%20default_transaction_read_only%3Don"
    check_diagnosis(run("doctor", database_url=only_reads), "writing", NOT_WRITTEN)
