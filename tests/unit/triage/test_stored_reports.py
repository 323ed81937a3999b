import pytest

from flagrank.triage.errors import InvalidReports
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.report import feature_values
from flagrank.triage.stored_reports import StoredReportDecoder

SCHEMA = FeatureSchema(
    (
        Feature(name="kind", type="category", values=("MSG", "PRF")),
        Feature(name="rating", type="number", range=(0, 5), nullable=True),
        Feature(name="matches", type="integer", optional=True),
        Feature(name="paying", type="boolean", optional=True),
    )
)


def read(body: bytes) -> list[list[object]]:
    reports = StoredReportDecoder(SCHEMA).decode(body)
    return [feature_values(reports, position) for position in range(4)]


def test_features_that_the_model_does_not_know_are_left_out() -> None:
    assert read(b'[{"kind": "MSG", "rating": 2, "age": 3, "report_id": "r1"}]') == [
        ["MSG"],
        [2],
        [None],
        [None],
    ]


def test_values_were_checked_by_the_schema_they_came_by() -> None:
    body = b'[{"kind": "ACC", "rating": 7.5, "matches": 12.0, "paying": true}]'
    assert read(body) == [["ACC"], [7.5], [12], [True]]


def test_context_that_ranks_is_read() -> None:
    (report,) = StoredReportDecoder(SCHEMA).decode(
        b'[{"kind": "MSG", "rating": null, "reason": "scam", "exposure": 3}]'
    )
    assert (report.reason, report.exposure) == ("scam", 3)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'[{"kind": "MSG"}]', "rating"),
        (b'[{"kind": 3, "rating": 1}]', "kind"),
        (b'[{"kind": "MSG", "rating": "high"}]', "rating"),
        (b'[{"kind": "MSG", "rating": 1, "paying": 1}]', "paying"),
    ],
)
def test_a_feature_that_is_missing_or_of_another_type_is_named(body: bytes, place: str) -> None:
    with pytest.raises(InvalidReports, match=place):
        read(body)
