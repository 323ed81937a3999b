"""Starting: what is announced, and what `flagrank serve` refuses to start with, in one sentence."""

import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import FLAGRANK, REPORT, RunningServer, running_server

SCHEMA = (Path(__file__).parents[2] / "src/flagrank/default_schema.toml").read_text()
EXTRA = """
[[feature]]
name = "app version"
type = "category"
values = ["1", "2"]
open = true
optional = true
"""


def _refusal(*arguments: str, **environment: str) -> str:
    """What a start that fails says, on a database of its own; it must be one line and exit code 1."""
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [FLAGRANK, "serve", "--port", "0", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={"FLAGRANK_DATA_DIR": folder} | environment,
            check=False,
        )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - what the test is about
def test_an_open_address_needs_a_word_while_no_key_exists(host: str) -> None:
    sentence = _refusal("--host", host)
    assert host in sentence
    assert "FLAGRANK_ALLOW_NO_KEYS=true" in sentence


def test_an_open_address_still_answers_to_allowed_names_only(package: Path) -> None:
    settings = {"allow_no_keys": "true", "allowed_hosts": "flagrank.internal, 127.0.0.1"}
    arguments = ["--host", "0.0.0.0", "--model", str(package)]  # noqa: S104 - what the test is about
    with running_server(*arguments, **settings) as server:
        assert server.predict([REPORT], {"Host": "FlagRank.internal:8081"}).status == 200
        check_problem(server.predict([REPORT], {"Host": "localhost"}), 403, "foreign_host")


def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = _refusal("--port", str(port))
    assert f"127.0.0.1:{port}" in sentence
    assert "Address already in use" in sentence


def test_an_unknown_host_is_one_sentence() -> None:
    assert "nothing.invalid" in _refusal("--host", "nothing.invalid", FLAGRANK_ALLOW_NO_KEYS="true")


def test_a_missing_package_is_one_sentence(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in _refusal("--model", str(tmp_path / "none"))


def test_a_missing_schema_is_one_sentence(tmp_path: Path, package: Path) -> None:
    assert str(tmp_path / "none.toml") in _refusal(
        "--model", str(package), "--schema", str(tmp_path / "none.toml")
    )


def test_a_schema_that_lacks_a_feature_of_the_model_is_refused(tmp_path: Path, package: Path) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(SCHEMA.replace('name = "popularity"', 'name = "fame"'))
    sentence = _refusal("--model", str(package), "--schema", str(schema))
    assert "popularity (number)" in sentence
    assert str(schema) in sentence


def test_a_schema_with_more_features_than_the_model_serves(
    tmp_path: Path, package: Path, server: RunningServer
) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(EXTRA + SCHEMA)
    with running_server("--model", str(package), "--schema", str(schema)) as wider:
        report = REPORT | {"app version": "3", "report_text_len": 90}
        scored = wider.predict([report])
        assert (
            scored.document["scores"] == server.predict([REPORT | {"report_text_len": 90}]).document["scores"]
        )
        check_problem(wider.predict([REPORT | {"app version": 3}]), 422, "invalid_reports")
        properties = wider.get("/openapi.json").document["components"]["schemas"]["Report"]["properties"]
        assert properties["app version"]["type"] == ["string", "null"]


def test_a_bad_setting_is_one_sentence() -> None:
    sentence = _refusal(FLAGRANK_BODY_LIMIT_BYTES="much")
    assert "FLAGRANK_BODY_LIMIT_BYTES" in sentence


def test_two_models_are_wrong_usage(package: Path) -> None:
    command = [FLAGRANK, "serve", "--demo", "--model", str(package)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2


def test_without_a_model_readyz_and_scoring_say_what_to_do() -> None:
    with running_server() as server:
        assert server.model is None
        for answer, code in (
            (server.get("/readyz"), "not_ready"),
            (server.predict([REPORT]), "no_model"),
        ):
            assert "--model DIR" in check_problem(answer, 503, code)["detail"]
        assert server.get("/livez").status == 200
        assert server.get("/openapi.json").status == 200
