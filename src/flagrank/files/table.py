"""A whole file of labelled reports in memory, as training takes it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.files.columns import feature_column, plain_column
from flagrank.files.labels import LabelReader
from flagrank.files.reading import open_reports
from flagrank.files.times import Times, join_times, time_column
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema, show


@dataclass(frozen=True)
class Table:
    """Reports in the order of the file.

    `features` by name: (n,) float64 with NaN for null, for a category a list of texts with None; `labels`
    (n,) 0/1; `groups` as texts, None where a row belongs to none; `times` (n,), of which a greater one is
    later.
    """

    rows: int
    features: dict[str, Any]
    labels: NDArray[np.int8]
    groups: list[str | None] | None
    times: Any  # Times, or None


def read_table(
    path: Path,
    schema: FeatureSchema,
    *,
    target: str,
    group: str | None = None,
    time: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Read a file of labelled reports; `progress` is told the rows read and about how many there are.

    Takes about 8 bytes a cell. Raises `FileRefused` where a row or a label is bad, a column is missing, or
    there is no row.
    """
    if target in schema.names:
        raise FileRefused(
            f"{show(target)} is a feature of the schema too: the model would read the answer. Remove it "
            "there."
        )
    features = [feature_column(feature) for feature in schema.feature]
    roles = [
        plain_column(target),
        *([plain_column(group)] if group else []),
        *([time_column(time)] if time else []),
    ]
    parts: list[list[Any]] = [[] for _ in (*features, *roles)]
    labels = LabelReader(f"Column {show(target)} of {path}")
    rows = 0
    with open_reports(path, [*features, *roles]) as reports:
        for batch in reports.batches:
            rows += batch.chunk.rows
            for gathered, values in zip(parts, batch.columns, strict=True):
                gathered.append(values)
            labels.add(parts[len(features)].pop())
            if progress:
                progress(rows, round(rows / batch.chunk.share_read))
    if not rows:
        raise FileRefused(f"{path} has no rows. Write reports into it.")
    _, *others = parts[len(features) :]
    return Table(
        rows=rows,
        features={
            feature.name: _join(feature, part) for feature, part in zip(schema.feature, parts, strict=False)
        },
        labels=labels.join(),
        groups=_join_groups(others.pop(0)) if group else None,
        times=_join_times(path, time, others.pop(0)) if time else None,
    )


def _join(feature: Feature, parts: list[Any]) -> Any:  # noqa: ANN401 - a list, or (n,) float64
    if feature.type == "category":
        return [value for part in parts for value in part]
    return np.concatenate(parts)


def _join_groups(parts: list[list[Any]]) -> list[str | None]:
    return [None if value is None else _name_group(value) for part in parts for value in part]


def _name_group(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _join_times(path: Path, name: str, parts: list[Times]) -> Times:
    try:
        return join_times(name, parts)
    except ValueError as error:
        raise FileRefused(
            f"Column {show(name)} of {path} holds times in some rows and numbers in others. Write one kind."
        ) from error
