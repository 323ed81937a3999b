"""Which reports of a case are explained, by whom, and when none is."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import msgspec

from flagrank.api.cases import MOST_EXPLAINED_REPORTS, CaseExplainer
from flagrank.api.explaining import MOST_EXPLAINED, Explaining
from flagrank.api.serving import Serving
from flagrank.settings import load_default_policy, load_schema
from flagrank.triage.errors import ExplanationRefused, PackageRefused
from flagrank.triage.explanation import Explanation
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import Report, feature_values
from flagrank.triage.report_decoding import ReportDecoder
from flagrank.triage.review import StoredReport
from tests.api.running_server import REPORT

CHAMPION = ModelIdentity("champion", "2")
AT = datetime(2026, 1, 5, tzinfo=UTC)


class LengthScorer:
    """Scores by the length of the text, and fails where it is 13."""

    model = CHAMPION
    base_rate = 0.1

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """Score."""
        lengths = feature_values(list(reports), 1)
        if 13 in lengths:
            raise PackageRefused("model.onnx fails on valid rows. Export the model again.")
        return [length / 100 for length in lengths]


class RepeatingExplainer:
    """Says the score that it was given."""

    def __init__(self, most: int = 10) -> None:
        self.most = most

    def check_explainable(self, count: int) -> None:
        """Refuse more than it may."""
        if count > self.most:
            raise ExplanationRefused("These are too many. Send fewer.")

    def explain(self, report: Report, score: float) -> Explanation:
        """Explain."""
        del report
        return Explanation(score, {}, f"scored {score}")


def stored(length: object, **fields: Any) -> StoredReport:  # noqa: ANN401 - any JSON value
    """A report that another model has scored .9."""
    return StoredReport(
        report_id="r",
        reporter_id=None,
        received_at=AT,
        made_at=AT,
        reason=None,
        exposure=None,
        score=0.9,
        record=0.0,
        model=ModelIdentity("old", "1"),
        is_answered=False,
        fields=REPORT | {"report_text_len": length} | fields,
        content_text=None,
    )


def explain(
    *reports: StoredReport,
    explainer: RepeatingExplainer | None = None,
    n_busy: int = 0,
    has_model: bool = True,
) -> tuple[list[str | None], ModelIdentity | None]:
    """The sentences, and whose they are, while so many others are explained to."""
    schema, policy = load_schema(None), load_default_policy()
    serving = Serving(
        LengthScorer(),
        schema,
        policy,
        ReportDecoder(schema, policy.severities),
        explainer or RepeatingExplainer(),
    )
    with ThreadPoolExecutor(1) as executor, ExitStack() as others:
        explaining = Explaining(executor)
        for _ in range(n_busy):
            others.enter_context(explaining.take_turns())
        asked = CaseExplainer(lambda: serving if has_model else None, explaining).explain(reports)
        explanations, model = asyncio.run(asked)
    return [None if one is None else one.sentence for one in explanations], model


def test_the_strongest_reports_are_explained_by_the_champion_s_own_scores() -> None:
    reports = [stored(10 * number) for number in range(9, 2, -1)]
    sentences, model = explain(*reports)
    assert sentences[:MOST_EXPLAINED_REPORTS] == [f"scored 0.{number}" for number in range(9, 4, -1)]
    assert sentences[MOST_EXPLAINED_REPORTS:] == [None, None]
    assert model == CHAMPION


def test_what_the_schema_of_today_does_not_read_is_left_out() -> None:
    gone = stored(20, abuse_type="VID")
    lacking = msgspec.structs.replace(stored(20), fields={"abuse_type": "MSG", "report_text_len": 20})
    assert explain(gone, stored(30), lacking, stored(40)) == (
        [None, "scored 0.3", None, "scored 0.4"],
        CHAMPION,
    )
    assert explain(gone, lacking) == ([None, None], None)


def test_a_field_that_is_no_feature_does_not_matter() -> None:
    odd = stored(30, reason="a reason of another policy", reported_at="2999-01-01T00:00:00Z", gone=1)
    assert explain(odd) == (["scored 0.3"], CHAMPION)


def test_a_case_is_shown_where_nothing_can_be_explained() -> None:
    reports = [stored(30), stored(40)]
    nothing = ([None, None], None)
    assert explain(*reports, has_model=False) == nothing
    assert explain(*reports, explainer=RepeatingExplainer(1)) == nothing
    assert explain(*reports, n_busy=MOST_EXPLAINED) == nothing
    assert explain(stored(13), stored(40)) == nothing
    assert explain(*reports, n_busy=MOST_EXPLAINED - 1)[1] == CHAMPION
    assert explain() == ([], None)
