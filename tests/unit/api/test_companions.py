import asyncio
from collections.abc import Sequence

import pytest
from msgspec import UNSET

from flagrank.api.companions import Challenge, Companions
from flagrank.telemetry import Metrics
from flagrank.triage.errors import FlagrankError, PackageRefused
from flagrank.triage.explanation import Explanation
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.lineup import ChallengerPart, Draw
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import Report, report_type

SCHEMA = FeatureSchema((Feature(name="length", type="number"),))
REPORT = report_type(SCHEMA)
REPORTS = [REPORT(f0=float(n), reported_id=f"id {n}") for n in range(100)]  # type: ignore[call-arg]


class LengthScorer:
    """A scorer whose scores are a multiple of the length; it fails where told to."""

    def __init__(self, version: str, factor: float, error: Exception | None = None) -> None:
        self.model = ModelIdentity("length", version)
        self.base_rate = int(version) / 10
        self._factor = factor
        self._error = error
        self.asked: list[int] = []

    async def score(self, reports: Sequence[Report]) -> list[float]:
        self.asked.append(len(reports))
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        return [self._factor * report.f0 for report in reports]  # type: ignore[attr-defined]

    def check_explainable(self, count: int) -> None:
        del count

    def explain(self, report: Report, score: float) -> Explanation:
        del report
        return Explanation(score, {}, self.model.version)


class Trial:
    """A champion, a challenger and a shadow, and what they heard."""

    def __init__(
        self, share: float | None = 0.4, ours: Exception | None = None, theirs: Exception | None = None
    ) -> None:
        self.champion = LengthScorer("1", 1.0, ours)
        self.challenger = LengthScorer("2", -1.0, theirs)
        self.heard: list[tuple[Sequence[Report], Sequence[float]]] = []
        self.metrics = Metrics().models
        challenge = None
        if share is not None:
            draw = Draw(self.challenger.model, share, SCHEMA, SCHEMA)
            self.picked = draw.pick(REPORTS)
            challenge = Challenge(self.challenger, self.challenger, draw)
        self.companions = Companions(
            self.champion,
            SCHEMA,
            challenge,
            lambda reports, scores, _: self.heard.append((reports, scores)),
            self.metrics,
        )

    def score(self, reports: list[Report] = REPORTS) -> tuple[list[float], object]:
        return asyncio.run(self.companions.score(reports))


def test_each_report_is_scored_by_the_one_model_that_it_belongs_to() -> None:
    trial = Trial()
    scores, part = trial.score()
    assert isinstance(part, ChallengerPart)
    assert (part.name, part.version, list(part.reports)) == ("length", "2", trial.picked)
    assert scores == [-float(n) if n in trial.picked else float(n) for n in range(100)]
    assert trial.champion.asked == [100 - len(trial.picked)]
    assert trial.challenger.asked == [len(trial.picked)]


def test_the_shadow_hears_the_champions_reports_only() -> None:
    trial = Trial()
    trial.score()
    ((reports, scores),) = trial.heard
    assert len(reports) == len(scores) == 100 - len(trial.picked)
    assert min(scores) >= 0


def test_with_a_shadow_alone_nothing_is_said_of_a_challenger() -> None:
    trial = Trial(share=None)
    assert trial.score() == ([float(n) for n in range(100)], UNSET)
    assert len(trial.heard) == 1


def test_where_the_challenger_takes_all_the_champion_is_asked_for_nothing_it_would_fail_on() -> None:
    trial = Trial(share=1.0)
    scores, _ = trial.score()
    assert scores == [-float(n) for n in range(100)]


def test_where_the_challenger_fails_the_champion_scores_all() -> None:
    trial = Trial(theirs=PackageRefused("It fails."))
    assert trial.score() == ([float(n) for n in range(100)], UNSET)


@pytest.mark.parametrize("error", [PackageRefused("It fails."), ZeroDivisionError()])
def test_where_the_champion_fails_so_does_the_request(error: Exception) -> None:
    with pytest.raises(type(error)):
        Trial(ours=error).score()


def test_a_defect_of_the_challenger_is_not_hidden() -> None:
    assert not issubclass(ZeroDivisionError, FlagrankError)
    with pytest.raises(ZeroDivisionError):
        Trial(theirs=ZeroDivisionError()).score()


def test_a_report_is_held_against_the_base_rate_of_who_scored_it() -> None:
    trial = Trial()
    _, part = trial.score()
    assert isinstance(part, ChallengerPart)
    assert trial.companions.find_base_rates(100, part) == [
        0.2 if n in trial.picked else 0.1 for n in range(100)
    ]
    assert trial.companions.find_base_rates(3, UNSET) == [0.1] * 3


def test_who_scored_explains() -> None:
    trial = Trial()
    _, part = trial.score()
    assert isinstance(part, ChallengerPart)
    explainers = trial.companions.find_explainers(trial.champion, 100, part)
    versions = [explainer.explain(REPORTS[0], 0.5).sentence for explainer in explainers]
    assert versions == ["2" if n in trial.picked else "1" for n in range(100)]
    assert set(trial.companions.find_explainers(trial.champion, 3, UNSET)) == {trial.champion}
