from collections import Counter
from collections.abc import Iterator

import pytest

from tests.databases import MakeUrl, copy_databases, make_databases
from tests.durability.audit import install_audit
from tests.pgbouncer import PGBOUNCER, run_pooler
from tests.postgres_server import WHEEL_18, run_server

POOLED = "pgbouncer"
KINDS = ("sqlite", "postgresql-18", *([POOLED] if PGBOUNCER else []))
DEATHS = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[DEATHS] = Counter()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    deaths = config.stash[DEATHS]
    if deaths:
        parts = ", ".join(f"{n} {who}" for who, n in deaths.items())
        terminalreporter.write_line(f"kill -9: {deaths.total()} in all ({parts})")


@pytest.fixture
def deaths(request: pytest.FixtureRequest) -> Counter[str]:
    """How many processes of each kind were killed in this run; told at its end."""
    return request.config.stash[DEATHS]


@pytest.fixture(scope="session", params=KINDS)
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeUrl]:
    folder = tmp_path_factory.mktemp("databases")
    if request.param != POOLED:
        with make_databases(request.param, folder) as make:
            yield make
        return
    with run_server(WHEEL_18) as server, run_pooler(server) as port:
        make = copy_databases(server)
        yield lambda: make().replace(f":{server.port}/", f":{port}/")


@pytest.fixture
def url(make_url: MakeUrl) -> str:
    """A database of its own, which notes what is done to its tasks."""
    made = make_url()
    install_audit(made)
    return made
