from collections.abc import Iterator

import pytest

from flagrank.storage.engine import Database, open_database
from tests.databases import KINDS, MakeUrl, make_databases


@pytest.fixture(scope="session", params=KINDS)
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeUrl]:
    with make_databases(request.param, tmp_path_factory.mktemp("databases")) as make:
        yield make


@pytest.fixture
def url(make_url: MakeUrl) -> str:
    return make_url()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()
