"""A case is what its reports say together: free of their order, monotone, bounded, of constant size."""

import math
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flagrank.settings import load_default_policy
from flagrank.triage.case import (
    MOST_GROUNDS,
    CaseReport,
    Evidence,
    Voice,
    add_report,
    gather_evidence,
    make_voice,
)
from flagrank.triage.policy import Policy, PoolCoefficients
from flagrank.triage.priority import assess_case, pool_scores, prioritise_alone
from tests.case_reports import START, at, make_report

DEFAULT_POLICY = load_default_policy()

scores = st.floats(0, 1) | st.sampled_from([0.0, 1e-300, 0.5, math.nextafter(1.0, 0.0), 1.0])
base_rates = st.floats(0.001, 0.999)
records = st.floats(-8, 8)
reporters = st.none() | st.sampled_from(["ann", "bob", "cid", "dee"])
reasons = st.none() | st.sampled_from([*DEFAULT_POLICY.severities, "of an older policy"])
abuse_types = st.none() | st.sampled_from(["MSG", "PRF", "ELSE"])
exposures = st.none() | st.floats(0, 1e9)
moments = st.floats(0, 1e6).map(at)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """The default policy with any pool."""
    slope, coefficient = st.floats(0, 100), st.floats(-100, 100)
    pool = st.builds(PoolCoefficients, coefficient, slope, slope, coefficient, slope)
    return replace(DEFAULT_POLICY, pool=draw(pool))


@st.composite
def reports(draw: st.DrawFn, least: int = 1) -> list[CaseReport]:
    """Reports of one case, no two received at the same time, in any order; those of nobody have no record."""
    found = []
    for received_at in draw(st.lists(moments, min_size=least, max_size=12, unique=True)):
        reporter = draw(reporters)
        voice = make_voice(draw(scores), draw(base_rates), draw(records) if reporter else 0.0)
        found.append(
            CaseReport(
                voice=voice,
                received_at=received_at,
                made_at=draw(moments),
                reporter=reporter,
                reason=draw(reasons),
                abuse_type=draw(abuse_types),
                exposure=draw(exposures),
            )
        )
    return found


def with_score(report: CaseReport, score: float, base_rate: float) -> CaseReport:
    return replace(report, voice=make_voice(score, base_rate, report.voice.record))


@given(reports(), policies(), st.data())
def test_the_order_of_arrival_leaves_no_trace(
    given_reports: list[CaseReport], policy: Policy, data: st.DataObject
) -> None:
    evidence = gather_evidence(given_reports)
    shuffled = gather_evidence(data.draw(st.permutations(given_reports)))
    assert shuffled == evidence
    assert assess_case(shuffled, policy) == assess_case(evidence, policy)


@given(reports())
def test_the_sums_are_those_of_each_reporter_s_voice(given_reports: list[CaseReport]) -> None:
    voices: dict[str | None, list[Voice]] = {}
    for report in given_reports:
        voices.setdefault(report.reporter, []).append(report.voice)
    evidence = gather_evidence(given_reports)
    assert evidence.n_reports == len(given_reports)
    assert evidence.n_reporters == len(voices)
    assert evidence.max_log_odds == max(voice.log_odds for said in voices.values() for voice in said)
    assert evidence.sum_weight == math.fsum(max(voice.weight for voice in said) for said in voices.values())
    assert evidence.sum_record == math.fsum(max(voice.record for voice in said) for said in voices.values())


@given(reports(), policies(), st.tuples(scores, scores), base_rates, st.data())
def test_a_higher_score_of_any_report_never_lowers_its_case(
    given_reports: list[CaseReport],
    policy: Policy,
    pair: tuple[float, float],
    base_rate: float,
    data: st.DataObject,
) -> None:
    index = data.draw(st.integers(0, len(given_reports) - 1))
    low, high = sorted(pair)
    lower, higher = given_reports.copy(), given_reports.copy()
    lower[index] = with_score(given_reports[index], low, base_rate)
    higher[index] = with_score(given_reports[index], high, base_rate)
    before, after = assess_case(gather_evidence(lower), policy), assess_case(gather_evidence(higher), policy)
    assert after.score >= before.score
    assert after.priority >= before.priority


