"""The OpenAPI document: what it promises holds over HTTP, and a reader finds in it what API.md says."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, RunningServer, running_server

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
EXAMPLES = 100
EXAMPLES_OF_CHANGES = 10  # many of which take a second: a package is verified
CHANGING = "^/(model|policy)"
OPERATIONS = {
    ("/prediction", "post"),
    ("/predict", "post"),
    ("/task", "get"),
    ("/task/{task_id}", "get"),
    ("/task/{task_id}/cancel", "post"),
    ("/task/{task_id}/retry", "post"),
    ("/queue", "get"),
    ("/queue/lease", "post"),
    ("/queue/heartbeat", "post"),
    ("/queue/release", "post"),
    ("/case/{case_id}", "get"),
    ("/case/{case_id}/decision", "post"),
    ("/case/{case_id}/reopen", "post"),
    ("/model", "get"),
    ("/model", "post"),
    ("/model/rollback", "post"),
    ("/model/{version}", "get"),
    ("/model/{version}", "delete"),
    ("/model/{version}/promote", "post"),
    ("/model/{version}/role", "post"),
    ("/policy", "get"),
    ("/policy", "put"),
    ("/heartbeat", "get"),
    ("/livez", "get"),
    ("/readyz", "get"),
    ("/metrics", "get"),
}


@pytest.fixture(scope="session")
def document(server: RunningServer) -> Any:  # noqa: ANN401 - any JSON value
    """The document as a client reads it."""
    return server.get("/openapi.json").document


@pytest.fixture
def fuzzed(package: Path) -> Iterator[RunningServer]:
    """A server of its own: its models and policies change."""
    with running_server("--model", str(package)) as running:
        yield running


@pytest.mark.timeout(300)
def test_the_server_does_what_its_document_says(server: RunningServer, tmp_path: Path) -> None:
    check_by_schemathesis(server, tmp_path, f"--exclude-path-regex={CHANGING}", examples=EXAMPLES)


@pytest.mark.timeout(300)
def test_it_does_so_with_models_and_policies_too(fuzzed: RunningServer, tmp_path: Path) -> None:
    check_by_schemathesis(fuzzed, tmp_path, f"--include-path-regex={CHANGING}", examples=EXAMPLES_OF_CHANGES)


def check_by_schemathesis(server: RunningServer, folder: Path, selection: str, *, examples: int) -> None:
    """All checks on good and bad requests; none is left out."""
    command = [SCHEMATHESIS, "run", f"{server.url}/openapi.json", "--checks=all", "--mode=all", selection]
    command += [f"--max-examples={examples}", "--suppress-health-check=all", "--no-color"]
    command += ["--seed=4", "--generation-deterministic"] if "CI" in os.environ else []
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_formats",
    }
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    is_of_changes = "include" in selection
    tested = [path for path, _ in OPERATIONS if bool(re.match(CHANGING, path)) == is_of_changes]
    assert f"Tested: {len(tested)}" in ended.stdout


def test_only_what_is_built_is_described(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    operations = {(path, method) for path, item in document["paths"].items() for method in item}
    assert operations == OPERATIONS


def test_every_operation_but_those_on_health_takes_a_key(document: dict[str, Any]) -> None:
    keyless = {
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if {"key": []} not in operation.get("security", [])
    }
    assert keyless == {"/heartbeat", "/livez", "/readyz"}


def test_the_report_is_described_as_api_md_has_it(document: dict[str, Any]) -> None:
    report = document["components"]["schemas"]["Report"]
    assert report["required"] == list(REPORT)
    assert report["additionalProperties"] is False
    properties = report["properties"]
    assert properties["abuse_type"]["enum"] == ["MSG", "PRF"]
    assert {"type": "integer", "minimum": 0, "maximum": 1_000_000}.items() <= properties[
        "report_text_len"
    ].items()
    assert {"type": ["number", "null"], "minimum": 0, "maximum": 5}.items() <= properties[
        "popularity"
    ].items()
    assert properties["reported_at"]["format"] == "date-time"
    assert list(properties)[5:] == [
        "report_id",
        "reporter_id",
        "reported_id",
        "content_id",
        "content_url",
        "content_text",
        "reason",
        "exposure",
        "reported_at",
    ]
    assert all(described["description"] for described in properties.values())


def test_every_example_of_a_request_is_answered(server: RunningServer, document: dict[str, Any]) -> None:
    content = document["paths"]["/prediction"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]["one"]["value"] == [REPORT]
    for example in content["examples"].values():
        assert server.predict(example["value"]).status == 200
    schemas = document["components"]["schemas"]
    described = schemas["Report"]["properties"].items()
    values = {name: field["examples"][0] for name, field in described if "examples" in field}
    assert len(values) == 6
    assert server.predict([REPORT | values]).status == 200


def test_the_examples_of_problems_are_what_is_answered(
    server: RunningServer, document: dict[str, Any]
) -> None:
    good = json.dumps([REPORT]).encode()
    answers = {
        "400": server.predict(b"[{"),
        "403": server.predict(good, {"Origin": "null"}),
        "413": server.predict(b"", {"Content-Length": str(2**30), "Expect": "100-continue"}),
        "415": server.predict(good, {"Content-Encoding": "gzip"}),
        "422": server.predict([REPORT | {"exposure": -1}]),
    }
    responses = document["paths"]["/prediction"]["post"]["responses"]
    # The others: test_keys, test_body_limits, test_start.
    assert set(responses) == {*answers, "200", "401", "408", "503"}
    for status, answer in answers.items():
        example = responses[status]["content"]["application/problem+json"]["example"]
        problem = check_problem(answer, int(status), example["code"])
        assert problem | {"request_id": example["request_id"]} == example


def test_the_example_of_an_explanation_adds_up(document: dict[str, Any]) -> None:
    prediction = document["components"]["schemas"]["Prediction"]
    assert set(prediction["properties"]) - {"challenger"} == set(prediction["examples"][0])
    example = prediction["examples"][0]
    for score, explanation in zip(example["scores"], example["explanations"], strict=True):
        total = explanation["base_value"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(math.log(score / (1 - score)), abs=1e-3)
        assert list(explanation["contributions"]) == [*REPORT, "lifetime_matches_created"]


def test_every_response_is_described_with_its_request_id(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"]
            assert all("X-Request-Id" in response["headers"] for response in operation["responses"].values())
            assert all(response["description"] for response in operation["responses"].values())


def test_the_document_names_no_other_host(server: RunningServer) -> None:
    text = server.get("/openapi.json").body.decode()
    assert "http://" not in text
    assert "https://" not in text.replace("https://tools.example.org", "")
