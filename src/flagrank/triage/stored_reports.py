"""Stored reports -> the reports that a model scores, which may have come after them."""

from typing import Any

import msgspec

from flagrank.triage.errors import InvalidReports
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.report import Report


class StoredReportDecoder:
    """Decodes reports that were checked as they were taken in, by a schema that may have had other features.

    What the model does not know is left out. Values are not checked again: ranges and categories were the
    business of the schema that they came by, and a model scores any value of the right type.
    """

    def __init__(self, schema: FeatureSchema) -> None:
        fields: list[tuple[str, Any, Any]] = [
            (f"f{position}", _annotation(feature), msgspec.UNSET if feature.optional else msgspec.NODEFAULT)
            for position, feature in enumerate(schema.feature)
        ]
        kind = msgspec.defstruct(
            "StoredReport",
            fields,
            bases=(Report,),
            kw_only=True,
            frozen=True,
            forbid_unknown_fields=False,
            gc=False,
            rename={f"f{position}": name for position, name in enumerate(schema.names)},
        )
        self._decode = msgspec.json.Decoder(list[kind]).decode  # type: ignore[valid-type]

    def decode(self, reports: bytes) -> list[Report]:
        """The reports of one task. Raises `InvalidReports` where a feature is missing or of another type."""
        try:
            return list(self._decode(reports))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidReports(
                f"The reports were taken in by another feature schema than the model's: {error}. "
                "Promote a model of that schema and retry the task, or submit the reports again."
            ) from error


def _annotation(feature: Feature) -> Any:  # noqa: ANN401 - a type expression
    annotation: Any = {"category": str, "boolean": bool}.get(feature.type, float) | None
    return annotation | msgspec.UnsetType if feature.optional else annotation
