import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from tests.deployment.image import ROOT, Image
from tests.postgres_server import WHEEL_18, PostgresServer, run_server

OUR_SERVICES = ("migrate", "api", "worker")
DEFAULT_PASSWORD = "local-use-only"  # noqa: S105 - it stands in the compose file for all to read
FIRST_CURL = [{"abuse_type": "MSG", "report_text_len": 0, "profile_rating": 0, "popularity": 0}]
PATIENCE_SECONDS = 60

pytestmark = pytest.mark.timeout(600)


def read_configuration(**environment: str) -> dict[str, Any]:
    """What Debian's docker-compose makes of the file, in these variables and no file .env."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.fail("docker-compose is missing. Install it: apt-get install docker-compose", pytrace=False)
    with NamedTemporaryFile() as no_variables:
        files = ["--env-file", no_variables.name, "--file", str(ROOT / "docker-compose.yml")]
        printed = subprocess.run(
            [program, *files, "config"],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], **environment},
        )
    assert not printed.stderr
    configuration: dict[str, Any] = yaml.safe_load(printed.stdout)
    return configuration


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = read_configuration()["services"]
    return found


def test_the_services_are_a_database_a_migration_an_api_and_a_worker(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", *OUR_SERVICES}
    assert services["api"]["command"][:3] == ["serve", "--model", "demo"]
    assert services["worker"]["command"] == ["worker"]
    assert services["migrate"]["command"] == ["db", "upgrade"]


def test_one_port_is_published_on_this_machine_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8081:8081/tcp"]


def test_only_the_api_serves_without_keys_and_only_behind_that_port(services: dict[str, Any]) -> None:
    without_keys = [name for name in services if "FLAGRANK_ALLOW_NO_KEYS" in services[name]["environment"]]
    assert without_keys == ["api"]


def test_ours_are_read_only_without_rights_and_the_database_has_one_place_to_write(
    services: dict[str, Any],
) -> None:
    assert all(service["read_only"] for service in services.values())
    assert all(service["security_opt"] == ["no-new-privileges:true"] for service in services.values())
    for name in OUR_SERVICES:
        assert services[name]["cap_drop"] == ["ALL"]
        assert "volumes" not in services[name]
        assert [mount.split(":")[0] for mount in services[name]["tmpfs"]] == ["/tmp"]  # noqa: S108 - the container's own
    assert services["postgres"]["volumes"] == ["database:/var/lib/postgresql:rw"]


def test_what_ends_is_started_again_but_for_the_migration(services: dict[str, Any]) -> None:
    policies = {name: service["restart"] for name, service in services.items()}
    assert policies == {
        "postgres": "unless-stopped",
        "migrate": "no",
        "api": "unless-stopped",
        "worker": "unless-stopped",
    }


def test_tables_are_upgraded_once_the_database_is_healthy_and_before_anything_else(
    services: dict[str, Any],
) -> None:
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker"):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_the_database_is_of_a_pinned_version_that_the_tests_run_too(services: dict[str, Any]) -> None:
    image = re.fullmatch(r"postgres:(\d+)\.\d+-[a-z]+", services["postgres"]["image"])
    assert image
    version = subprocess.run(
        [WHEEL_18 / "bin" / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    assert f" {image[1]}." in version.stdout


def test_the_password_comes_from_the_environment_and_is_the_same_on_both_sides() -> None:
    for password, environment in ((DEFAULT_PASSWORD, {}), ("d41d8c", {"FLAGRANK_DB_PASSWORD": "d41d8c"})):
        services = read_configuration(**environment)["services"]
        assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == password
        for name in OUR_SERVICES:
            url = services[name]["environment"]["FLAGRANK_DATABASE_URL"]
            assert url == f"postgresql://flagrank:{password}@postgres:5432/flagrank"


def test_the_published_port_can_be_chosen() -> None:
    assert read_configuration(FLAGRANK_PORT="9000")["services"]["api"]["ports"] == ["127.0.0.1:9000:8081/tcp"]


def test_a_stop_waits_longer_than_the_drain_and_the_requests_in_flight(services: dict[str, Any]) -> None:
    assert services["api"]["stop_grace_period"] == "45s"  # 5 s of drain and 30 s for what is in flight


def test_log_files_have_an_end(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@contextmanager
def running(
    image: Image, service: Mapping[str, Any], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A service as the image runs it, until SIGTERM."""
    process = image.start(service["command"], {**service["environment"], **environment}, log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def ask(address: str, path: str, body: object = None) -> dict[str, Any]:
    method = "GET" if body is None else "POST"
    answer = httpx.request(method, address + path, json=body, timeout=PATIENCE_SECONDS)
    content: dict[str, Any] = answer.raise_for_status().json()
    return content


def wait_until_healthy(process: subprocess.Popen[bytes], check: list[str], image: Image, log: Path) -> None:
    """Run the service's own health check until it says yes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while subprocess.run(check, env=image.environment, capture_output=True, check=False).returncode:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    with run_server(WHEEL_18) as server:
        server.create_database("flagrank")
        yield server


def test_all_services_by_hand_answer_the_first_curl_and_score_a_task(
    image: Image, services: dict[str, Any], database: PostgresServer, tmp_path: Path
) -> None:
    port, log = find_free_port(), tmp_path / "log"
    url = services["api"]["environment"]["FLAGRANK_DATABASE_URL"]
    where = {
        "FLAGRANK_DATABASE_URL": url.replace("postgres:5432", f"127.0.0.1:{database.port}"),
        "FLAGRANK_PORT": str(port),
    }
    check = [part.replace(":8081", f":{port}") for part in services["api"]["healthcheck"]["test"]]
    assert check.pop(0) == "CMD"
    with running(image, services["migrate"], where, log) as migration:
        assert migration.wait(PATIENCE_SECONDS) == 0, log.read_text()
    with ExitStack() as stack:
        api = stack.enter_context(running(image, services["api"], where, log))
        stack.enter_context(running(image, services["worker"], where, log))
        wait_until_healthy(api, check, image, log)
        address = f"http://127.0.0.1:{port}"
        assert len(ask(address, "/prediction", FIRST_CURL)["scores"]) == 1
        task = ask(address, "/predict", FIRST_CURL)
        done = ask(address, f"/task/{task['task_id']}?wait=30")
        assert done["status"] == "succeeded", log.read_text()
        assert done["scores"] == ask(address, "/prediction", FIRST_CURL)["scores"]
    assert list((image.root / "var/lib/flagrank").iterdir()) == []  # all that is kept is in the database


def test_a_health_check_fails_where_nothing_answers(image: Image, services: dict[str, Any]) -> None:
    check = [part.replace(":8081", f":{find_free_port()}") for part in services["api"]["healthcheck"]["test"]]
    assert subprocess.run(check[1:], env=image.environment, capture_output=True, check=False).returncode


def test_the_database_s_health_check_is_a_command_that_tells_the_two_apart(
    services: dict[str, Any], database: PostgresServer
) -> None:
    check = services["postgres"]["healthcheck"]["test"]
    assert check[:2] == ["CMD", "pg_isready"]
    program = WHEEL_18 / "bin" / "pg_isready"
    for port, code in ((database.port, 0), (find_free_port(), 2)):
        ran = subprocess.run([program, *check[2:], f"--port={port}"], check=False)
        assert ran.returncode == code
