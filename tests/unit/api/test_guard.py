"""Which requests the guard lets pass."""

import pytest

from flagrank.api.guard import Guard

GUARD = Guard(["localhost", "127.0.0.1", "[::1]", "Flagrank.Internal"])


def _code(path: str = "/prediction", method: str = "POST", version: str = "1.1", *more: str) -> str | None:
    """The code of the refusal, for headers given as `name: value`."""
    headers = [(name.encode(), value.encode()) for name, _, value in (line.partition(": ") for line in more)]
    scope = {"path": path, "method": method, "http_version": version, "headers": headers}
    refusal = GUARD.find_refusal(scope, dict(headers))
    return refusal.code if refusal else None


def _ask(*headers: str) -> str | None:
    return _code("/prediction", "POST", "1.1", *headers)


def test_allowed_names_are_compared_without_case_and_port() -> None:
    assert _ask("host: FLAGRANK.internal:443") is None
    assert _ask("host: [::1]:1") is None
    assert _ask("host: ::1") == "foreign_host"


def test_a_request_without_a_host_is_refused_by_what_its_version_says() -> None:
    assert _ask() == "no_host"
    assert _code("/prediction", "POST", "1.0") == "foreign_host"
    assert _code("/livez", "GET", "1.0") is None
    assert _code("/livez", "GET", "1.1") == "no_host"


@pytest.mark.parametrize("origin", ["http://localhost", "https://LOCALHOST"])
def test_an_origin_is_ours_where_it_names_the_same_host(origin: str) -> None:
    assert _ask("host: localhost", f"origin: {origin}") is None
    assert _ask("host: localhost:81", f"origin: {origin}") == "foreign_origin"


def test_a_repeated_header_is_refused_before_anything_else() -> None:
    assert _ask("host: evil.example", "host: localhost") == "repeated_header"
    assert _ask("host: localhost", "accept: a", "accept: b") is None
