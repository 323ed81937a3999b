"""Trees and a network, trained here, served where no library that trains is installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from flagrank.scoring.package import Golden, Row, read_package
from tests.packages import read_default_schema
from tests.wheel.installed_server import serving

TRAINING = ("xgboost", "tensorflow", "keras", "sklearn", "pandas", "onnx", "scipy")
FLAGRANK = str(Path(sys.executable).with_name("flagrank"))
SCHEMA = read_default_schema()

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports") / "reports.csv"
    subprocess.run([FLAGRANK, "simulate", "--rows", "2000", "--seed", "3", "--out", str(path)], check=True)
    return path


def say(row: Row) -> dict[str, Any] | None:
    """A golden row as a report; None where it holds what no report may, as the next number to a threshold."""
    report: dict[str, Any] = {}
    for feature, value in zip(SCHEMA.feature, row, strict=True):
        if value is None:
            if not feature.nullable:
                return None
            report[feature.name] = None
        elif feature.type == "category":
            if value < 0:
                return None
            report[feature.name] = feature.values[int(value)]
        elif feature.type == "integer" and value != int(value):
            return None
        else:
            report[feature.name] = value
    return report


def find_sayable(golden: Golden) -> tuple[list[dict[str, Any]], list[float]]:
    """The reports that golden rows are, and the native model's scores of them."""
    pairs = [(say(row), score) for row, score in zip(golden.rows, golden.scores, strict=True)]
    found = [(report, score) for report, score in pairs if report is not None]
    return [report for report, _ in found], [score for _, score in found]


def test_the_serving_install_can_import_nothing_that_trains(environment: Path) -> None:
    code = f"from importlib.util import find_spec; print([n for n in {TRAINING} if find_spec(n)])"
    answer = subprocess.run(
        [str(environment / "bin" / "python"), "-c", code], check=True, capture_output=True, text=True
    )
    assert answer.stdout == "[]\n"


@pytest.mark.parametrize("architecture", ["xgboost", "keras"])
def test_it_serves_what_was_trained_elsewhere(
    environment: Path, reports: Path, tmp_path: Path, architecture: str
) -> None:
    if architecture == "keras" and not find_spec("tensorflow"):
        pytest.skip("TensorFlow has no release for this Python")
    package = tmp_path / "package"
    train = [FLAGRANK, "train", "--data", str(reports), "--target", "actionable", "--folds", "2"]
    subprocess.run([*train, "--architecture", architecture, "--out", str(package)], check=True)
    asked, native = find_sayable(read_package(package).golden)
    assert len(asked) > 20
    with serving(environment, tmp_path, "--model", str(package)) as (_, address):
        answer = httpx.post(f"{address}/prediction?explain=true", json=asked, timeout=60)
        assert answer.status_code == 200, answer.text
    scores, explanations = np.array(answer.json()["scores"]), answer.json()["explanations"]
    np.testing.assert_allclose(scores, native, rtol=0, atol=1e-5)
    explained = [one["base_value"] + sum(one["contributions"].values()) for one in explanations]
    np.testing.assert_allclose(explained, np.log(scores / (1 - scores)), rtol=0, atol=1e-6)
