"""Reads whole small files in tests, by a schema that has every type of feature."""

import math
from pathlib import Path
from typing import Any

from flagrank.files.columns import feature_column
from flagrank.files.reading import open_reports
from flagrank.triage.feature_schema import FeatureSchema, parse_schema
from flagrank.triage.report import CONTEXT_FIELDS

SCHEMA = parse_schema(
    """
    feature = [
        { name = "kind", type = "category", values = ["MSG", "PRF", "NA"] },
        { name = "country", type = "category", values = ["de", "a, b"], open = true, nullable = true },
        { name = "length", type = "integer", range = [0, 1000] },
        { name = "rating", type = "number", range = [0, 5], nullable = true },
        { name = "is fresh", type = "boolean", nullable = true },
        { name = "matches", type = "integer", range = [0, 1_000_000_000], optional = true },
    ]
    """,
    "test",
    CONTEXT_FIELDS,
)
HEADER = "kind,country,length,rating,is fresh,matches"
GOOD = "MSG,de,12,3.5,true,7"


def read_features(path: Path, schema: FeatureSchema = SCHEMA) -> dict[str, list[Any]]:
    """Every feature of a file as a list, null as None."""
    found: dict[str, list[Any]] = {name: [] for name in schema.names}
    with open_reports(path, [feature_column(feature) for feature in schema.feature]) as reports:
        for batch in reports.batches:
            for name, values in zip(schema.names, batch.columns, strict=True):
                found[name] += [None if is_nan(value) else value for value in list(values)]
    return found


def is_nan(value: object) -> bool:
    """Whether a value is the number that is none."""
    return isinstance(value, float) and math.isnan(value)


def write_rows(path: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    """Write a CSV file of these lines."""
    path.write_bytes("".join(line + end for line in (header, *rows)).encode())
    return path
