"""XGBoost as an architecture of an experiment: its parameters, a fit, and what the fit tells of itself."""

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from xgboost import XGBClassifier
from xgboost.callback import TrainingCallback

from flagrank.scoring.columns import Matrix
from flagrank.training.fitting import Rows
from flagrank.training.tree_graph import draw_trees, find_thresholds

PARAMETERS: dict[str, float] = {
    "max_depth": 4,
    "learning_rate": 0.05,
    "subsample": 0.8,
    "min_child_weight": 3,
}
"""One choice for all data: tried on 300, 2,000, 15,000 and 60,000 rows."""


class Trees(msgspec.Struct, frozen=True):
    """A fitted classifier; each of its trees is a round."""

    classifier: XGBClassifier

    @property
    def losses(self) -> NDArray[np.float64]:
        """Log loss of the judged rows after each tree."""
        return np.array(self.classifier.evals_result()["validation_0"]["logloss"])

    def predict_margins(self, features: Matrix, rounds: int | None = None) -> NDArray[np.float32]:
        """Return the raw margins (n,) of features (n, f), of the first `rounds` trees or of all."""
        trees = None if rounds is None else (0, rounds)
        margins: NDArray[np.float32] = self.classifier.predict(
            features, output_margin=True, iteration_range=trees
        )
        return margins

    def draw(self) -> ModelProto:
        """The trees as the body of a graph."""
        return draw_trees(self.classifier)

    def find_thresholds(self) -> dict[int, Matrix]:
        """The values at which the trees split, by column."""
        return find_thresholds(self.classifier)

    def weigh_features(self, features: Matrix, _labels: NDArray[np.int8]) -> NDArray[np.float64]:
        """The loss that the splits of each feature saved, (f,)."""
        gains = self.classifier.get_booster().get_score(importance_type="total_gain")
        return np.array([gains.get(f"f{column}", 0.0) for column in range(features.shape[1])], np.float64)


class TreeLearner(msgspec.Struct, frozen=True):
    """Grows trees with PARAMETERS, on one thread."""

    most_rounds: int = 400
    round_name: str = "tree"
    importance: str = "the share of a feature in the loss that all splits of the model saved"
    runs_side_by_side: bool = True

    def fit(
        self, seen: Rows, judged: Rows | None, *, rounds: int, seed: int, on_round: Callable[[], None]
    ) -> Trees:
        """Grow `rounds` trees on the rows seen."""
        classifier = XGBClassifier(
            n_estimators=rounds,
            objective="binary:logistic",
            eval_metric="logloss",
            missing=np.nan,
            n_jobs=1,
            random_state=seed,
            callbacks=[_Teller(on_round)],
            **PARAMETERS,
        )
        classifier.fit(*seen, eval_set=None if judged is None else [judged], verbose=False)
        return Trees(classifier.set_params(callbacks=None))


class _Teller(TrainingCallback):
    """Tells of each tree as it is grown."""

    def __init__(self, on_round: Callable[[], None]) -> None:
        super().__init__()
        self._on_round = on_round

    def after_iteration(self, _model: object, _epoch: int, _log: object) -> bool:
        """Tell of one more; never ask to stop."""
        self._on_round()
        return False
