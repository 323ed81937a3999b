from collections import Counter
from collections.abc import Iterator

import pytest

from tests.databases import MakeUrl, make_databases
from tests.durability.audit import install_audit

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


@pytest.fixture(scope="session", params=("sqlite", "postgresql-18"))
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeUrl]:
    with make_databases(request.param, tmp_path_factory.mktemp("databases")) as make:
        yield make


@pytest.fixture
def url(make_url: MakeUrl) -> str:
    """A database of its own, which notes what is done to its tasks."""
    made = make_url()
    install_audit(made)
    return made
