"""Who may ask while no key exists (CASES G04): this machine, by local names, and no page of another site."""

import json

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer

BODY = json.dumps([REPORT]).encode()
HEALTH = ["/heartbeat", "/livez", "/readyz"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example/127.0.0.1",
        "127.0.0.1:80@evil.example",
        "127.0.0.1:evil",
        "127.0.0.2",
        "192.0.2.1",
        "[::2]",
        "[::1",
        "[::1].evil.example",
        "localhost.",
        "localhost, evil.example",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/prediction", "/docs", "/openapi.json", "/nothing"])
def test_a_foreign_host_is_403(server: RunningServer, host: str, path: str) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    check_problem(server.send(head, "GET"), 403, "foreign_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8081", "[::1]", "[::1]:80"]
)
def test_local_names_may_ask_by_any_port(server: RunningServer, host: str) -> None:
    assert server.predict(BODY, {"Host": host}).status == 200


@pytest.mark.parametrize(
    "header",
    [
        {"Forwarded": "for=192.0.2.1"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"x-forwarded-host": "localhost"},
        {"X-FORWARDED-PROTO": "https"},
        {"X-Forwarded-Anything": ""},
    ],
    ids=str,
)
def test_a_forwarded_request_is_403(server: RunningServer, header: dict[str, str]) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in header.items())
    head = f"GET /docs HTTP/1.1\r\nHost: {server.host}\r\n{fields}\r\n".encode()
    check_problem(server.send(head, "GET"), 403, "foreign_host")
    check_problem(server.predict(BODY, {**header, "X-Forwarded-For": "127.0.0.1"}), 403, "foreign_host")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:8081",
        "http://localhost",
        "null",
        "http://[",
        "http://127.0.0.1:1",
        "file://",
        "127.0.0.1",
    ],
)
def test_a_foreign_origin_changes_nothing(server: RunningServer, origin: str) -> None:
    check_problem(server.predict(BODY, {"Origin": origin}), 403, "foreign_origin")
    check_problem(server.ask("DELETE", "/prediction", headers={"Origin": origin}), 403, "foreign_origin")
    assert server.get("/openapi.json", {"Origin": origin}).status == 200


def test_a_cross_site_request_is_403(server: RunningServer) -> None:
    check_problem(server.predict(BODY, {"Sec-Fetch-Site": "cross-site"}), 403, "foreign_origin")


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_servers_own_page_may_ask(server: RunningServer, site: str) -> None:
    own = {"Origin": f"http://{server.host}", "Sec-Fetch-Site": site}
    assert server.predict(BODY, own).status == 200


@pytest.mark.parametrize("path", HEALTH)
def test_the_health_routes_answer_whoever_asks(server: RunningServer, path: str) -> None:
    answer = server.get(path, {"Host": "10.0.0.7:8081", "X-Forwarded-For": "10.0.0.9", "Origin": "null"})
    assert answer.status == 200


def test_no_answer_invites_other_sites(server: RunningServer) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answers = [
        server.ask("OPTIONS", "/prediction", headers=preflight),
        server.get("/openapi.json", {"Origin": "https://evil.example"}),
        server.predict(BODY, JSON_TYPE),
    ]
    assert not any(name.lower().startswith("access-control") for answer in answers for name in answer.headers)
