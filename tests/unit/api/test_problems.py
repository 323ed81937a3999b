"""Errors as problems."""

import json
from http import HTTPStatus

import pytest

from flagrank.api.problems import TITLES, HttpProblem, encode_problem
from flagrank.triage.errors import FieldProblem, FlagrankError, InvalidReports, MalformedBody, NoModel


@pytest.mark.parametrize(
    ("error", "status"), [(MalformedBody("a."), 400), (InvalidReports("b."), 422), (NoModel("c."), 503)]
)
def test_an_error_that_a_client_can_cause_has_its_status(error: FlagrankError, status: int) -> None:
    given, headers, body = encode_problem("r", error)
    assert given == status
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    assert int(dict(headers)[b"content-length"]) == len(body)
    assert json.loads(body)["code"] == error.code


def test_bad_fields_are_named_by_path() -> None:
    fields = [FieldProblem("reports[0].a", "reports[0].a is 1.")]
    _, _, body = encode_problem("r", InvalidReports("Wrong.", fields))
    assert json.loads(body)["errors"] == [{"path": "reports[0].a", "detail": "reports[0].a is 1."}]


def test_headers_of_an_http_problem_are_sent() -> None:
    _, headers, _ = encode_problem("r", HttpProblem(405, "x", "y", [(b"allow", b"POST")]))
    assert (b"allow", b"POST") in headers


@pytest.mark.parametrize("status", sorted(set(TITLES) - {413, 422}))
def test_titles_are_those_of_http(status: int) -> None:
    assert TITLES[status] == HTTPStatus(status).phrase
