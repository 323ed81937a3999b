"""`flagrank policy`, and that `score --model champion` ranks by the active one."""

import csv
from pathlib import Path

import pytest

from flagrank.service.store import FILE
from flagrank.settings import read_default_policy
from tests.cli.running import check_refusal, read_json, run
from tests.packages import write_small_package

DEFAULT = read_default_policy()
NIGHT = DEFAULT.replace('"default"', '"night"').replace("spam = 1\n", "spam = 8.5\nrudeness = 3\n")
ROWS = "abuse_type,report_text_len,profile_rating,popularity,reason\nMSG,120,3.5,2,rudeness\n"


@pytest.fixture
def database(tmp_path: Path) -> dict[str, object]:
    return {"data_dir": tmp_path / "data"}


@pytest.fixture
def night(tmp_path: Path) -> Path:
    return write(tmp_path / "night.toml", NIGHT)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_shown_can_be_changed_and_activated(database: dict[str, object], tmp_path: Path) -> None:
    shown = run("policy", "show", **database)
    assert (shown.stdout, shown.stderr) == (DEFAULT, "default@1, the built-in policy\n")
    file = write(tmp_path / "night.toml", shown.stdout.replace('"default"', '"night"'))
    done = run("policy", "activate", file, "--reason", "It is night.", **database)
    assert done.stdout == "night@2 is active: every server and worker ranks by it within two seconds.\n"
    shown = run("policy", "show", **database)
    assert shown.stdout == file.read_text()
    assert shown.stderr.startswith("night@2, activated 2")
    assert shown.stderr.endswith("; there are also default@1\n")
    assert run("policy", "show", "--version", "1", **database).stdout == DEFAULT


def test_the_active_policy_as_json(database: dict[str, object], night: Path) -> None:
    run("policy", "activate", night, **database)
    shown = read_json(run("policy", "show", "--json", **database))
    assert list(shown) == ["policy", "version", "activated_at", "activated_by", "toml", "versions"]
    assert (shown["policy"], shown["version"], shown["toml"]) == ("night@2", 2, NIGHT)
    assert shown["activated_by"].startswith("user:")
    assert [one["policy"] for one in shown["versions"]] == ["night@2", "default@1"]


def test_an_older_policy_is_activated_by_its_text(
    database: dict[str, object], night: Path, tmp_path: Path
) -> None:
    run("policy", "activate", night, **database)
    old = write(tmp_path / "old.toml", run("policy", "show", "--version", "1", **database).stdout)
    assert read_json(run("policy", "activate", old, "--json", **database)) == {"policy": "default@1"}
    assert read_json(run("policy", "activate", old, "--json", **database)) == {"policy": "default@1"}
    assert read_json(run("policy", "activate", night, "--json", **database)) == {"policy": "night@2"}


def test_a_version_that_never_was_is_told(database: dict[str, object]) -> None:
    said = "No policy has version 2. Look for it among those that were activated."
    check_refusal(run("policy", "show", "--version", "2", **database), said)
    assert run("policy", "show", "--version", "0", **database).returncode == 2


def test_a_good_file_is_said_to_be_one_without_a_database(database: dict[str, object], night: Path) -> None:
    assert (
        run("policy", "check", night, **database).stdout == f"{night} is a policy: night, with 10 reasons.\n"
    )
    told = read_json(run("policy", "check", night, "--json", **database))
    assert told["name"] == "night"
    assert told["reasons"][:2] == ["spam", "rudeness"]
    assert not (tmp_data := Path(str(database["data_dir"]))).exists(), tmp_data


@pytest.mark.parametrize("command", ["check", "diff", "activate"])
def test_every_fault_of_a_file_stands_on_a_line_of_its_own(
    command: str, database: dict[str, object], tmp_path: Path
) -> None:
    text = DEFAULT.replace("spam = 1\n", "spam = 0\n").replace("hours = 72", "hours = -1")
    file = write(tmp_path / "bad.toml", text)
    done = run("policy", command, file, **database)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{file} has 2 faults. {file}: severities.spam is 0; expected a number over 0 and at most 1,000. "
        f"Change it.\n  {file}: deadlines[0].hours is -1; expected a number over 0 and at most 8,760. "
        "Change it.\n"
    )
    assert not (Path(str(database["data_dir"])) / FILE).exists() or command != "check"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file or directory. Name a policy's TOML file."),
        (b"a =", "is no TOML: "),
        (b"\xff", "is no TOML: byte 0 is not UTF-8. Save it in UTF-8."),
        (b"#" * 500_000, "has 400,001 bytes; expected at most 100,000 characters. Send a policy."),
    ],
)
def test_what_is_no_policy_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    done = run("policy", "check", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{file} {said}")


def test_every_number_that_differs_is_told(database: dict[str, object], night: Path, tmp_path: Path) -> None:
    assert run("policy", "diff", night, **database).stdout == (
        "name: default -> night\nseverities.spam: 1 -> 8.5\nseverities.rudeness: nothing -> 3\n"
    )
    told = read_json(run("policy", "diff", night, "--json", **database))
    assert (told["before"], told["after"]) == ("default@1", "night")
    assert told["changes"][1] == {"path": "severities.spam", "before": 1.0, "after": 8.5}
    same = write(tmp_path / "same.toml", f"# a remark\n{DEFAULT}")
    assert run("policy", "diff", same, **database).stdout == f"{same} has every number of default@1.\n"
    assert run("policy", "show", **database).stdout == DEFAULT


def test_a_reason_that_cannot_be_kept_is_refused(database: dict[str, object], night: Path) -> None:
    done = run("policy", "activate", night, "--reason", "", **database)
    assert (done.returncode, "The reason is not 1 to 500 characters" in done.stderr) == (1, True)


def test_the_champion_scores_files_under_the_active_policy_other_models_under_the_built_in_one(
    database: dict[str, object], night: Path, tmp_path: Path
) -> None:
    write_small_package(tmp_path / "package")
    run("model", "publish", tmp_path / "package", **database)
    run("model", "promote", 1, **database)
    source = write(tmp_path / "in.csv", ROWS)
    said = 'line 2, column reason is "rudeness", no reason of the active policy.'
    assert said in run("score", source, tmp_path / "o.csv", "--model", "champion", **database).stderr
    run("policy", "activate", night, **database)
    assert run("score", source, tmp_path / "out.csv", "--model", "champion", **database).returncode == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["priority"]) > 0
    done = run("score", source, tmp_path / "o.csv", "--model", tmp_path / "package", **database)
    assert said in done.stderr
