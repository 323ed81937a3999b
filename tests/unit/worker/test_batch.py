import random

import msgspec
import pytest

from flagrank.settings import load_default_policy
from flagrank.telemetry import Metrics
from flagrank.triage.case import gather_evidence
from flagrank.triage.errors import PackageRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.lineup import Lineup
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.priority import assess_case
from flagrank.triage.report import Report
from flagrank.triage.task import ClaimedTask, Lease
from flagrank.worker.batch import BatchScoring
from tests.case_reports import make_report
from tests.task_store import ago

DEFAULT_POLICY = load_default_policy()

SCHEMA = FeatureSchema((Feature(name="length", type="integer"),))


class LengthScorer:
    """A report's score is its length / 100; one of length 0 is more than it can take."""

    model = ModelIdentity("length", "7")
    schema = SCHEMA
    base_rate = 0.25

    def __init__(self, error: Exception) -> None:
        self.calls: list[int] = []
        self._error = error

    def score(self, reports: list[Report]) -> list[float]:
        self.calls.append(len(reports))
        lengths = [report.f0 for report in reports]  # type: ignore[attr-defined]
        if 0 in lengths:
            raise self._error
        return [length / 100 for length in lengths]


def claimed(task_id: str, *lengths: object, failed_attempts: int = 0, reason: str = "scam") -> ClaimedTask:
    reports = [{"report_id": "r", "length": length, "reason": reason} for length in lengths]
    return ClaimedTask(
        lease=Lease(task_id, 1),
        reports=msgspec.json.encode(reports),
        n_reports=len(reports),
        enqueue=True,
        submitted_at=ago(1),
        attempts=failed_attempts + 1,
        failed_attempts=failed_attempts,
    )


def scoring(error: Exception | None = None, max_attempts: int = 3) -> tuple[BatchScoring, LengthScorer]:
    scorer = LengthScorer(error or PackageRefused("model.onnx fails on valid rows. Export it again."))
    return BatchScoring(Lineup(scorer), DEFAULT_POLICY, max_attempts, Metrics().models), scorer


def test_all_tasks_of_a_claim_share_one_model_call() -> None:
    batch, scorer = scoring()
    outcome = batch.run([claimed("a", 10, 20), claimed("b", 30)])
    assert scorer.calls == [3]
    assert not outcome.failures
    first, second = outcome.completions
    assert (first.lease.task_id, first.scores, first.model) == ("a", [0.1, 0.2], LengthScorer.model)
    assert (second.lease.task_id, second.scores) == ("b", [0.3])
    alone = make_report(0.2, None, reason="scam", base_rate=LengthScorer.base_rate)
    assert first.priorities[1] == assess_case(gather_evidence([alone]), DEFAULT_POLICY).priority


def test_a_task_that_the_model_fails_on_fails_alone_and_is_tried_again() -> None:
    batch, _ = scoring()
    outcome = batch.run([claimed("a", 10), claimed("bad", 0), claimed("b", 30)])
    assert [one.lease.task_id for one in outcome.completions] == ["a", "b"]
    (failure,) = outcome.failures
    assert failure.lease.task_id == "bad"
    assert failure.error.code == "scoring_failed"
    assert "fails on valid rows" in failure.error.detail
    assert failure.retry_seconds is not None
    assert 0.5 <= failure.retry_seconds <= 1


def test_the_wait_doubles_and_the_last_attempt_is_final() -> None:
    batch, _ = scoring(max_attempts=4)
    waits = [
        batch.run([claimed("bad", 0, failed_attempts=failed)]).failures[0].retry_seconds
        for failed in range(4)
    ]
    assert waits[3] is None
    for failed, wait in enumerate(waits[:3]):
        assert wait is not None
        assert 2**failed / 2 <= wait <= 2**failed


def test_any_exception_is_the_task_s_own_failure() -> None:
    batch, _ = scoring(error=ZeroDivisionError("division by zero"))
    (failure,) = batch.run([claimed("bad", 0)]).failures
    assert "ZeroDivisionError: division by zero" in failure.error.detail


@pytest.mark.parametrize("value", ["long", None, [1]])
def test_reports_of_another_schema_fail_their_task_at_once_and_alone(value: object) -> None:
    batch, scorer = scoring()
    strange = msgspec.structs.replace(
        claimed("strange", 1), reports=msgspec.json.encode([{"report_id": "r"}])
    )
    other = strange if value is None else claimed("strange", value)
    outcome = batch.run([other, claimed("a", 10)])
    (failure,) = outcome.failures
    assert (failure.lease.task_id, failure.error.code, failure.retry_seconds) == (
        "strange",
        "schema_changed",
        None,
    )
    assert "`length`" in failure.error.detail or "$[0].length" in failure.error.detail
    assert [one.lease.task_id for one in outcome.completions] == ["a"]
    assert scorer.calls == [1]


def test_a_reason_that_the_policy_has_lost_since_ranks_as_the_fallback() -> None:
    batch, _ = scoring()
    outcome = batch.run([claimed("lost", 10, reason="forgotten"), claimed("other", 10, reason="other")])
    lost, other = outcome.completions
    assert lost.priorities == other.priorities


def test_every_task_of_a_claim_has_one_outcome() -> None:
    batch, _ = scoring()
    chance = random.Random(3)  # noqa: S311 - a test's
    tasks = [
        claimed(str(number), *[chance.choice([0, 5, "x"])], failed_attempts=chance.choice([0, 2]))
        for number in range(50)
    ]
    outcome = batch.run(tasks)
    leases = [one.lease for one in outcome.completions] + [one.lease for one in outcome.failures]
    ids = [lease.task_id for lease in leases]
    assert sorted(ids, key=int) == [str(number) for number in range(50)]
