"""A real PgBouncer in transaction mode before a PostgreSQL server of these tests."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.postgres_server import PostgresServer, find_free_port, find_user

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=flagrank
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
"""


@contextmanager
def run_pooler(server: PostgresServer) -> Iterator[int]:
    """A started pooler; its port."""
    assert PGBOUNCER
    port = find_free_port()
    user = find_user()
    with TemporaryDirectory(prefix="flagrank-pgbouncer-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(_CONFIGURATION.format(server=server.port, port=port))
        command = [PGBOUNCER, "-q", str(file)]
        process = subprocess.Popen(command, user=user, cwd="/", stderr=subprocess.DEVNULL)
        try:
            wait_for_port(process, port)
            yield port
        finally:
            process.kill()
            process.wait()


def wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 20
    while True:
        assert process.poll() is None
        assert time.monotonic() < end
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
