import math
from importlib.resources import files

import msgspec
import pytest

from flagrank.triage.errors import SchemaRefused
from flagrank.triage.feature_schema import (
    LARGEST_INTEGER,
    LARGEST_NUMBER,
    Feature,
    FeatureSchema,
    check_serves,
    describe_problem,
    has_control_characters,
    is_valid,
    parse_schema,
)
from flagrank.triage.report import CONTEXT_FIELDS


def parse(text: str) -> FeatureSchema:
    return parse_schema(text, "schema.toml", CONTEXT_FIELDS)


def refuse(text: str) -> str:
    with pytest.raises(SchemaRefused) as caught:
        parse(text)
    return caught.value.detail


def refuse_feature(lines: str) -> str:
    detail = refuse(f"[[feature]]\n{lines}")
    assert detail.startswith("schema.toml: feature[0] (")
    return detail


def test_the_default_schema_is_the_table_of_the_first_design() -> None:
    schema = parse((files("flagrank") / "default_schema.toml").read_text(encoding="utf-8"))
    assert [(f.name, f.type, f.values or f.range, f.nullable, f.optional) for f in schema.feature] == [
        ("abuse_type", "category", ("MSG", "PRF"), False, False),
        ("report_text_len", "integer", (0, 1_000_000), False, False),
        ("profile_rating", "number", (0, 5), True, False),
        ("popularity", "number", (0, 5), True, False),
        ("lifetime_matches_created", "integer", (0, 1_000_000_000), True, True),
    ]


def test_features_keep_the_order_of_the_file() -> None:
    text = "".join(f'[[feature]]\nname = "{name}"\ntype = "number"\n' for name in ("b", "a", "c"))
    assert parse(text).names == ("b", "a", "c")


@pytest.mark.parametrize("name", ["a b", "x:y", "it's", "Größe", "features", "f0", "a.b[0]", "x" * 128])
def test_a_name_may_be_any_text_that_a_column_has(name: str) -> None:
    assert parse(f'[[feature]]\nname = "{name}"\ntype = "number"\n').names == (name,)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\\nb", 'a\\"b', "a\\\\b", "\\u0085"])
def test_a_name_that_no_report_can_carry_is_refused(name: str) -> None:
    assert "has a name that can't be used. Use 1 to 128" in refuse_feature(
        f'name = "{name}"\ntype = "number"'
    )


