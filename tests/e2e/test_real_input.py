"""A data scientist's whole way by the commands alone, on real input where it lies beside the checkout."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.running_server import FLAGRANK, running_server
from tests.edits import write_edits

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "examples" / "edits_for_review.toml"
REAL_DATA = ROOT.parent / "shared" / "data" / "edits_for_review.tsv"
SERVED_ROWS = 500

INPUTS = ["made-up", *(["real"] if REAL_DATA.exists() else [])]


class Trained(NamedTuple):
    """What `train` left, and what it said."""

    data: Path
    model: Path
    metrics: dict[str, Any]


def _run(*arguments: str | Path) -> dict[str, Any]:
    command = [FLAGRANK, *map(str, arguments), "--json"]
    document: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document


@pytest.fixture(scope="module", params=INPUTS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of each input, by the README's own command."""
    folder = tmp_path_factory.mktemp(request.param)
    data = REAL_DATA
    if request.param == "made-up":
        data = folder / "edits.tsv"
        write_edits(data, rows=6_000)
    out = folder / "m"
    options: list[str | Path] = ["--target", "reverted", "--architecture", "xgboost", "--out", out]
    return Trained(data, out, _run("train", "--data", data, "--schema", SCHEMA, *options))


def test_training_reports_figures_with_intervals(trained: Trained) -> None:
    for name in ("roc_auc", "average_precision", "calibration_error", "lift_at_5_percent"):
        measure = trained.metrics[name]
        assert measure["low"] <= measure["value"] <= measure["high"], name
    assert trained.metrics["roc_auc"]["low"] > 0.6
    assert trained.metrics["calibration_error"]["value"] < 0.02


def test_evaluation_prints_the_same_measures_for_labelled_rows(trained: Trained) -> None:
    measured = _run("evaluate", "--model", trained.model, "--data", trained.data, "--target", "reverted")
    assert set(measured) <= set(trained.metrics)
    assert measured["rows"]["value"] == trained.metrics["rows"]["value"]
    # The rows are those the model was fitted on: it must not do worse on them than on rows it had not seen.
    assert measured["roc_auc"]["value"] > trained.metrics["roc_auc"]["value"]


def test_the_package_verifies(trained: Trained) -> None:
    assert _run("model", "verify", trained.model)["version"] == trained.metrics["model"]["version"]


def test_file_and_http_scores_are_equal_to_the_last_bit_and_nothing_else_changes(trained: Trained) -> None:
    scored = trained.model.parent / "scored.tsv"
    _run("score", trained.data, scored, "--model", trained.model)
    given, made = (_read_cells(path) for path in (trained.data, scored))
    assert made[0] == [*given[0], "score", "priority"]
    assert [row[:-2] for row in made] == given

    features = json.loads((trained.model / "manifest.json").read_bytes())["schema"]["feature"]
    rows = [dict(zip(given[0], row, strict=True)) for row in given[1 : SERVED_ROWS + 1]]
    reports = [{feature["name"]: _read_cell(row[feature["name"]]) for feature in features} for row in rows]
    with running_server("--model", str(trained.model)) as server:
        answer = server.predict(reports).document
        one_by_one = [server.predict([report]).document["scores"][0] for report in reports[:20]]
    assert answer["model"] == {"name": trained.metrics["model"]["name"], "version": "1"}
    assert answer["scores"] == [float(row[-2]) for row in made[1 : SERVED_ROWS + 1]]
    assert answer["priorities"] == [float(row[-1]) for row in made[1 : SERVED_ROWS + 1]]
    assert answer["scores"][:20] == one_by_one


def _read_cells(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def _read_cell(cell: str) -> float | bool | None:
    words = {"True": True, "False": False, "": None}
    return words[cell] if cell in words else float(cell)
