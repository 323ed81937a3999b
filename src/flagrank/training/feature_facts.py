"""What the data hold of each feature, in words short enough for a table."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import UNKNOWN_CATEGORY, Matrix
from flagrank.triage.feature_schema import Feature, FeatureSchema

MOST_FEATURES = 100
"""The features of most importance that are described; more are no table to read."""

_QUANTILES = {"least": 0.0, "5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95, "most": 1.0}
_SHARES = 4
_MOST_CHARS = 200


class FeatureFacts(msgspec.Struct, frozen=True):
    """One feature: how often it is null, how many values it has and how they are spread, its importance."""

    name: str
    type: str
    description: str
    null_rate: float
    distinct: int
    spread: tuple[tuple[str, str], ...]
    """Pairs of a quantile and its value, or of a value and its share."""

    importance: float
    """Its share of the total gain."""


def describe_features(
    schema: FeatureSchema, data: Matrix, importances: dict[str, float]
) -> tuple[FeatureFacts, ...]:
    """Describe the MOST_FEATURES columns of data (m, f) with the greatest importances, the greatest first."""
    columns = sorted(
        range(len(schema.feature)), key=lambda column: -importances.get(schema.feature[column].name, 0.0)
    )
    return tuple(
        _describe(
            schema.feature[column],
            data[:, column],
            importances.get(schema.feature[column].name, 0.0),
        )
        for column in columns[:MOST_FEATURES]
    )


def _describe(feature: Feature, values: NDArray[np.float32], importance: float) -> FeatureFacts:
    known = np.sort(values[~np.isnan(values)])
    found = known[np.append(True, np.diff(known) != 0)] if len(known) else known
    if not len(known):
        spread: tuple[tuple[str, str], ...] = ()
    elif feature.type in {"category", "boolean"}:
        spread = _share_values(feature, known, found)
    else:
        spread = _cut_values(known)
    return FeatureFacts(
        feature.name,
        feature.type,
        _cut(feature.description, _MOST_CHARS),
        1 - len(known) / len(values),
        len(found),
        spread,
        importance,
    )


def _share_values(
    feature: Feature, known: NDArray[np.float32], found: NDArray[np.float32]
) -> tuple[tuple[str, str], ...]:
    words: dict[float, str] = dict(
        enumerate(("false", "true") if feature.type == "boolean" else feature.values)
    )
    words[UNKNOWN_CATEGORY] = "not listed"
    counts = np.diff(np.append(np.searchsorted(known, found), len(known)))
    most = np.argsort(-counts, kind="stable")[:_SHARES]
    shares = [
        (_cut(words[int(found[place])], 40), f"{100 * counts[place] / len(known):.3g} %") for place in most
    ]
    if len(found) > _SHARES:
        rest = 1 - counts[most].sum() / len(known)
        shares.append((f"{len(found) - _SHARES:,} more", f"{100 * rest:.3g} %"))
    return tuple(shares)


def _cut_values(known: NDArray[np.float32]) -> tuple[tuple[str, str], ...]:
    if known[0] == known[-1]:
        return (("always", _show(float(known[0]))),)
    last = len(known) - 1
    return tuple((word, _show(float(known[round(last * part)]))) for word, part in _QUANTILES.items())


def _show(value: float) -> str:
    whole = (value.is_integer() or abs(value) >= 1000) and abs(value) < 1e12
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
