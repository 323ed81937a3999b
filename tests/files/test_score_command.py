import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flagrank.scoring.package import read_package
from flagrank.settings import load_default_policy
from flagrank.triage.case import gather_evidence
from flagrank.triage.priority import assess_case
from tests.case_reports import make_report
from tests.packages import write_small_package

DEFAULT_POLICY = load_default_policy()

FEATURES = ("abuse_type", "report_text_len", "profile_rating", "popularity", "lifetime_matches_created")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package, and 9,000 synthetic reports in every kind of file."""
    folder = tmp_path_factory.mktemp("score")
    write_small_package(folder / "package")
    for ending in ("csv", "tsv.gz", "jsonl", "parquet"):
        simulate(folder / f"in.{ending}", "9000")
    return folder


def make_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "flagrank", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(make_command(*arguments), capture_output=True, text=True, check=False)


def simulate(out: Path, rows: str) -> None:
    assert run("simulate", "--rows", rows, "--seed", "3", "--out", out).returncode == 0


def score(folder: Path, source: Path, out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return run("score", source, out, "--model", folder / "package", *flags)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fails(done: subprocess.CompletedProcess[str], said: str, out: Path) -> None:
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not out.exists()
    assert not [path for path in out.parent.iterdir() if "partial" in path.name]


def test_every_kind_of_file_gets_the_same_scores_behind_its_own_cells(folder: Path, tmp_path: Path) -> None:
    for ending in ("csv", "tsv.gz", "jsonl", "parquet"):
        done = score(folder, folder / f"in.{ending}", tmp_path / f"out.{ending}", "--json")
        document = json.loads(done.stdout)
        assert document["rows"] == 9_000
        assert document["model"]["version"].startswith("sha256:")
        assert document["out"] == str(tmp_path / f"out.{ending}")
        assert "Scored 9,000 rows in" in done.stderr
    assert (
        score(folder, tmp_path / "out.tsv.gz", tmp_path / "back.csv", "--prefix", "second_").returncode == 0
    )

    lines = (tmp_path / "out.csv").read_text().splitlines()
    scores = [line.rsplit(",", 2)[1:] for line in lines]
    assert [line.rsplit(",", 2)[0] for line in lines] == (folder / "in.csv").read_text().splitlines()
    assert scores[0] == ["score", "priority"]
    assert len({score for score, _ in scores}) > 5_000
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [[repr(row["score"]), repr(row["priority"])] for row in objects] == scores[1:]
    table = pq.read_table(tmp_path / "out.parquet")
    assert [
        [repr(s), repr(p)] for s, p in zip(*(table[name].to_pylist() for name in scores[0]), strict=True)
    ] == scores[1:]
    back = read_rows(tmp_path / "back.csv")
    assert [[row["score"], row["priority"]] for row in back] == scores[1:]
    assert [[row["second_score"], row["second_priority"]] for row in back] == scores[1:]


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The address of a server with the same package."""
    command = make_command(
        "serve",
        "--model",
        folder / "package",
        "--port",
        "0",
        "--json",
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        text = ""
        while not text.rstrip().endswith("\n}"):
            text += process.stdout.readline()
        yield json.loads(text)["url"]
        process.send_signal(signal.SIGTERM)


def ask(url: str, reports: list[dict[str, Any]]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/prediction", json.dumps(reports).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
        return answer


def test_scores_and_priorities_are_those_of_http_to_the_last_bit(
    folder: Path, server: str, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (folder / "in.jsonl").read_text().splitlines()]
    for index, row in enumerate(rows[:3_000]):
        row["exposure"] = [None, 0, 12, 3_000.5, 1e9][index % 5]
        row["profile_rating"] = [row["profile_rating"], 0.1, 1e-40, 4.999999999, 5][index % 5]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert score(folder, tmp_path / "in.jsonl", tmp_path / "out.jsonl").returncode == 0
    scored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    reports = [
        {name: row[name] for name in FEATURES}
        | {name: row[name] for name in ("reason", "exposure") if row.get(name) is not None}
        for row in rows
    ]
    answer = ask(server, reports)
    assert [row["score"] for row in scored] == answer["scores"]
    assert [row["priority"] for row in scored] == answer["priorities"]


def test_reason_and_exposure_count_where_the_file_has_them(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        "abuse_type,report_text_len,profile_rating,popularity,reason,exposure\n"
        "MSG,3,1,1,,\nMSG,3,1,1,threat,\nMSG,3,1,1,,99\nMSG,3,1,1,spam,1e3\n"
    )
    assert score(folder, tmp_path / "in.csv", tmp_path / "out.csv").returncode == 0
    rows = read_rows(tmp_path / "out.csv")
    assert len({row["score"] for row in rows}) == 1
    score_of_all = float(rows[0]["score"])
    base_rate = read_package(folder / "package").manifest.training.base_rate
    told: list[dict[str, Any]] = [
        {},
        {"reason": "threat"},
        {"exposure": 99.0},
        {"reason": "spam", "exposure": 1e3},
    ]
    cases = [
        gather_evidence([make_report(score_of_all, base_rate=base_rate, abuse_type="MSG", **one)])
        for one in told
    ]
    assert [float(row["priority"]) for row in rows] == [
        assess_case(case, DEFAULT_POLICY).priority for case in cases
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("MSG,3,1,1,rudeness,", 'line 2, column reason is "rudeness", no reason of the active policy'),
        ("MSG,3,1,1,,-1", "line 2, column exposure is -1; expected a number from 0 to 1,000,000,000"),
        ("MSG,3,1,1,,x", 'line 2, column exposure is "x"'),
        ("XYZ,3,9,1,,", "line 2, column profile_rating is 9"),
    ],
)
def test_a_bad_row_refuses_the_file_and_no_output_is_left(
    folder: Path, tmp_path: Path, row: str, said: str
) -> None:
    header = "abuse_type,report_text_len,profile_rating,popularity,reason,exposure"
    (tmp_path / "in.csv").write_text(f"{header}\n{row}\n" + "MSG,3,1,1,spam,1\n" * 20_000)
    fails(score(folder, tmp_path / "in.csv", tmp_path / "out.csv"), said, tmp_path / "out.csv")


def test_a_bad_last_row_leaves_no_output_either(folder: Path, tmp_path: Path) -> None:
    content = (folder / "in.jsonl").read_text()
    (tmp_path / "in.jsonl").write_text(content + '{"abuse_type": "MSG"}\n')
    done = score(folder, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    fails(done, "line 9001, column report_text_len is missing", tmp_path / "out.jsonl")


def test_a_name_of_ours_in_the_file_is_refused_without_a_prefix(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        "abuse_type,report_text_len,profile_rating,popularity,score\nMSG,1,,,x\n"
    )
    done = score(folder, tmp_path / "in.csv", tmp_path / "out.csv")
    fails(done, 'has a column "score" already, which we would add. Give --prefix', tmp_path / "out.csv")
    assert score(folder, tmp_path / "in.csv", tmp_path / "out.csv", "--prefix", "new ").returncode == 0
    (row,) = read_rows(tmp_path / "out.csv")
    assert row["score"] == "x"
    assert 0 < float(row["new score"]) < 1


@pytest.mark.parametrize("prefix", ["a,", 'a"', "a\n", "a\t"])
def test_a_prefix_that_names_no_column_is_wrong_usage(folder: Path, tmp_path: Path, prefix: str) -> None:
    assert score(folder, folder / "in.csv", tmp_path / "out.csv", "--prefix", prefix).returncode == 2


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("in.csv", "out.jsonl", "of another kind"),
        ("in.csv", "out", "tells no kind"),
        ("in.csv", "none/out.csv", "No such file or directory"),
        ("none.csv", "out.csv", "No such file or directory"),
        ("package", "out.csv", "tells no kind"),
    ],
)
def test_files_that_cannot_be_read_or_written_are_one_sentence(
    folder: Path, tmp_path: Path, source: str, out: str, said: str
) -> None:
    done = score(folder, folder / source, tmp_path / out)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    done = run("score", folder / "in.csv", tmp_path / "out.csv", "--model", tmp_path / "none")
    fails(done, "none", tmp_path / "out.csv")


