"""What a model of a given quality would say about each report of a history."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.history import History

STRONG = 0.92
WEAK = 0.78
"""ROC AUC over reports of the two models that rankings are compared with."""

_SHARED = 0.2  # of the noise: features describe the report and who sends it more than the target


def draw_log_odds(history: History, roc_auc: float, seed: int = 0) -> NDArray[np.float64]:
    """Draw a calibrated score for each report, as log-odds, whose ROC AUC over reports is about `roc_auc`.

    Its evidence is normal with variance 1 and means d apart for bad and innocent, where roc_auc = Phi(d /
    sqrt 2) (Green and Swets, Signal Detection Theory, 1966): d x evidence is the log of the likelihood ratio.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(3, 0, 0))
    generator = np.random.Generator(np.random.PCG64(sequence))
    distance = np.sqrt(2) * NormalDist().inv_cdf(roc_auc)
    target = history.reports.target
    is_bad = history.targets.is_bad[target]
    of_target = generator.standard_normal(len(history.targets))[target]
    of_report = generator.standard_normal(len(target))
    noise = np.sqrt(_SHARED) * of_target + np.sqrt(1 - _SHARED) * of_report
    log_odds: NDArray[np.float64] = prior_log_odds(history) + distance * (distance * (is_bad - 0.5) + noise)
    return log_odds


def prior_log_odds(history: History) -> float:
    """The log-odds of the share of reports on bad targets, as manifests know it, half a report each way."""
    is_bad = history.targets.is_bad[history.reports.target]
    return float(np.log((is_bad.sum() + 0.5) / ((~is_bad).sum() + 0.5)))
