import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict, replace
from PIL import Image

from flagrank.settings import DEFAULT_POLICY, load_default_policy
from flagrank.triage.policy_file import parse_policy

ROWS = 4_000
RANKINGS = 10


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flagrank", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.csv"
    assert run("simulate", "--rows", ROWS, "--seed", 3, "--out", path).returncode == 0
    return path


@pytest.fixture(scope="module")
def replayed(history: Path) -> tuple[dict[str, Any], Path]:
    out = history.parent / "replayed"
    done = run("replay", "--history", history, "--capacity", "20%", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), out


def averted(document: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(one["model"][-4:], one["ranking"]): one["harm_averted"] for one in document["outcomes"]}


def test_a_replay_compares_rankings_under_a_strong_and_a_weak_model(
    replayed: tuple[dict[str, Any], Path],
) -> None:
    document, _ = replayed
    assert len(document["outcomes"]) == 2 * RANKINGS
    share = averted(document)
    for model in ("0.92", "0.78"):
        assert share[model, "first in, first out"] < share[model, "expected harm"]
        assert share[model, "expected harm"] < share[model, "knowing the truth"] <= 1
    assert share["0.78", "score"] < share["0.92", "score"]
    for one in document["outcomes"]:
        assert one["capacity_share"] == pytest.approx(0.2)
        assert one["decisions"] <= 0.2 * document["targets"] + 1


def test_a_replay_leaves_its_table_and_plots(replayed: tuple[dict[str, Any], Path]) -> None:
    document, out = replayed
    assert document["out"] == [str(out / name) for name in ("comparison.csv", "harm.png", "waits.png")]
    with (out / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ranking"] for row in rows] == [one["ranking"] for one in document["outcomes"]]
    assert [float(row["harm_averted"]) for row in rows] == [
        one["harm_averted"] for one in document["outcomes"]
    ]
    for name in ("harm.png", "waits.png"):
        with Image.open(out / name) as picture:
            assert picture.width > 400
            colours = picture.getcolors(2**24)
        assert colours is not None
        assert len(colours) > 10


def test_a_replay_for_people_fits_in_a_terminal(history: Path, tmp_path: Path) -> None:
    done = run(
        "replay", "--history", history, "--capacity", "4/h", "--model", "demo", "--out", tmp_path / "a/b"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("synthetic-demo ")
    assert "4 decisions/h" in lines[0]
    assert lines[1].split() == ["ranking", "averted", "never", "seen", "p50", "p95"]
    assert len(lines[2:]) == RANKINGS + 4
    assert max(map(len, lines[: RANKINGS + 2])) <= 80


def test_a_fit_writes_a_policy_that_only_its_pool_differs_in(history: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.toml"
    done = run("policy", "fit", "--history", history, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    policy, default = parse_policy(out.read_text(), str(out), version=1), load_default_policy()
    assert document["pool"] == asdict(policy.pool)
    assert document["pool_before"] == asdict(default.pool)
    assert policy.pool != default.pool
    assert replace(policy, pool=default.pool) == default
    assert 0 < document["log_loss"] < 1
    assert document["held_out"] < document["decided"] / 3

    def comments_of(text: str) -> list[str]:
        return [line.partition("#")[2] for line in text.splitlines()]

    assert comments_of(out.read_text()) == comments_of(DEFAULT_POLICY.read_text())


def test_a_replay_and_a_fit_start_from_the_policy_that_is_named(history: Path, tmp_path: Path) -> None:
    text = DEFAULT_POLICY.read_text().replace('name = "default"', 'name = "ours"')
    (tmp_path / "ours.toml").write_text(text.replace("power = 0.7", "power = 0.0"))
    named = ("--policy", tmp_path / "ours.toml", "--history", history, "--model", "demo")
    done = run("replay", *named, "--capacity", "10%", "--out", tmp_path)
    assert "Ranked by ours@1." in done.stdout
    done = run("policy", "fit", *named, "--out", tmp_path / "fitted.toml")
    assert "Log loss on" in done.stdout
    fitted = parse_policy((tmp_path / "fitted.toml").read_text(), "", version=1)
    assert (fitted.name, fitted.exposure.power) == ("ours", 0.0)


def test_the_default_pool_is_what_a_fit_finds(tmp_path: Path) -> None:
    """As `make policy` makes it."""
    history, out = tmp_path / "history.parquet", tmp_path / "policy.toml"
    assert run("simulate", "--rows", 100_000, "--seed", 101, "--out", history).returncode == 0
    assert run("policy", "fit", "--history", history, "--out", out).returncode == 0
    assert out.read_text() == DEFAULT_POLICY.read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("truth_views", "views"), 'no column "truth_views"'),
        (lambda text: text.replace(",true,", ",perhaps,", 1), "line "),
        (lambda text: text.splitlines()[0] + "\n", "has no rows"),
        (lambda _: "", "is empty"),
    ],
)
def test_a_file_that_is_no_history_is_one_sentence(
    history: Path, tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text(change(history.read_text()))
    for command in (
        ("policy", "fit", "--out", tmp_path / "x.toml"),
        ("replay", "--capacity", "5/h", "--out", tmp_path),
    ):
        done = run(*command, "--history", broken)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.csv"]


@pytest.mark.parametrize("capacity", ["5", "x/h", "-1/h", "5/d", "1e3%", ""])
def test_a_capacity_that_is_none_is_wrong_usage(history: Path, tmp_path: Path, capacity: str) -> None:
    done = run("replay", "--history", history, f"--capacity={capacity}", "--out", tmp_path)
    assert done.returncode == 2
    assert "40/h" in done.stderr


def test_a_place_that_is_a_file_is_one_sentence(history: Path) -> None:
    done = run("replay", "--history", history, "--capacity", "5/h", "--out", history)
    assert (done.returncode, done.stdout) == (1, "")
    assert "can't be made" in done.stderr