@pytest.mark.parametrize("name", CONTEXT_FIELDS)
def test_the_name_of_a_field_of_every_report_is_refused(name: str) -> None:
    detail = refuse_feature(f'name = "{name}"\ntype = "number"')
    assert detail.endswith("has the name of a field that every report has. Choose another name.")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('type = "category"', 'is a category without "values". List them, or set open = true.'),
        ('type = "category"\nvalues = ["x", "y", "x"]', "lists a value twice. List each value once."),
        ('type = "category"\nvalues = ["x", ""]', "lists a value that can't be used. Use 1 to 256"),
        ('type = "category"\nvalues = ["\\u0000"]', "lists a value that can't be used. Use 1 to 256"),
        (f'type = "category"\nvalues = ["{"x" * 257}"]', "lists a value that can't be used. Use 1 to 256"),
        ('type = "category"\nvalues = ["x"]\nrange = [0, 1]', 'is a category but has a "range". Remove it.'),
        (
            'type = "number"\nvalues = ["x"]',
            'is number but has "values" or "open", which belong to a category.',
        ),
        (
            'type = "integer"\nopen = true',
            'is integer but has "values" or "open", which belong to a category.',
        ),
        ('type = "boolean"\nrange = [0, 1]', 'is boolean but has a "range". Remove it.'),
        (
            'type = "number"\nrange = [5, 0]',
            "has the range [5, 0], which holds no value. Write the smaller bound",
        ),
        ('type = "number"\nrange = [nan, 1]', "has the range [nan, 1], which holds no value."),
        ('type = "number"\nrange = [0, nan]', "has the range [0, nan], which holds no value."),
        ('type = "number"\nrange = [1e39, 1e40]', "has the range [1e+39, 1e+40], which holds no value."),
        ('type = "integer"\nrange = [0.2, 0.8]', "has the range [0.2, 0.8], which holds no value."),
        ('type = "integer"\nrange = [nan, nan]', "has the range [nan, nan], which holds no value."),
        ('type = "integer"\nrange = [inf, inf]', "which holds no value."),
    ],
)
def test_each_rule_of_a_feature_has_its_sentence(lines: str, sentence: str) -> None:
    assert sentence in refuse_feature(f'name = "a"\n{lines}')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[feature]\n", "schema.toml is no TOML: "),
        ("a = " + "9" * 5_000, "schema.toml is no TOML: "),
        ("a = " + "[" * 20_000, "schema.toml is no TOML: "),
        ("", "schema.toml is no feature schema: Object missing required field `feature`"),
        ("feature = 3", "schema.toml is no feature schema: Expected `array`, got `int` - at `$.feature`"),
        ("feature = []", "schema.toml has 0 features. Declare 1 to 1,000."),
        ('[[feature]]\ntype = "number"', "missing required field `name` - at `$.feature[0]`"),
        ('[[feature]]\nname = "a"', "missing required field `type` - at `$.feature[0]`"),
        ('[[feature]]\nname = "a"\ntype = "float"', "Invalid enum value 'float' - at `$.feature[0].type`"),
        ('[[feature]]\nname = "a"\ntype = "number"\nmin = 3', "unknown field `min` - at `$.feature[0]`"),
        ('[[feature]]\nname = "a"\ntype = "number"\nrange = [0]', "length 2"),
        ('features = 1\n[[feature]]\nname = "a"\ntype = "number"', "unknown field `features`"),
    ],
)
def test_a_file_that_is_no_schema_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    detail = refuse(text)
    assert sentence in detail
    assert "\n" not in detail


def test_a_thousand_features_are_taken_and_one_more_is_refused() -> None:
    def write(count: int) -> str:
        return "".join(f'[[feature]]\nname = "x{i}"\ntype = "number"\n' for i in range(count))

    assert len(parse(write(1_000)).feature) == 1_000
    assert refuse(write(1_001)) == "schema.toml has 1,001 features. Declare 1 to 1,000."


def test_every_bad_feature_is_named() -> None:
    bad = '[[feature]]\nname = "a"\ntype = "category"\n'
    with pytest.raises(SchemaRefused) as caught:
        parse(bad + bad + '[[feature]]\nname = "b"\ntype = "number"\n')
    assert [problem.path for problem in caught.value.fields] == ["feature[0]", "feature[1]"]
    assert "is declared twice" in caught.value.fields[1].detail


def test_an_open_end_of_a_range_survives_json() -> None:
    schema = parse('[[feature]]\nname = "a"\ntype = "number"\nrange = [0, inf]\n')
    assert msgspec.json.decode(msgspec.json.encode(schema), type=FeatureSchema) == schema
    assert schema.feature[0].bounds == (0, LARGEST_NUMBER)


A = Feature("a", "number", range=(0, 5))


@pytest.mark.parametrize(
    ("feature", "valid", "invalid"),
    [
        (
            A,
            [0, 5, 0.0, 5.0, 2.5, -0.0],
            [-1, 5.0000001, 10**30, 10**400, math.nan, math.inf, "1", True, None, [], {}],
        ),
        (Feature("a", "number"), [LARGEST_NUMBER, -LARGEST_NUMBER, 10**30], [3.5e38, -(10**39)]),
        (Feature("a", "number", nullable=True), [None, 1], ["null"]),
        (Feature("a", "number", optional=True), [None, 1], [False]),
        (Feature("a", "integer", range=(0, 9)), [0, 9, 9.0, -0.0], [9.5, 10, -1, "9", True, math.nan, None]),
        (
            Feature("a", "integer"),
            [LARGEST_INTEGER, -LARGEST_INTEGER, 2.0**52],
            [2**53, 2**53 + 1, -(2**53), 1e300],
        ),
        (Feature("a", "boolean"), [True, False], [0, 1, "true", None]),
        (Feature("a", "category", values=("x", "y:z")), ["x", "y:z"], ["X", "x ", "", 1, None, ["x"], b"x"]),
        (
            Feature("a", "category", values=("x",), open=True),
            ["x", "other", "é" * 256],
            ["", "o" * 257, "\0", "\ud800"],
        ),
    ],
)
def test_a_value_is_valid_by_its_features_rule(
    feature: Feature, valid: list[object], invalid: list[object]
) -> None:
    assert [value for value in valid if not is_valid(feature, value)] == []
    assert [value for value in invalid if is_valid(feature, value)] == []


