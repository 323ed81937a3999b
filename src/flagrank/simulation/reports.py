"""Batches of synthetic reports, ready to be written to a file or sent to a server."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.arrivals import draw_times
from flagrank.simulation.features import Features, draw_features
from flagrank.simulation.reasons import REASONS, choose_reasons
from flagrank.simulation.truth import chance_of_action

BATCH_ROWS = 8192

_WORDS = np.array(REASONS, dtype=object)


def simulate(rows: int, seed: int = 0, days: float = 30.0) -> Iterator[dict[str, list[Any]]]:
    """Make `rows` synthetic reports (>= 1) from the `days` days (> 0) before 2026-01-01, oldest first.

    Yields batches of columns: report_id (str), reported_at (RFC 3339, UTC), the five features of the default
    schema, reason (str or None; it tells nothing that the features don't), actionable (bool: the label, some
    labels wrong) and chance, exactly P(actionable | the five features), the Bayes score. Memory does not grow
    with `rows`. A `seed` (>= 0) fixes everything; with other `rows` or `days` the reports that both runs have
    differ in reported_at only.
    """
    full, rest = divmod(rows, BATCH_ROWS)
    sizes = [BATCH_ROWS] * full + ([rest] if rest else [])
    clocks = ((size, _stream(seed, 1, batch)) for batch, size in enumerate(sizes))
    for batch, times in enumerate(draw_times(clocks, rows, days)):
        yield _batch_of(seed, batch, times)


def _stream(seed: int, purpose: int, batch: int) -> np.random.Generator:
    """Make a generator for one batch and purpose, so that no draw depends on how many came before."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(purpose, batch))))


def _batch_of(seed: int, batch: int, times: NDArray[np.datetime64]) -> dict[str, list[Any]]:
    generator = _stream(seed, 0, batch)
    # A whole batch is drawn and cut, because a shorter draw would give other values.
    whole = draw_features(generator, BATCH_ROWS)
    label_draw, reason_draw = generator.random((2, BATCH_ROWS))
    chance = chance_of_action(whole)
    first = batch * BATCH_ROWS
    columns = {
        **_feature_columns(whole),
        "reason": _WORDS[choose_reasons(reason_draw, whole.is_profile)],
        "actionable": label_draw < chance,
        "chance": chance,
    }
    return {
        "report_id": [f"simulated-{seed}-{index}" for index in range(first, first + len(times))],
        "reported_at": np.datetime_as_string(times, unit="ms", timezone="UTC").tolist(),
        **{name: column[: len(times)].tolist() for name, column in columns.items()},
    }


def _feature_columns(features: Features) -> dict[str, NDArray[Any]]:
    return {
        "abuse_type": np.where(features.is_profile, "PRF", "MSG"),
        "report_text_len": features.text_chars.astype(np.int64),
        "profile_rating": _with_none(features.profile_rating),
        "popularity": _with_none(features.popularity),
        "lifetime_matches_created": _with_none(features.lifetime_matches, np.int64),
    }


def _with_none(column: NDArray[np.float64], dtype: type[np.generic] = np.float64) -> NDArray[np.object_]:
    is_null = np.isnan(column)
    values = np.where(is_null, 0, column).astype(dtype).astype(object)
    values[is_null] = None
    return values
