"""The feature schema: one declaration that decoder, OpenAPI model, training columns and error texts follow."""

import json
import math
import tomllib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, assert_never

import msgspec

from flagrank.triage.errors import FieldProblem, SchemaRefused

MAX_FEATURES = 1_000
MAX_NAME_CHARS = 128
MAX_CATEGORY_CHARS = 256
LARGEST_INTEGER = 2**53  # the last integer up to which float64 holds every one
LARGEST_NUMBER = 3.4028234663852886e38  # the largest float32, which every value becomes

FeatureValue: TypeAlias = str | int | float | bool | None


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One input of the model. `range` is inclusive at both ends; `values` are a category's, in the order of their codes."""

    name: str
    type: Literal["category", "integer", "number", "boolean"]
    values: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    nullable: bool = False
    optional: bool = False
    open: bool = False
    description: str = ""

    @property
    def may_be_null(self) -> bool:
        """Whether null is a value of this feature; an optional one is null where it is absent."""
        return self.nullable or self.optional

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest value, both allowed, finite; without a declared range what float64 and float32 hold."""
        widest = LARGEST_INTEGER if self.type == "integer" else LARGEST_NUMBER
        low, high = self.range or (-math.inf, math.inf)
        return max(low, -widest), min(high, widest)


class FeatureSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The features of a report, in the order of the model's columns."""

    feature: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features in column order."""
        return tuple(feature.name for feature in self.feature)


def parse_schema(text: str, source: str, reserved: Sequence[str]) -> FeatureSchema:
    """Read a schema from TOML text; `source` names the file in errors, `reserved` the names a feature can't take.

    Raises `SchemaRefused` naming every feature that breaks a rule.
    """
    try:
        schema = msgspec.convert(tomllib.loads(text), FeatureSchema)
    except tomllib.TOMLDecodeError as error:
        raise SchemaRefused(f"{source} is no TOML: {error}. Mend the file at that place.") from error
    except msgspec.ValidationError as error:
        raise SchemaRefused(
            f"{source}: {error}. Declare each feature in a [[feature]] table with the keys name, type, values or range, "
            "nullable, optional, open and description."
        ) from error
    check_schema(schema, source, reserved)
    return schema


def check_schema(schema: FeatureSchema, source: str, reserved: Sequence[str]) -> None:
    """Raise `SchemaRefused` where a schema, from a file or a package, breaks a rule."""
    problems = []
    seen: set[str] = set()
    for position, feature in enumerate(schema.feature):
        fault = _find_fault(feature, reserved)
        if feature.name in seen:
            fault = "is declared twice. Give each feature a name of its own."
        seen.add(feature.name)
        if fault:
            path = f"feature[{position}]"
            problems.append(FieldProblem(path, f"{source}: {path} ({show(feature.name)}) {fault}"))
    if problems:
        raise SchemaRefused(" ".join(problem.detail for problem in problems[:20]), problems[:20])
    if not 1 <= len(schema.feature) <= MAX_FEATURES:
        raise SchemaRefused(f"{source} declares {len(schema.feature)} features; declare 1 to {MAX_FEATURES:,}.")


def _find_fault(feature: Feature, reserved: Sequence[str]) -> str | None:
    name = feature.name
    if not 1 <= len(name) <= MAX_NAME_CHARS or has_control_characters(name):
        return f"has a name that can't be used. Use 1 to {MAX_NAME_CHARS} characters without control characters."
    if name in reserved:
        return "has the name of a field that every report has. Choose another name."
    if feature.type == "category":
        return _find_fault_of_category(feature)
    if feature.values or feature.open:
        return f'is {feature.type} but has "values" or "open", which belong to a category. Remove them.'
    if feature.range is None:
        return None
    low, high = feature.range
    if feature.type == "boolean":
        return 'is boolean but has a "range". Remove it.'
    if not low <= high or feature.bounds[0] > feature.bounds[1]:
        return f"has the range [{low:g}, {high:g}], which holds no value. Write the smaller number first."
    return None


def _find_fault_of_category(feature: Feature) -> str | None:
    values = feature.values
    if feature.range is not None:
        return 'is a category but has a "range". Remove it.'
    if not values and not feature.open:
        return 'is a category without "values". List them, or set open = true.'
    if len(set(values)) < len(values):
        return "lists a value twice. List each value once."
    if any(not 1 <= len(value) <= MAX_CATEGORY_CHARS or has_control_characters(value) for value in values):
        return f"lists a value that can't be used. Use 1 to {MAX_CATEGORY_CHARS} characters without control characters."
    return None


def has_control_characters(text: str, allowed: str = "") -> bool:
    """Whether text holds a C0 or C1 control character other than those allowed, or a lone surrogate."""
    if text.isprintable():
        return False
    return any((c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff") and c not in allowed for c in text)


def show(value: object) -> str:
    """A value in an error text: as JSON, in ASCII, cut after 40 characters."""
    text = json.dumps(value, default=lambda other: f"<{type(other).__name__}>")
    return text if len(text) <= 40 else text[:37] + "..."


def describe_expected(feature: Feature) -> str:
    """What a feature takes, as a phrase: `a number from 0 to 5`."""
    match feature.type:
        case "boolean":
            return "true or false"
        case "category" if feature.open:
            return f"a text of 1 to {MAX_CATEGORY_CHARS} characters"
        case "category":
            known = ", ".join(show(value) for value in feature.values[:8])
            return f"one of {known}" + (f" and {len(feature.values) - 8} more" if len(feature.values) > 8 else "")
        case "integer" | "number":
            noun = "an integer" if feature.type == "integer" else "a number"
            return noun + _describe_range(feature)
        case _:
            assert_never(feature.type)


def _describe_range(feature: Feature) -> str:
    low, high = feature.range or (-math.inf, math.inf)
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f" from {_plain(low)} up"
    if math.isinf(low):
        return f" up to {_plain(high)}"
    return f" from {_plain(low)} to {_plain(high)}"


def _plain(bound: float) -> str:
    return f"{bound:,.0f}" if bound == int(bound) and abs(bound) < 1e15 else f"{bound:g}"


def what_to_send(feature: Feature) -> str:
    """The last part of an error's sentence: what the sender does about it."""
    noun = "text" if feature.type == "category" else "boolean" if feature.type == "boolean" else "number"
    if feature.type == "category" and not feature.open:
        noun = "listed value"
    article = "an" if noun[0] in "aeiou" else "a"
    return f"Send {article} {noun}, or null if unknown." if feature.may_be_null else f"Send {article} {noun}."


def is_valid(feature: Feature, value: Any) -> bool:  # noqa: ANN401 - whatever JSON or a table cell can hold
    """Whether a typed value (JSON, Parquet) is one of this feature's; 12.0 is the integer 12, true is no number."""
    if value is None:
        return feature.may_be_null
    match feature.type:
        case "boolean":
            return isinstance(value, bool)
        case "category":
            if not isinstance(value, str):
                return False
            if value in feature.values:
                return True
            return feature.open and 1 <= len(value) <= MAX_CATEGORY_CHARS and not has_control_characters(value)
        case "integer" | "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            low, high = feature.bounds
            if not low <= value <= high:
                return False
            return feature.type == "number" or value == int(value)
        case _:
            assert_never(feature.type)


def describe_problem(feature: Feature, path: str, value: object) -> str:
    """The whole sentence about a value that is not valid: `popularity is "high"; expected a number. Send ...`."""
    shown = "null" if value is None else show(value)
    return f"{path} is {shown}; expected {describe_expected(feature)}. {what_to_send(feature)}"
