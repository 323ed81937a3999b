"""The data scientists' side: train a model, or bring one, and write it as a package. Nothing here serves."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagrank.triage.feature_schema import FeatureSchema

if TYPE_CHECKING:
    from flagrank.training.experiment import Outcome


def package(
    model: Any,  # noqa: ANN401 - of any library
    schema: FeatureSchema | str | Path,
    data: Any,  # noqa: ANN401 - a data frame or a mapping of columns
    out: str | Path,
    *,
    target: str = "actionable",
    name: str = "report-priority",
    calibrate: bool = True,
    seed: int = 0,
) -> "Outcome":
    """Write a model that was fitted elsewhere as a package; measured and calibrated on rows it has not seen.

    `model` is a fitted scikit-learn classifier or pipeline (XGBoost and LightGBM among them), a Keras model,
    or the path of an .onnx or .keras file. `schema` declares the columns it takes, or is the path of a TOML
    file that does. `data` holds these columns as the model takes them, and the label in the column `target`,
    of rows that the model was *not* fitted on: all figures of the package, and the calibration, come from
    them. `out` is a directory. Without `calibrate` the score is the model's own probability, within 3e-6.

    A .keras file is loaded, uncompiled and in Keras' safe mode, which refuses Lambda layers and was got
    around before: it may run the code of who made it, as a warning says. Nothing else of flagrank opens one,
    and pickles (.pkl, .joblib, .h5) are not opened at all.

    Blocks for a minute or so. Raises `TrainingRefused` where data and schema disagree, the model can't be
    converted, or the graph scores one of 100,000 rows unlike the model; nothing is written then.
    """
    from flagrank.training.outside_experiment import Bringing, bring

    made_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    plan = Bringing(name=name, schema=schema, target=target, calibrate=calibrate, seed=seed, made_at=made_at)
    return bring(model, plan, data, Path(out))
