"""A deployment's own schema over HTTP: decoder, errors and OpenAPI follow the one declaration."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flagrank.triage.feature_schema import parse_schema
from flagrank.triage.report import CONTEXT_FIELDS
from tests.api.problem_checks import check_problem
from tests.api.running_server import RunningServer, running_server
from tests.packages import write_small_package

SCHEMA = """
[[feature]]
name = "app version: major"
type = "category"
values = ["1: old", "2"]
open = true

[[feature]]
name = "is paying"
type = "boolean"

[[feature]]
name = "was warned"
type = "boolean"
nullable = true
optional = true

[[feature]]
name = "degrees \\u00b0C"
type = "number"

[[feature]]
name = "balance"
type = "integer"
range = [-10, -3]
nullable = true
description = "what is owed"
"""
REPORT: dict[str, Any] = {
    "app version: major": "1: old",
    "is paying": False,
    "degrees \u00b0C": 0,
    "balance": -3,
}


@pytest.fixture(scope="module")
def own_schema_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose model brings its own schema."""
    directory = tmp_path_factory.mktemp("model") / "package"
    write_small_package(directory, parse_schema(SCHEMA, "schema.toml", CONTEXT_FIELDS))
    with running_server("--model", str(directory)) as running:
        yield running


def _score(server: RunningServer, **changes: object) -> float:
    answer = server.predict([REPORT | changes])
    assert answer.status == 200, answer.body
    score: float = answer.document["scores"][0]
    return score


def test_the_example_of_the_schema_is_scored(own_schema_server: RunningServer) -> None:
    document = own_schema_server.get("/openapi.json").document
    content = document["paths"]["/prediction"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]["one"]["value"] == [REPORT]
    assert own_schema_server.predict(content["examples"]["two"]["value"]).status == 200


def test_the_document_describes_every_feature(own_schema_server: RunningServer) -> None:
    report = own_schema_server.get("/openapi.json").document["components"]["schemas"]["Report"]
    assert report["required"] == list(REPORT)
    properties = report["properties"]
    assert properties["app version: major"]["type"] == "string"
    assert "enum" not in properties["app version: major"]
    assert properties["is paying"]["type"] == "boolean"
    assert properties["was warned"]["type"] == ["boolean", "null"]
    assert properties["degrees \u00b0C"]["type"] == "number"
    expected = {"type": ["integer", "null"], "minimum": -10, "maximum": -3, "description": "what is owed"}
    assert properties["balance"] == expected
    assert "abuse_type" not in properties


def test_every_unknown_value_of_an_open_category_scores_alike(own_schema_server: RunningServer) -> None:
    unknown = {
        _score(own_schema_server, **{"app version: major": value}) for value in ("3", "4: new", "\u00e9")
    }
    known = {_score(own_schema_server, **{"app version: major": value}) for value in ("1: old", "2")}
    assert len(unknown) == 1
    assert len(known) == 2
    assert not unknown & known


def test_booleans_and_nulls_are_values(own_schema_server: RunningServer) -> None:
    false, true = (_score(own_schema_server, **{"is paying": value}) for value in (False, True))
    assert false != true
    assert _score(own_schema_server, **{"was warned": None}) == _score(own_schema_server)
    assert _score(own_schema_server, **{"was warned": True}) != _score(own_schema_server)
    assert _score(own_schema_server, balance=None) != _score(own_schema_server)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("app version: major", 2, "is 2; expected a text"),
        ("app version: major", "", 'is ""; expected'),
        ("app version: major", "a\u0000", "expected a text"),
        ("is paying", 1, "is 1; expected true or false"),
        ("is paying", "true", 'is "true"; expected true or false'),
        ("is paying", None, "is null; expected true or false"),
        ("degrees \u00b0C", True, "is true; expected a number"),
        ("degrees \u00b0C", 1e39, "expected a number"),
        ("balance", -2, "expected an integer from -10 to -3"),
        ("balance", -4.5, "is -4.5; expected an integer from -10 to -3"),
        ("abuse_type", "MSG", "is no field of a report"),
    ],
)
def test_errors_name_the_field_and_what_it_takes(
    own_schema_server: RunningServer, field: str, value: object, expected: str
) -> None:
    problem = check_problem(
        own_schema_server.predict([REPORT, REPORT | {field: value}]), 422, "invalid_reports"
    )
    (error,) = problem["errors"]
    assert error["path"] == f"reports[1].{field}"
    assert expected in error["detail"]


def test_a_doubled_field_with_a_colon_in_its_name_is_refused(own_schema_server: RunningServer) -> None:
    inner = json.dumps(REPORT)[1:-1]
    body = f'[{{{inner}, "app version: major": "2"}}]'
    problem = check_problem(own_schema_server.predict(body.encode()), 422, "invalid_reports")
    assert [error["path"] for error in problem["errors"]] == ["reports[0].app version: major"]
