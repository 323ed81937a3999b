"""What the packaging of an outside model needs to know of it, and which kind a given one is."""

import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from flagrank.training.outside_data import Columns
from flagrank.triage.errors import TrainingRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema, show

_RUN_CODE = {".h5", ".hdf5", ".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth"}


class OutsideModel(Protocol):
    """A model that was fitted elsewhere, as it is and as a graph."""

    @property
    def architecture(self) -> str:
        """What it is, in a few words, for the manifest."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The distributions that run it and convert it."""

    def predict_margins(self, columns: Columns) -> NDArray[np.floating]:
        """The log-odds (n,) that the model itself gives to columns; blocks."""

    def draw(self, sample: Columns) -> ModelProto:
        """The body of its graph, from `features` to `margin`, as `training.conversion` takes it.

        `sample` are some rows to run it on, where the model tells its shapes only so. Raises
        `TrainingRefused` where the model can't be converted.
        """


def open_model(model: Any, schema: FeatureSchema, words: frozenset[str]) -> OutsideModel:  # noqa: ANN401
    """Find out what a model is: a path of an .onnx or .keras file, a Keras model, or a scikit-learn one.

    `words` names the categories that it is given as texts. Raises `TrainingRefused` for anything else.
    """
    if isinstance(model, str | Path):
        return _open_file(Path(model), schema, words)
    if any(kind.__module__.split(".")[0] == "keras" for kind in type(model).__mro__):
        from flagrank.training.keras_model import open_keras_model

        return open_keras_model(model, schema, words)
    if hasattr(model, "predict_proba"):
        from flagrank.training.sklearn_model import open_sklearn_model

        return open_sklearn_model(model, schema, words)
    raise TrainingRefused(
        f"A {type(model).__name__} is no model that can be packaged. Give a fitted scikit-learn classifier "
        "or pipeline with predict_proba, a Keras model, or the path of an .onnx file."
    )


def _open_file(path: Path, schema: FeatureSchema, words: frozenset[str]) -> OutsideModel:
    if path.suffix == ".onnx":
        from flagrank.training.onnx_model import open_onnx_model

        return open_onnx_model(path, schema, words)
    if path.suffix == ".keras":
        from flagrank.training.keras_library import load_keras
        from flagrank.training.keras_model import open_keras_model

        warnings.warn(
            f"{path} is opened in Keras' safe mode, which was got around before: a .keras file can run the "
            "code of who made it, with all your rights. Open only files that you or people you trust have "
            "made. No server ever opens one: the package holds an ONNX graph.",
            stacklevel=4,
        )
        try:
            loaded = load_keras().saving.load_model(path, compile=False, safe_mode=True)
        except (OSError, ValueError, TypeError) as error:
            raise TrainingRefused(
                f"{path} can't be loaded: {shorten(error)}. Build the model in your own program, and give it."
            ) from error
        return open_keras_model(loaded, schema, words)
    reason = "can run any code of who made it" if path.suffix in _RUN_CODE else "is no .onnx or .keras file"
    raise TrainingRefused(
        f"{show(str(path))} {reason}, and is not opened. Load the model in your own program, if you trust "
        "the file, and give the model itself."
    )
