"""The Keras architecture in the experiment; what needs TensorFlow is tested on one Python, in this folder."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.scoring.package import read_package
from flagrank.scoring.session import ModelSession
from flagrank.training.calibration import Calibration, apply_calibration
from flagrank.training.conversion import close_graph
from flagrank.training.experiment import Examples, Plan, train
from flagrank.training.network import Network, NetworkLearner
from flagrank.training.parity import check_parity, make_probe_rows
from flagrank.triage.feature_schema import Feature, FeatureSchema

pytest.importorskip("tensorflow", reason="TensorFlow has no release for this Python")

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b"), nullable=True, open=True),
        Feature("length", "integer", range=(0, 400_000_000)),
        Feature("rate", "number", nullable=True),
        Feature("is_new", "boolean"),
        Feature("always", "number"),
        Feature("never", "number", nullable=True),
    )
)
CALIBRATION = Calibration(1.2, 0.1)


def _make_rows(rows: int = 1_500) -> tuple[Matrix, NDArray[np.int8]]:
    random = np.random.default_rng(4)
    kind, is_new = random.integers(-1, 2, rows), random.integers(0, 2, rows)
    length, rate = random.integers(0, 400_000_000, rows), random.normal(size=rows)
    log_odds = 3 * np.sin(length / 6e7) + rate * (kind + 1) - is_new
    labels = (random.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    columns = [kind, length, rate, is_new, np.full(rows, 7), np.full(rows, np.nan)]
    data = np.column_stack(columns).astype(np.float32)
    data[random.random(rows) < 0.1, 0] = data[random.random(rows) < 0.1, 2] = np.nan
    return data, labels


ROWS = _make_rows()


def _fit(seed: int = 3) -> Network:
    learner = NetworkLearner(SCHEMA)
    return learner.fit(ROWS, ROWS, rounds=4, seed=seed, on_round=lambda: None)


@pytest.fixture(scope="module")
def network() -> Network:
    return _fit()


def test_the_graph_scores_as_keras_does_and_in_any_batch_alike(network: Network) -> None:
    session = ModelSession(close_graph(network.draw(), CALIBRATION), SCHEMA.names)
    probes = make_probe_rows(SCHEMA, ROWS[0], network.find_thresholds(), seed=1)
    difference = check_parity(
        lambda rows: apply_calibration(CALIBRATION, network.predict_margins(rows)), session, probes
    )
    assert difference < 1e-6
    some = probes[:2_000]
    for size in (1, 2, 3, 7, 64, 999):
        parts = [session.score(some[start : start + size]) for start in range(0, len(some), size)]
        assert np.array_equal(np.concatenate(parts), session.score(some)), size


def test_the_same_seed_gives_the_same_network_and_another_seed_another(network: Network) -> None:
    assert _fit().draw() == network.draw()
    assert _fit(seed=4).draw() != network.draw()


def test_a_network_can_be_asked_as_it_was_after_each_epoch(network: Network) -> None:
    data, labels = ROWS
    assert len(network.losses) == 4
    for epoch, loss in enumerate(network.losses.tolist(), start=1):
        margins = network.predict_margins(data, epoch).astype(np.float64)
        assert np.mean(np.logaddexp(0, margins) - labels * margins) == pytest.approx(loss, abs=1e-6)
    assert np.array_equal(network.predict_margins(data), network.predict_margins(data, 4))
    assert network.losses[-1] < network.losses[0]


def test_columns_that_tell_nothing_weigh_nothing(network: Network) -> None:
    weights = network.weigh_features(*ROWS)
    assert weights[1] == weights.max()
    assert weights[4] == weights[5] == 0


def test_the_experiment_makes_a_package_of_a_network(tmp_path: Path) -> None:
    data, labels = ROWS
    kinds = np.array(["other", "a", "b"], dtype=object)[np.nan_to_num(data[:, 0]).astype(int) + 1]
    features = {"kind": kinds.tolist()} | {
        name: [None if np.isnan(value) else value for value in data[:, column].tolist()]
        for column, name in enumerate(SCHEMA.names)
        if column
    }
    plan = Plan(
        name="network",
        schema=SCHEMA,
        target="actionable",
        architecture="keras",
        folds=2,
        seed=0,
        made_at="2026-01-01T00:00:00Z",
    )
    told: list[tuple[int, int]] = []
    outcome = train(
        plan, Examples(features=features, labels=labels), tmp_path / "m", lambda *now: told.append(now)
    )
    manifest = read_package(tmp_path / "m").manifest
    assert manifest.architecture == "keras"
    assert {"keras", "onnxruntime"} <= set(manifest.libraries)
    assert outcome.metrics.roc_auc.value is not None
    assert outcome.metrics.roc_auc.value > 0.8
    assert b"Log loss by epochs" in (tmp_path / "m" / "report.html").read_bytes()
    assert told[-1][0] == told[-1][1]


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_training_is_silent_and_trees_load_no_tensorflow() -> None:
    quiet = _run(
        "import numpy as np\n"
        "from flagrank.training.network import NetworkLearner\n"
        "from flagrank.settings import load_schema\n"
        "data = np.random.default_rng(0).random((200, 5)).astype(np.float32).round()\n"
        "learner = NetworkLearner(load_schema(None))\n"
        "learner.fit((data, data[:, 1].astype(np.int8)), None, rounds=1, seed=0, on_round=lambda: None)\n"
    )
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    without = _run(
        "import sys\nimport flagrank.training.experiment, flagrank.training.trees\n"
        "from flagrank.training import package\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    assert without.returncode == 0, without.stderr


def test_without_tensorflow_one_sentence_says_what_to_do() -> None:
    arguments = ["train", "--data", "none.csv", "--target", "y", "--architecture", "keras", "--out", "m"]
    done = _run(
        f"import sys\nsys.modules['tensorflow'] = None\nsys.argv = ['flagrank', *{arguments}]\n"
        "from flagrank.__main__ import main\nmain()\n"
    )
    assert done.returncode == 1
    assert "pip install 'flagrank[tensorflow]'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_python_without_a_release_of_tensorflow_is_told_apart() -> None:
    done = _run(
        "import sys\nfrom flagrank.training.keras_library import load_keras\n"
        "from flagrank.triage.errors import ExtraMissing\n"
        "sys.modules['tensorflow'] = None\nsys.version_info = (3, 14)\n"
        "try:\n    load_keras()\nexcept ExtraMissing as error:\n    print(error)\n"
    )
    assert "no release for Python 3.14. Train with Python 3.11 to 3.13" in done.stdout
