"""The report: identity and context fields that stand for every schema, and the struct a feature schema adds its own to."""

from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeAlias, Union

import msgspec
from msgspec import UNSET, Meta, UnsetType

from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, Feature, FeatureSchema

MAX_REPORTS = 10_000  # in one request
MAX_EXPOSURE = 1e9

# Python's `$` also matches before a trailing newline; `\Z` does not.
_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
_TEXT_PATTERN = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*\Z"
_URL_PATTERN = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x1f\x7f-\x9f]+\Z"

_Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern=_NO_CONTROLS)]


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One report by one user, valid by construction; features are added by `report_type`, read by `feature_values`.

    `reported_at` stays the sender's RFC 3339 text: `triage.times.parse_time` reads it.
    """

    report_id: _Id | UnsetType = UNSET
    reporter_id: _Id | UnsetType = UNSET
    reported_id: _Id | UnsetType = UNSET
    content_id: _Id | UnsetType = UNSET
    content_url: Annotated[str, Meta(max_length=2_048, pattern=_URL_PATTERN)] | UnsetType = UNSET
    content_text: Annotated[str, Meta(max_length=10_000, pattern=_TEXT_PATTERN)] | UnsetType = UNSET
    reason: _Id | UnsetType = UNSET
    exposure: Annotated[float, Meta(ge=0, le=MAX_EXPOSURE)] | UnsetType = UNSET
    reported_at: Annotated[str, Meta(max_length=64, pattern=_NO_CONTROLS)] | UnsetType = UNSET


CONTEXT_FIELDS: tuple[str, ...] = Report.__struct_fields__


@cache
def report_type(schema: FeatureSchema) -> type[Report]:
    """The struct that a report of this schema decodes into: attribute `f0`, `f1`, ... on the wire by the feature's name.

    Integers decode as float, so that 12 and 12.0 are one value; the decoder checks that they are whole.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for position, feature in enumerate(schema.feature):
        annotation = _annotation(feature)
        if feature.optional:
            fields.append((f"f{position}", Union[annotation, UnsetType], UNSET))  # noqa: UP007 - built at run time
        else:
            fields.append((f"f{position}", annotation))
    wire_names: Mapping[str, str] = {f"f{position}": feature.name for position, feature in enumerate(schema.feature)}
    return msgspec.defstruct(
        "SchemaReport", fields, bases=(Report,), kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False, rename=wire_names
    )


def feature_values(reports: list[Report], position: int) -> list[Any]:
    """The values of the feature in this column, in the order of the reports; null and absent are None."""
    values = list(map(attrgetter(f"f{position}"), reports))
    return [None if value is UNSET else value for value in values] if UNSET in values else values


def _annotation(feature: Feature) -> Any:  # noqa: ANN401 - a type expression
    low, high = feature.bounds
    annotation: Any
    match feature.type:
        case "category" if feature.open:
            annotation = Annotated[str, Meta(min_length=1, max_length=MAX_CATEGORY_CHARS, pattern=_NO_CONTROLS)]
        case "category":
            annotation = Literal[feature.values]
        case "boolean":
            annotation = bool
        case _:
            annotation = Annotated[float, Meta(ge=low, le=high)]
    return annotation | None if feature.may_be_null else annotation
