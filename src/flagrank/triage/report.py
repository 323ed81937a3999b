"""The report: the fields that stand for every schema, and the struct that adds the features of one."""

from operator import attrgetter
from typing import Annotated, Any, Literal, TypeAlias, Union, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, Feature, FeatureSchema

MAX_REPORTS = 10_000  # in one request
MAX_EXPOSURE = 1e9
ABUSE_TYPE = "abuse_type"  # what a policy may tell reports apart by, beside the reason
MAX_ID_CHARS = 128  # of reports, of persons, and of moderators

_Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One report by one user; features are added by `report_type` and read by `feature_values`.

    What these types do not say (control characters, links, reasons, times) `ReportDecoder` checks, for all
    strings of a request at once: a pattern on each field takes longer than everything else together.
    `reported_at` stays the sender's RFC 3339 text, which `triage.times.parse_time` reads.
    """

    report_id: _Id | UnsetType = UNSET
    reporter_id: _Id | UnsetType = UNSET
    reported_id: _Id | UnsetType = UNSET
    content_id: _Id | UnsetType = UNSET
    content_url: Annotated[str, Meta(max_length=2_048)] | UnsetType = UNSET
    content_text: Annotated[str, Meta(max_length=10_000)] | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    exposure: Annotated[float, Meta(ge=0, le=MAX_EXPOSURE)] | UnsetType = UNSET
    reported_at: str | UnsetType = UNSET


CONTEXT_FIELDS: tuple[str, ...] = Report.__struct_fields__


def report_type(schema: FeatureSchema) -> type[Report]:
    """A struct that reports of this schema decode into: attributes `f0`, `f1`, ... under the features' names.

    Integers decode as float, so that 12 and 12.0 are one value; the decoder checks that they are whole.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for position, feature in enumerate(schema.feature):
        annotation = _annotation(feature)
        if feature.optional:
            fields.append((f"f{position}", Union[annotation, UnsetType], UNSET))  # noqa: UP007 - built at run time
        else:
            fields.append((f"f{position}", annotation))
    made = msgspec.defstruct(
        "SchemaReport",
        fields,
        bases=(Report,),
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
        gc=False,
        rename={f"f{position}": name for position, name in enumerate(schema.names)},
    )
    return cast("type[Report]", made)


def feature_values(reports: list[Report], position: int) -> list[Any]:
    """The values of the feature in this column, in the order of the reports; null and absent are None."""
    values = list(map(attrgetter(f"f{position}"), reports))
    return [None if value is UNSET else value for value in values] if UNSET in values else values


def abuse_types(reports: list[Report], schema: FeatureSchema) -> list[str | None]:
    """The abuse_type of each report, which a policy may look at; None where it is none of `schema`."""
    position = find_abuse_type(schema)
    return [None] * len(reports) if position is None else feature_values(reports, position)


def find_abuse_type(schema: FeatureSchema) -> int | None:
    """In which column the abuse_type stands, a category; None where the schema has none."""
    for position, feature in enumerate(schema.feature):
        if feature.name == ABUSE_TYPE and feature.type == "category":
            return position
    return None


def _annotation(feature: Feature) -> Any:  # noqa: ANN401 - a type expression
    low, high = feature.bounds
    annotation: Any
    match feature.type:
        case "category" if feature.open:
            annotation = Annotated[str, Meta(min_length=1, max_length=MAX_CATEGORY_CHARS)]
        case "category":
            annotation = Literal[feature.values]
        case "boolean":
            annotation = bool
        case _:
            annotation = Annotated[float, Meta(ge=low, le=high)]
    return annotation | None if feature.may_be_null else annotation
