"""A file of reports -> the reports of a task: every field that a request may have, under the same rules."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from flagrank.files.columns import Cells, Column, exposure_column, feature_column, reason_column
from flagrank.files.reading import open_reports
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.report import CONTEXT_FIELDS, MAX_REPORTS
from flagrank.triage.report_problems import MAX_PROBLEMS, find_context_fault

Values: TypeAlias = dict[str, Any]


def read_reports(
    path: Path, schema: FeatureSchema, reasons: Collection[str], received_at: datetime
) -> list[Values]:
    """The reports of a file in its order, ready to be written as JSON; columns of no field are left out.

    Raises `FileRefused` naming up to 20 bad cells by line, or where there are no reports or too many.
    """
    texts = [name for name in CONTEXT_FIELDS if name not in {"reason", "exposure"}]
    columns = [feature_column(feature) for feature in schema.feature]
    columns += [reason_column(reasons), exposure_column()]
    columns += [_text_column(name, received_at) for name in texts]
    optional = [feature.name for feature in schema.feature if feature.optional]
    left_out = {*optional, *CONTEXT_FIELDS}
    features = {feature.name: feature for feature in schema.feature}
    reports: list[Values] = []
    with open_reports(path, columns) as opened:
        for batch in opened.batches:
            read = [
                _as_json(features.get(column.name), values)
                for column, values in zip(columns, batch.columns, strict=True)
            ]
            names = [column.name for column in columns]
            reports += (_make_report(names, row, left_out) for row in zip(*read, strict=True))
            if len(reports) > MAX_REPORTS:
                raise FileRefused(
                    f"{path} has more than {MAX_REPORTS:,} reports, the most of one task. Split it."
                )
    if not reports:
        raise FileRefused(f"{path} has no reports. Write at least one.")
    return reports


def _make_report(names: Sequence[str], row: Iterable[Any], left_out: Collection[str]) -> Values:
    pairs = zip(names, row, strict=True)
    return {name: value for name, value in pairs if value is not None or name not in left_out}


def _as_json(feature: Feature | None, values: Any) -> list[Any]:  # noqa: ANN401 - a list, or (n,) float64
    """The values with None for null: categories and texts as they are, booleans and integers as such."""
    if isinstance(values, list):
        return values
    kind: type = {"boolean": bool, "integer": int}.get(feature.type if feature else "number", float)
    return [None if value != value else kind(value) for value in values.tolist()]  # noqa: PLR0124 - NaN


def _text_column(name: str, received_at: datetime) -> Column:
    """A text, null where the cell is empty, refused in the words of HTTP."""

    def read_values(texts: Sequence[Any]) -> Cells:
        faulty = (
            row
            for row, text in enumerate(texts)
            if text is not None and find_context_fault(name, text, (), received_at)
        )
        return Cells(texts, list(islice(faulty, MAX_PROBLEMS)))

    def read_text(cells: Sequence[str]) -> Cells:
        return read_values([cell or None for cell in cells])

    def describe(path: str, value: object) -> str:
        return f"{path} {find_context_fault(name, value, (), received_at)}"

    return Column(
        name=name, is_optional=True, read_text=read_text, read_values=read_values, describe=describe
    )