@pytest.mark.parametrize(
    ("feature", "value", "sentence"),
    [
        (A, "high", 'x is "high"; expected a number from 0 to 5. Send a number.'),
        (
            Feature("a", "number", nullable=True),
            True,
            "x is true; expected a number. Send a number, or null if unknown.",
        ),
        (
            Feature("a", "integer", range=(0, 1e6)),
            12.5,
            "x is 12.5; expected an integer from 0 to 1,000,000. Send a number.",
        ),
        (
            Feature("a", "number", range=(0.5, LARGEST_NUMBER)),
            0,
            "x is 0; expected a number from 0.5 up. Send a number.",
        ),
        (
            Feature("a", "integer", range=(-LARGEST_INTEGER, -1)),
            0,
            "x is 0; expected an integer up to -1. Send a number.",
        ),
        (Feature("a", "boolean"), None, "x is null; expected true or false. Send a boolean."),
        (
            Feature("a", "category", values=("p", "q")),
            1,
            'x is 1; expected one of "p", "q". Send a listed value.',
        ),
        (
            Feature("a", "category", values=tuple("abcdefghij"), optional=True),
            "z",
            (
                'x is "z"; expected one of "a", "b", "c", "d", "e", "f", "g", "h" and 2 more. '
                "Send a listed value, or null if unknown."
            ),
        ),
        (
            Feature("a", "category", open=True),
            "",
            'x is ""; expected a text of 1 to 256 characters. Send a text.',
        ),
        (A, "\ud800\n", 'x is "\\ud800\\n"; expected a number from 0 to 5. Send a number.'),
        (A, "y" * 50, f'x is "{"y" * 36}...; expected a number from 0 to 5. Send a number.'),
    ],
)
def test_a_bad_value_is_described_by_what_where_and_what_to_do(
    feature: Feature, value: object, sentence: str
) -> None:
    assert describe_problem(feature, "x", value) == sentence


@pytest.mark.parametrize("code", [0, 0x1F, 0x0A, 0x09, 0x7F, 0x80, 0x9F, 0xD800, 0xDFFF])
def test_control_characters_and_half_surrogates_are_found_anywhere(code: int) -> None:
    assert has_control_characters(chr(code))
    assert has_control_characters(f"é{chr(code)}x")


def test_other_characters_are_none_even_where_they_do_not_print() -> None:
    assert not has_control_characters("a é 😀 \u00a0\u200d\u2028\ufeff\ue000\U0010ffff")


def test_allowed_control_characters_are_passed_over_and_others_still_found() -> None:
    assert not has_control_characters("a\n\tb", "\n\t")
    assert has_control_characters("a\n\rb", "\n\t")


def test_a_schema_that_lacks_what_a_model_needs_is_refused_by_name() -> None:
    needed = FeatureSchema((A, Feature("b", "integer"), Feature("c", "boolean")))
    deployed = FeatureSchema((Feature("c", "boolean"), Feature("b", "number"), Feature("z", "number")))
    with pytest.raises(SchemaRefused) as caught:
        check_serves(deployed, needed, "schema.toml")
    assert "lacks what the model was trained with: a (number), b (integer)." in caught.value.detail


def test_a_schema_with_more_than_a_model_needs_serves_it() -> None:
    check_serves(FeatureSchema((Feature("z", "boolean"), A)), FeatureSchema((A,)), "schema.toml")
