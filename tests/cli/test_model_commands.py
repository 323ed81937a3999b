"""`flagrank model` and `score --model champion` on both databases: what is refused, and in which words."""

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flagrank.service.store import FILE
from tests.cli.running import check_refusal, read_json, run
from tests.databases import migrate
from tests.hostile.spoiling import rewrite_manifest
from tests.packages import write_small_package
from tests.postgres_server import WHEEL_18, PostgresServer, find_free_port, run_server

UNKNOWN = "No model has version {}. `flagrank model list` shows those that there are."
REPORTS = (
    "abuse_type,report_text_len,profile_rating,popularity\n"
    "MSG,120,3.5,2\n"
    "PRF,0,,4.5\n"
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_server(WHEEL_18) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """Settings that name a database without models."""
    if request.param == "sqlite":
        return {"data_dir": tmp_path / "data"}
    started: PostgresServer = request.getfixturevalue("server")
    url = started.create_database(f"models_{tmp_path.name}")
    migrate(url)
    return {"database_url": url}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_small_package(tmp_path / "package")
    return tmp_path / "package"


def list_roles(settings: dict[str, object]) -> list[tuple[int, str]]:
    models = read_json(run("model", "list", "--json", **settings))["models"]
    return [(model["version"], model["role"]) for model in models]


@pytest.mark.parametrize("command", ["show", "promote"])
def test_an_unknown_version_is_refused(command: str, database: dict[str, object], package: Path) -> None:
    for version in (1, 2**31, 2**63):
        check_refusal(run("model", command, version, **database), UNKNOWN.format(version))
    run("model", "publish", package, **database)
    check_refusal(run("model", command, 2, **database), UNKNOWN.format(2))
    assert run("model", command, 1, **database).returncode == 0
    for word in ("0", "-1", "latest", ""):
        done = run("model", command, word, **database)
        assert (done.returncode, done.stdout) == (2, ""), word
    assert [version for version, _ in list_roles(database)] == [1]


def test_the_same_package_again_keeps_its_version_and_role(
    database: dict[str, object], package: Path
) -> None:
    first = read_json(run("model", "publish", package, "--json", **database))
    read_json(run("model", "promote", first["version"], "--json", **database))
    again = run("model", "publish", package, **database)
    assert again.stdout == "small is version 1; `flagrank model promote 1` makes it serve.\n"
    assert list_roles(database) == [(1, "champion")]
    promoted = run("model", "promote", 1, **database)
    assert promoted.stdout == "small 1 is the champion.\n"


def test_a_published_version_is_shown(database: dict[str, object], package: Path) -> None:
    published = read_json(run("model", "publish", package, "--json", **database))
    document = read_json(run("model", "show", 1, "--json", **database))
    assert [entry["action"] for entry in document.pop("history")] == ["model.publish"]
    assert document.pop("shadow") is None
    assert document == published
    shown = run("model", "show", 1, **database).stdout
    assert shown.startswith("small 1 (none), published 2")
    assert f"sha256 {published['sha256']}" in shown.splitlines()


def publish_figures(folder: Path, metrics: dict[str, Any], settings: dict[str, object]) -> int:
    write_small_package(folder)
    rewrite_manifest(folder, metrics=metrics)
    version: int = read_json(run("model", "publish", folder, "--json", **settings))["version"]
    return version


def test_a_version_is_shown_beside_the_champion(tmp_path: Path) -> None:
    settings: dict[str, object] = {"data_dir": tmp_path / "data"}
    for number in (8, 9):
        figure = {"value": number / 10, "low": number / 10 - 0.05, "high": number / 10 + 0.05}
        publish_figures(tmp_path / str(number), {"rows": {"value": 4000}, "roc_auc": figure}, settings)
    run("model", "promote", 1, **settings)
    shown = run("model", "show", 2, **settings).stdout.splitlines()
    assert [" ".join(line.split()) for line in shown[2:5]] == [
        "measure version 2 95 % interval version 1 95 % interval",
        "rows 4,000 4,000",
        "roc auc 0.9000 0.8500 .. 0.9500 0.8000 0.7500 .. 0.8500",
    ]


def test_what_a_stranger_says_in_place_of_figures_is_shown_as_plain_text(tmp_path: Path) -> None:
    settings: dict[str, object] = {"data_dir": tmp_path / "data"}
    evil = "\x1b]0;evil\x07[red]"
    figures = {evil: 1, "a": {"why": evil}, "b": {"value": evil, "low": [], "high": {}}, "c": evil}
    publish_figures(tmp_path / "package", figures, settings)
    shown = run("model", "show", 1, **settings).stdout
    assert "?]0;evil?[red]" in shown
    assert not {"\x1b", "\x07"} & set(shown)


def test_what_is_no_whole_package_is_refused_and_nothing_is_published(tmp_path: Path, package: Path) -> None:
    settings: dict[str, object] = {"data_dir": tmp_path / "data"}
    absent = tmp_path / "absent"
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.zip").write_text("no archive")
    refusals = {
        absent: f"{absent} can't be read (No such file or directory). "
        "Name a directory that `train` wrote, or a .zip of one.",
        tmp_path / "empty": f"{tmp_path}/empty/manifest.json can't be read (No such file or directory; links "
        "are not followed). Copy the package.",
        tmp_path / "words.zip": f"{tmp_path}/words.zip is no readable .zip: File is not a zip file. "
        "Make the package again.",
    }
    for path, said in refusals.items():
        check_refusal(run("model", "publish", path, **settings), said)
    with (package / "model.onnx").open("ab") as file:
        file.write(b"x")
    check_refusal(
        run("model", "publish", package, **settings),
        f"{package}/model.onnx is not the file its manifest names: the hashes differ. Copy it again.",
    )
    assert list_roles(settings) == []


def test_a_graph_that_does_not_score_as_it_should_is_not_published(tmp_path: Path) -> None:
    golden = b'{"rows": [[null, null, null, null, null]], "scores": [0.25]}'
    write_small_package(tmp_path / "package", changed={"golden.json": golden})
    done = run("model", "publish", tmp_path / "package", data_dir=tmp_path / "data")
    check_refusal(done, "model.onnx misses its golden rows by 0.25 (at most 1e-05). Export the model again.")


def test_without_a_database_each_command_says_so(tmp_path: Path, package: Path) -> None:
    url = f"postgresql://flagrank@127.0.0.1:{find_free_port()}/flagrank"
    (tmp_path / "in.csv").write_text(REPORTS)
    for command in (
        ("model", "publish", package),
        ("model", "promote", 1),
        ("model", "show", 1),
        ("model", "list"),
        ("score", tmp_path / "in.csv", tmp_path / "out.csv", "--model", "champion"),
    ):
        check_refusal(
            run(*command, database_url=url),
            "The database can't be used now: it does not answer. Try again later.",
        )
    assert not (tmp_path / "out.csv").exists()


def test_a_stored_package_that_was_damaged_is_refused(tmp_path: Path, package: Path) -> None:
    settings: dict[str, object] = {"data_dir": tmp_path}
    run("model", "publish", package, **settings)
    run("model", "promote", 1, **settings)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE artifact_part SET content = zeroblob(length(content))")
    (tmp_path / "in.csv").write_text(REPORTS)
    done = run("score", tmp_path / "in.csv", tmp_path / "out.csv", "--model", "champion", **settings)
    check_refusal(done, "The stored package of model 1 is damaged. Publish it again.")


def test_a_file_is_scored_with_the_champion(
    tmp_path: Path, database: dict[str, object], package: Path
) -> None:
    (tmp_path / "in.csv").write_text(REPORTS)
    command = ("score", tmp_path / "in.csv", tmp_path / "out.csv", "--model", "champion")
    without = "No model is promoted. `flagrank model list` shows those to `flagrank model promote`."
    check_refusal(run(*command, **database), without)
    run("model", "publish", package, **database)
    check_refusal(run(*command, **database), without)
    assert not (tmp_path / "out.csv").exists()
    run("model", "promote", 1, **database)
    assert read_json(run(*command, "--json", **database)) == {
        "rows": 2,
        "model": {"name": "small", "version": "1"},
        "out": str(tmp_path / "out.csv"),
    }
    beside = ("score", tmp_path / "in.csv", tmp_path / "beside.csv", "--model", package)
    assert run(*beside).returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "beside.csv").read_bytes()
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert all(0 < float(row["score"]) < 1 for row in rows)
