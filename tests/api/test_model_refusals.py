"""`/model`: what is refused, in which words, and that nothing changes then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.model_server import ZIP, Models
from tests.api.problem_checks import check_problem
from tests.api.running_server import running_server
from tests.packages import zip_small_package


@pytest.fixture(scope="module")
def steady(package: Path) -> Iterator[Models]:
    """A server for requests that change nothing."""
    with running_server("--model", str(package), "--no-worker") as server:
        yield Models(server)


@pytest.mark.parametrize("version", ["0", "9", "99999999999999999999", "x", "-1", "1.5", "%31x", "9" * 5_000])
def test_an_unknown_version_is_not_found(steady: Models, version: str) -> None:
    ask = steady.server.ask
    for answer in (
        steady.show(version),
        steady.delete(version),
        steady.post(f"/{version}/promote"),
        steady.post(f"/{version}/role", {"role": "shadow"}),
        ask("HEAD", f"/model/{version}"),
    ):
        assert answer.status == 404
    check_problem(steady.show(version), 404, "model_not_found")


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("/1/role", None, 422, "invalid_body", "body.role"),
        ("/1/role", {}, 422, "invalid_body", "body.role"),
        ("/1/role", {"role": "champion"}, 422, "invalid_body", "body.role"),
        ("/1/role", {"role": 1}, 422, "invalid_body", "body.role"),
        ("/1/role", {"role": "challenger", "share": "0.1"}, 422, "invalid_body", "body.share"),
        ("/1/role", {"role": "challenger", "share": 0}, 422, "change_refused", None),
        ("/1/role", {"role": "challenger", "share": 1.01}, 422, "change_refused", None),
        ("/1/role", {"role": "challenger", "share": -1}, 422, "change_refused", None),
        ("/1/role", {"role": "shadow", "share": 0.1}, 422, "change_refused", None),
        ("/1/role", {"role": "none", "share": 0.1}, 422, "change_refused", None),
        ("/1/role", {"role": "shadow", "reason": ""}, 422, "change_refused", None),
        ("/1/role", {"role": "shadow", "reason": "x" * 501}, 422, "change_refused", None),
        ("/1/role", {"role": "shadow", "reason": "a\nb"}, 422, "invalid_body", "body.reason"),
        ("/1/role", {"role": "shadow", "reason": "a\x00b"}, 422, "invalid_body", "body.reason"),
        ("/1/role", {"role": "shadow", "more": 1}, 422, "invalid_body", "body.more"),
        ("/1/promote", {"force": 1}, 422, "invalid_body", "body.force"),
        ("/1/promote", {"force": True}, 422, "change_refused", None),
        ("/1/promote", {"reason": ["x"]}, 422, "invalid_body", "body.reason"),
        ("/1/promote", b'{"reason": "a", "reason": "b"}', 422, "invalid_body", "body.reason"),
        ("/1/promote", [], 422, "invalid_body", "body"),
        ("/1/promote", "x", 422, "invalid_body", "body"),
        ("/1/promote", b"null", 422, "invalid_body", "body"),
        ("/1/promote", b"{", 400, "malformed_body", None),
        ("/1/promote", b"\xff", 400, "malformed_body", None),
        ("/1/promote", b'{"force": NaN}', 400, "malformed_body", None),
        ("/1/promote", b"[" * 100_000, 400, "malformed_body", None),
        ("/rollback", {"force": True}, 422, "invalid_body", "body.force"),
        ("/rollback", {"reason": 5}, 422, "invalid_body", "body.reason"),
    ],
)
def test_a_wrong_body_is_named_and_changes_nothing(
    steady: Models, path: str, body: object, *, status: int, code: str, field: str | None
) -> None:
    before = steady.list()
    problem = check_problem(steady.post(path, body), status, code)
    assert [error["path"] for error in problem["errors"]] == ([] if field is None else [field])
    assert steady.list() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/model"),
        ("POST", "/model"),
        ("GET", "/model/1"),
        ("DELETE", "/model/1"),
        ("POST", "/model/1/promote"),
        ("POST", "/model/1/role"),
        ("POST", "/model/rollback"),
    ],
)
def test_a_query_is_refused(steady: Models, method: str, path: str) -> None:
    answer = steady.server.ask(method, f"{path}?x=1", b"" if method == "POST" else None)
    check_problem(answer, 422, "invalid_query")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/model", "GET, HEAD, POST"),
        ("/model/1", "DELETE, GET, HEAD"),
        ("/model/rollback", "POST"),
        ("/model/1/promote", "POST"),
        ("/model/1/role", "POST"),
    ],
)
def test_other_methods_are_told_which_are_taken(steady: Models, path: str, allowed: str) -> None:
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - set(allowed.split(", ")):
        answer = steady.server.ask(method, path, b"" if method == "POST" else None)
        check_problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == allowed


def test_a_body_of_another_kind_is_refused(steady: Models) -> None:
    content = zip_small_package()
    for kind in (
        "",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/zip; charset=latin-1",
    ):
        problem = check_problem(
            steady.server.ask("POST", "/model", content, {"Content-Type": kind}),
            415,
            "unsupported_media_type",
        )
        assert "application/zip" in problem["detail"]
    answer = steady.server.ask("POST", "/model/1/promote", b"{}", ZIP)
    check_problem(answer, 415, "unsupported_media_type")


def test_a_package_over_the_limit_is_told_the_other_way(package: Path) -> None:
    with running_server("--model", str(package), "--no-worker", body_limit_bytes=1_024) as server:
        problem = check_problem(Models(server).publish(bytes(1_025)), 413, "body_too_large")
    assert "larger than 1,024 bytes. Publish it by `flagrank model publish`" in problem["detail"]
