"""The example of any schema is a report that its decoder takes."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flagrank.api.report_description import describe_report, make_example
from flagrank.triage.feature_schema import Feature, FeatureSchema, check_schema
from flagrank.triage.report import CONTEXT_FIELDS
from flagrank.triage.report_decoding import ReportDecoder

CHARACTERS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\')
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20)
NAMES = TEXTS.filter(lambda name: name not in CONTEXT_FIELDS)
FLAGS = {"nullable": st.booleans(), "optional": st.booleans()}
NUMBERS = st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=2).map(sorted).map(tuple)
FEATURES = st.one_of(
    st.builds(Feature, NAMES, st.just("boolean"), **FLAGS),
    st.builds(Feature, NAMES, st.sampled_from(["integer", "number"]), range=st.none() | NUMBERS, **FLAGS),
    st.builds(
        Feature,
        NAMES,
        st.just("category"),
        values=st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(tuple),
        open=st.booleans(),
        **FLAGS,
    ),
    st.builds(Feature, NAMES, st.just("category"), open=st.just(value=True), **FLAGS),
)
SCHEMAS = st.lists(FEATURES, min_size=1, max_size=5, unique_by=lambda feature: feature.name).map(
    lambda features: FeatureSchema(tuple(features))
)


@given(SCHEMAS)
def test_the_example_of_a_schema_is_a_report(schema: FeatureSchema) -> None:
    check_schema(schema, "generated", CONTEXT_FIELDS)
    body = msgspec.json.encode([make_example(schema)])
    assert len(ReportDecoder(schema, ["scam"]).decode(body, datetime.now(UTC))) == 1


@given(SCHEMAS)
def test_every_feature_is_described_by_its_name(schema: FeatureSchema) -> None:
    described = describe_report(schema, ["scam"])
    assert [*schema.names, *CONTEXT_FIELDS] == list(described["properties"])
    assert described["required"] == [feature.name for feature in schema.feature if not feature.optional]
