from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from flagrank.settings import load_default_policy, load_schema
from flagrank.simulation.reports import BATCH_ROWS, simulate
from flagrank.triage.report_decoding import ReportDecoder

DEFAULT_POLICY = load_default_policy()

ROWS = 60_000
DAYS = 14.0
FEATURES = (
    "abuse_type",
    "report_text_len",
    "profile_rating",
    "popularity",
    "lifetime_matches_created",
)


def columns_of(rows: int, seed: int = 3, days: float = DAYS) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for batch in simulate(rows, seed, days):
        for name, values in batch.items():
            columns.setdefault(name, []).extend(values)
    return columns


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[Any]]:
    return columns_of(ROWS)


def moments(columns: dict[str, list[Any]]) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in columns["reported_at"]]


def test_every_column_has_every_row(simulated: dict[str, list[Any]]) -> None:
    assert list(simulated) == [
        "report_id",
        "reported_at",
        "reporter_id",
        "reported_id",
        "content_id",
        "exposure",
        *FEATURES,
        "reason",
        "actionable",
        "chance",
        "truth_bad",
        "truth_harm_per_view",
        "truth_visible_at",
        "truth_views",
        "truth_life_hours",
        "truth_burst_after_hours",
        "truth_burst_views",
        "truth_brigade",
    ]
    assert {len(values) for values in simulated.values()} == {ROWS}


def test_the_same_seed_makes_the_same_reports() -> None:
    assert columns_of(20_000, seed=8) == columns_of(20_000, seed=8)


def test_another_seed_makes_other_reports() -> None:
    one, other = columns_of(200, seed=8), columns_of(200, seed=9)
    for name in (
        "report_id",
        "reported_at",
        "report_text_len",
        "profile_rating",
        "chance",
    ):
        assert one[name] != other[name], name


def test_the_features_of_a_report_are_drawn_for_it_alone(simulated: dict[str, list[Any]]) -> None:
    counts = Counter(simulated["chance"])
    assert len(counts) > 0.9 * ROWS


def test_the_reports_on_one_target_agree_about_its_truth(simulated: dict[str, list[Any]]) -> None:
    truths = [name for name in simulated if name.startswith("truth_") and name != "truth_brigade"]
    known: dict[str, tuple[Any, ...]] = {}
    names = ("content_id", "abuse_type", "actionable", *truths)
    for target, *row in zip(simulated["reported_id"], *(simulated[name] for name in names), strict=True):
        assert known.setdefault(target, tuple(row)) == tuple(row)
    assert len(known) < 0.8 * ROWS


def test_reporters_report_again_and_some_are_nobody(simulated: dict[str, list[Any]]) -> None:
    counts = Counter(simulated["reporter_id"])
    assert counts.pop(None) / ROWS == pytest.approx(0.11, abs=0.02)
    assert max(counts.values()) > 20


def test_a_report_id_is_used_once_and_says_that_it_is_simulated(
    simulated: dict[str, list[Any]],
) -> None:
    assert len(set(simulated["report_id"])) == ROWS
    assert all(report_id.startswith("simulated-3-") for report_id in simulated["report_id"])


def test_values_are_those_of_the_default_schema(
    simulated: dict[str, list[Any]],
) -> None:
    assert set(simulated["abuse_type"]) == {"MSG", "PRF"}
    for name, kinds, highest in (
        ("report_text_len", {int}, 1_000_000),
        ("profile_rating", {float, type(None)}, 5),
        ("popularity", {float, type(None)}, 5),
        ("lifetime_matches_created", {int, type(None)}, 1_000_000_000),
    ):
        assert {type(value) for value in simulated[name]} == kinds
        known = [value for value in simulated[name] if value is not None]
        assert min(known) >= 0
        assert max(known) <= highest
    assert {type(value) for value in simulated["actionable"]} == {bool}


def test_the_server_would_take_them(simulated: dict[str, list[Any]]) -> None:
    decoder = ReportDecoder(load_schema(None), DEFAULT_POLICY.severities)
    names = [name for name in simulated if not name.startswith("truth_")]
    names = [name for name in names if name not in {"actionable", "chance"}]
    rows = zip(*(simulated[name][:10_000] for name in names), strict=True)
    reports = [dict(zip(names, row, strict=True)) for row in rows]
    for report in reports:
        for name in ("reason", "reporter_id"):
            if report[name] is None:
                del report[name]
    assert len(decoder.decode(msgspec.json.encode(reports), datetime.now(UTC))) == 10_000


def test_ratings_have_two_decimals(simulated: dict[str, list[Any]]) -> None:
    for name in ("profile_rating", "popularity"):
        assert all(value == round(value, 2) for value in simulated[name] if value is not None)


def test_reasons_are_those_of_the_default_policy_or_null(
    simulated: dict[str, list[Any]],
) -> None:
    shares = Counter(simulated["reason"])
    assert set(shares) == {
        *(
            "spam",
            "nudity",
            "other",
            "harassment",
            "scam",
            "hate",
            "threat",
            "self_harm",
            "minor_safety",
        ),
        None,
    }
    assert shares[None] / ROWS == pytest.approx(0.04, abs=0.01)
    assert shares["minor_safety"] < shares["spam"] / 5


def test_a_known_share_of_values_is_null(simulated: dict[str, list[Any]]) -> None:
    for name, share in (
        ("profile_rating", 0.09),
        ("popularity", 0.06),
        ("lifetime_matches_created", 0.15),
    ):
        assert simulated[name].count(None) / ROWS == pytest.approx(share, abs=0.01), name


def test_times_ascend_within_the_days_before_the_end(
    simulated: dict[str, list[Any]],
) -> None:
    times = moments(simulated)
    assert all(earlier <= later for earlier, later in pairwise(times))
    end = datetime(2026, 1, 1, tzinfo=UTC)
    assert end - timedelta(days=DAYS) <= times[0]
    assert end - timedelta(minutes=5) < times[-1] < end


@pytest.mark.parametrize("days", [0.001, 0.5, 3.25, 4000.0])
def test_any_span_ends_at_the_same_moment(days: float) -> None:
    times = moments(columns_of(3000, days=days))
    end = datetime(2026, 1, 1, tzinfo=UTC)
    span = timedelta(days=days)
    assert end - span - timedelta(milliseconds=1) <= times[0] < end - 0.8 * span
    assert end - 0.1 * span < times[-1] < end
    assert times == sorted(times)


@pytest.mark.parametrize("rows", [1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1])
def test_exactly_as_many_reports_come_as_asked_for(rows: int) -> None:
    columns = columns_of(rows)
    assert {len(values) for values in columns.values()} == {rows}
    assert columns["report_id"][-1] == f"simulated-3-{rows - 1}"
