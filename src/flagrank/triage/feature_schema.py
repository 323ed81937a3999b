"""The feature schema: one declaration that decoder, OpenAPI model, columns and error texts follow."""

import json
import math
import re
import tomllib
from collections.abc import Sequence
from typing import Any, Literal, assert_never

import msgspec

from flagrank.triage.errors import FieldProblem, SchemaRefused

MAX_FEATURES = 1_000
MAX_NAME_CHARS = 128
MAX_CATEGORY_CHARS = 256
LARGEST_INTEGER = 2**53 - 1  # up to it no two integers are one float64
LARGEST_NUMBER = 3.4028234663852886e38  # the largest float32, which every value becomes

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One input of the model.

    `range` is finite and inclusive at both ends; `values` are a category's, in the order of their codes.
    """

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
    def widest(self) -> float:
        """The greatest value that any feature of this type takes, the least one being its negative."""
        return LARGEST_INTEGER if self.type == "integer" else LARGEST_NUMBER

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest value, both allowed, finite."""
        low, high = self.range or (-math.inf, math.inf)
        return max(low, -self.widest), min(high, self.widest)


class FeatureSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The features of a report, in the order of the model's columns."""

    feature: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features in column order."""
        return tuple(feature.name for feature in self.feature)


def parse_schema(text: str, source: str, reserved: Sequence[str]) -> FeatureSchema:
    """Read a schema from TOML; `source` names the file in errors, `reserved` the names a feature can't take.

    Raises `SchemaRefused` naming the features that break a rule, at most 20.
    """
    try:
        schema = msgspec.convert(tomllib.loads(text), FeatureSchema)
    except msgspec.ValidationError as error:
        raise SchemaRefused(
            f"{source} is no feature schema: {error}. Declare each feature in a [[feature]] table with the "
            "keys name, type, values or range, nullable, optional, open and description."
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # tomllib's own error is a ValueError, as is an endless integer
        raise SchemaRefused(f"{source} is no TOML: {error}. Mend the file at that place.") from error
    schema = FeatureSchema(tuple(_close_range(feature) for feature in schema.feature))
    check_schema(schema, source, reserved)
    return schema


def _close_range(feature: Feature) -> Feature:
    """Write an open end, `inf`, as the widest bound: a manifest is JSON, which has no infinity."""
    if feature.range is None or not any(math.isinf(bound) for bound in feature.range):
        return feature
    return msgspec.structs.replace(feature, range=feature.bounds)


def check_schema(schema: FeatureSchema, source: str, reserved: Sequence[str]) -> None:
    """Raise `SchemaRefused` where a schema, from a file or a package, breaks a rule."""
    if not 1 <= len(schema.feature) <= MAX_FEATURES:
        raise SchemaRefused(f"{source} has {len(schema.feature):,} features. Declare 1 to {MAX_FEATURES:,}.")
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


def check_serves(deployed: FeatureSchema, needed: FeatureSchema, source: str) -> None:
    """Raise `SchemaRefused` where the schema that reports are read by lacks a feature that a model needs."""
    types = {feature.name: feature.type for feature in deployed.feature}
    lacking = [feature for feature in needed.feature if types.get(feature.name) != feature.type]
    if lacking:
        wanted = ", ".join(f"{feature.name} ({feature.type})" for feature in lacking)
        raise SchemaRefused(
            f"{source} lacks what the model was trained with: {wanted}. Add it, or train on this schema."
        )


def find_narrowed(before: FeatureSchema, after: FeatureSchema) -> list[str]:
    """Names of features of which reports that `before` accepts may have what `after` would refuse."""
    following = {feature.name: feature for feature in after.feature}
    return [
        feature.name
        for feature in before.feature
        if feature.name not in following or _is_narrower(following[feature.name], feature)
    ]


def _is_narrower(after: Feature, before: Feature) -> bool:
    if (
        after.type != before.type
        or before.may_be_null > after.may_be_null
        or before.optional > after.optional
    ):
        return True
    if after.type == "category":
        return not after.open and (before.open or not set(before.values) <= set(after.values))
    (low, high), (least, most) = after.bounds, before.bounds
    return low > least or high < most


def _find_fault(feature: Feature, reserved: Sequence[str]) -> str | None:
    name = feature.name
    if not is_plain_text(name, MAX_NAME_CHARS) or '"' in name or "\\" in name:
        return (
            f"has a name that can't be used. Use 1 to {MAX_NAME_CHARS} characters without double quotes, "
            "backslashes and control characters."
        )
    if name in reserved:
        return "has the name of a field that every report has. Choose another name."
    if feature.type == "category":
        return _find_fault_of_category(feature)
    if feature.values or feature.open:
        return f'is {feature.type} but has "values" or "open", which belong to a category. Remove them.'
    if feature.range is None:
        return None
    if feature.type == "boolean":
        return 'is boolean but has a "range". Remove it.'
    low, high = feature.bounds
    if not low <= high or (feature.type == "integer" and math.ceil(low) > math.floor(high)):
        low, high = feature.range
        return f"has the range [{low:g}, {high:g}], which holds no value. Write the smaller bound first."
    return None


def _find_fault_of_category(feature: Feature) -> str | None:
    values = feature.values
    if feature.range is not None:
        return 'is a category but has a "range". Remove it.'
    if not values and not feature.open:
        return 'is a category without "values". List them, or set open = true.'
    if len(set(values)) < len(values):
        return "lists a value twice. List each value once."
    if not all(is_plain_text(value, MAX_CATEGORY_CHARS) for value in values):
        return (
            f"lists a value that can't be used. Use 1 to {MAX_CATEGORY_CHARS} characters without control "
            "characters."
        )
    return None


def is_plain_text(text: str, longest: int) -> bool:
    """Whether a text has 1 to `longest` characters, none of them a control character."""
    return 1 <= len(text) <= longest and not has_control_characters(text)


def has_control_characters(text: str, allowed: str = "") -> bool:
    """Whether text holds a C0 or C1 control character not allowed, or half of a surrogate pair."""
    for character in allowed:
        text = text.replace(character, "")
    # The first is several times as fast, and true of nearly every text.
    return not text.isprintable() and _CONTROLS.search(text) is not None


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
            return f"one of {known}" + (
                f" and {len(feature.values) - 8} more" if len(feature.values) > 8 else ""
            )
        case "integer" | "number":
            noun = "an integer" if feature.type == "integer" else "a number"
            return noun + _describe_range(feature)
        case _:
            assert_never(feature.type)


def _describe_range(feature: Feature) -> str:
    low, high = feature.bounds
    if low == -feature.widest:
        return "" if high == feature.widest else f" up to {_plain(high)}"
    return f" from {_plain(low)} up" if high == feature.widest else f" from {_plain(low)} to {_plain(high)}"


def _plain(bound: float) -> str:
    return f"{bound:,.0f}" if bound == int(bound) and abs(bound) < 1e15 else f"{bound:g}"


def what_to_send(feature: Feature) -> str:
    """The last part of an error's sentence: what the sender does about it."""
    noun = "text" if feature.type == "category" else "boolean" if feature.type == "boolean" else "number"
    if feature.type == "category" and not feature.open:
        noun = "listed value"
    return f"Send a {noun}, or null if unknown." if feature.may_be_null else f"Send a {noun}."


def is_valid(feature: Feature, value: Any) -> bool:  # noqa: ANN401 - whatever JSON or a table cell can hold
    """Whether a typed value (JSON, Parquet) is one of this feature's; 12.0 is an integer, true is no number.

    A number counts as the float64 it rounds to, whatever its digits.
    """
    if value is None:
        return feature.may_be_null
    match feature.type:
        case "boolean":
            return isinstance(value, bool)
        case "category":
            if not isinstance(value, str):
                return False
            return value in feature.values or (feature.open and is_plain_text(value, MAX_CATEGORY_CHARS))
        case "integer" | "number":
            return _is_valid_number(feature, value)
        case _:
            assert_never(feature.type)


def _is_valid_number(feature: Feature, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        number = float(value)
    except OverflowError:
        return False
    low, high = feature.bounds
    return low <= number <= high and (feature.type == "number" or number.is_integer())


def describe_problem(feature: Feature, path: str, value: object) -> str:
    """The whole sentence about a value that is not valid: `x is "a"; expected a number. Send a number.`."""
    return f"{path} is {show(value)}; expected {describe_expected(feature)}. {what_to_send(feature)}"
