"""Evaluating a package on labelled rows it has not seen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.package import Package
from flagrank.scoring.session import ModelSession
from flagrank.training.metrics import Metrics, measure
from flagrank.training.split import find_entities

SEED = 0  # of ties and resampling: the same file gives the same figures


def evaluate(package: Package, features: Mapping[str, Sequence[Any]], labels: NDArray[np.int8]) -> Metrics:
    """Score rows with a verified package and measure the scores against labels (n,) 0/1, n >= 1."""
    schema = package.manifest.schema
    matrix = ColumnEncoder(schema).encode_columns(features)
    scores = ModelSession(package.model, schema.names).score(matrix)
    return measure(labels, scores, seed=SEED, entities=find_entities(matrix))