@pytest.mark.parametrize("ending", ["csv", "tsv.gz", "jsonl", "parquet"])
def test_a_full_disk_is_one_sentence_and_leaves_no_output(folder: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    command = make_command(
        "score",
        folder / f"in.{ending}",
        out,
        "--model",
        folder / "package",
    )
    done = subprocess.run(
        ["prlimit", "--fsize=100000", "--", *command], capture_output=True, text=True, check=False
    )
    fails(done, f"{out} can't be written: File too large", out)


def test_a_killed_run_leaves_no_output_and_starting_over_works(folder: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    simulate(source, "200000")
    command = make_command("score", source, out, "--model", folder / "package")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    partial = tmp_path / ".out.csv.partial"
    while not (partial.exists() and partial.stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not out.exists()
    assert score(folder, source, out).returncode == 0
    assert len(out.read_text().splitlines()) == 200_001
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_file_of_no_rows_gives_a_file_of_no_rows(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("abuse_type,report_text_len,profile_rating,popularity\n")
    done = score(folder, tmp_path / "in.csv", tmp_path / "out.csv", "--json")
    assert json.loads(done.stdout)["rows"] == 0
    assert (
        tmp_path / "out.csv"
    ).read_text() == "abuse_type,report_text_len,profile_rating,popularity,score,priority\n"


def test_memory_does_not_grow_with_the_file(folder: Path, tmp_path: Path) -> None:
    peaks = []
    for copies in (2, 20):
        header, *rows = (folder / "in.csv").read_text().splitlines(keepends=True)
        source = tmp_path / f"{copies}.csv"
        source.write_text(header + "".join(rows) * copies)
        peaks.append(measure_peak(folder, source, tmp_path / "out.csv"))
    assert peaks[1] < peaks[0] * 1.15


def measure_peak(folder: Path, source: Path, out: Path) -> int:
    """The most memory that a run holds at once, in KiB, by its own account."""
    code = (
        "import resource, sys\nfrom flagrank.cli import application\n"
        "try:\n    application(sys.argv[1:])\n"
        "except SystemExit:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "score", str(source), str(out), "--model", str(folder / "package")]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def test_a_terminal_shows_rows_rate_and_time_left(folder: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "in.csv", "100000")
    ours, theirs = pty.openpty()
    command = make_command("score", tmp_path / "in.csv", tmp_path / "out.csv")
    process = subprocess.Popen(
        [*command, "--model", folder / "package"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65_536):
            seen += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"Scoring" in seen
    assert b"rows/s" in seen
    assert b"0:00:0" in seen