@given(reports(), policies())
def test_what_is_made_of_any_case_is_bounded(given_reports: list[CaseReport], policy: Policy) -> None:
    standing = assess_case(gather_evidence(given_reports), policy)
    assert 0 < standing.score < 1
    assert 1 <= standing.severity <= 25
    assert 0 <= standing.exposure <= 1e9
    assert 0 < standing.priority < math.inf
    first = min(report.received_at for report in given_reports)
    assert first + timedelta(hours=1) <= standing.deadline_at <= first + timedelta(hours=72)


@given(reports(), st.lists(scores, min_size=1, max_size=30), base_rates, policies())
def test_an_anonymous_crowd_weighs_as_its_loudest_voice_alone(
    given_reports: list[CaseReport], crowd: list[float], base_rate: float, policy: Policy
) -> None:
    voices = [make_voice(score, base_rate) for score in crowd]
    named = [replace(report, reporter=report.reporter or "ann") for report in given_reports]
    anonymous = [
        replace(make_report(minutes=2e6 + minute), voice=voice) for minute, voice in enumerate(voices)
    ]
    loudest = replace(anonymous[0], voice=make_voice(max(crowd), base_rate))
    together = gather_evidence([*named, *anonymous])
    alone = gather_evidence([*named, loudest])
    assert pool_scores(together, policy.pool) == pool_scores(alone, policy.pool)
    assert together.n_reporters == alone.n_reporters == gather_evidence(named).n_reporters + 1


@given(reports(), st.data(), policies())
def test_the_same_report_again_and_again_changes_no_score(
    given_reports: list[CaseReport], data: st.DataObject, policy: Policy
) -> None:
    evidence = gather_evidence(given_reports)
    again = data.draw(st.lists(st.sampled_from(given_reports), max_size=10))
    assert pool_scores(gather_evidence([*given_reports, *again]), policy.pool) == pool_scores(
        evidence, policy.pool
    )


@given(reports(least=2), policies())
def test_another_report_never_lowers_the_severity_nor_puts_off_the_deadline(
    given_reports: list[CaseReport], policy: Policy
) -> None:
    before = assess_case(gather_evidence(given_reports[:-1]), policy)
    after = assess_case(gather_evidence(given_reports), policy)
    assert after.severity >= before.severity
    assert after.deadline_at <= before.deadline_at


@given(st.lists(st.tuples(scores, reasons, abuse_types, exposures, base_rates), max_size=10), policies())
def test_a_report_alone_has_the_priority_of_its_case_to_the_bit(
    told: list[tuple[float, str | None, str | None, float | None, float]], policy: Policy
) -> None:
    cases = [
        CaseReport(
            voice=make_voice(score, base_rate),
            received_at=START,
            made_at=START,
            reason=reason,
            abuse_type=abuse_type,
            exposure=exposure,
        )
        for score, reason, abuse_type, exposure, base_rate in told
    ]
    *columns, rates = ([one[column] for one in told] for column in range(5))
    assert prioritise_alone(*columns, base_rates=rates, policy=policy) == [  # type: ignore[arg-type]
        assess_case(gather_evidence([case]), policy).priority for case in cases
    ]


def test_the_ten_thousandth_report_finds_a_case_no_larger_than_the_hundredth_and_sums_as_exact() -> None:
    evidence: Evidence | None = None
    sizes = []
    weights = []
    for n in range(10_000):
        report = make_report(
            0.1 + n / 20_000,
            f"r{n}",
            n,
            record=0.1,
            reason="spam",
            abuse_type=f"word {n % 500}",
            exposure=5.0,
        )
        evidence = add_report(evidence, report, None)
        weights.append(report.voice.weight)
        sizes.append(len(msgspec.json.encode(evidence)))
    assert evidence is not None
    assert len(evidence.grounds) == MOST_GROUNDS + 1
    assert sizes[-1] <= 1.02 * sizes[99]
    assert evidence.sum_weight == math.fsum(weights)
    assert evidence.n_reporters == 10_000
