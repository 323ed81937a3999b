"""What the lead's page says: numbers in words, tables that plots are drawn from, agreement."""

from datetime import UTC, datetime, timedelta

import pytest

from flagrank.console.lead_view import (
    MOST_NAMES,
    LeadView,
    PlotTable,
    describe_queue,
    tell_interval,
    tell_share,
)
from flagrank.settings import load_default_policy
from flagrank.triage.estimates import Estimate, Floor, SliceCase
from flagrank.triage.outlook import DueCases
from flagrank.triage.review_statistics import (
    Backlog,
    BacklogCell,
    HourFlow,
    RulingCount,
    Rulings,
    SliceReading,
)

NOW = datetime(2026, 3, 8, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
FLOW = tuple(HourFlow(NOW - (168 - n) * HOUR, 3, 2) for n in range(168))


def backlog(
    cells: tuple[BacklogCell, ...] = (),
    due: tuple[DueCases, ...] = (),
    n_decided: int = 48,
    n_escalated: int = 0,
) -> Backlog:
    return Backlog(
        counted_at=NOW,
        cells=cells,
        due=due,
        n_escalated=n_escalated,
        oldest_escalated_at=NOW - 30 * HOUR if n_escalated else None,
        n_decided=n_decided,
        first_decided_at=NOW - 24 * HOUR if n_decided else None,
    )


def ruling(moderator: str, reason: str = "spam", **counts: int) -> RulingCount:
    numbers = {"n_final": 0, "n_undone": 0, "n_overruled": 0, "n_escalated": 0, **counts}
    return RulingCount(moderator, reason, **numbers)


def describe(
    of: Backlog | None = None, rulings: tuple[RulingCount, ...] = (), cases: tuple[SliceCase, ...] = ()
) -> LeadView:
    reading = SliceReading(NOW - 168 * HOUR, NOW, cases, (Floor(NOW, 1.0),) if cases else ())
    return describe_queue(of or backlog(), FLOW, Rulings(NOW, rulings), reading, load_default_policy())


def find_plot(view: LeadView, name: str) -> PlotTable:
    (plot,) = (plot for plot in view.plots if plot.name == name)
    return plot


@pytest.mark.parametrize(
    ("share", "told"), [(0.0, "0"), (0.004, "0.4"), (0.0912, "9.1"), (0.123, "12"), (1.0, "100")]
)
def test_a_share_has_as_many_digits_as_matter(share: float, told: str) -> None:
    assert tell_share(share) == f"{told}\N{NO-BREAK SPACE}%"


def test_an_interval_names_the_unit_once() -> None:
    assert tell_interval(Estimate(0.12, 0.091, 0.16, 300)) == "9.1 to 16\N{NO-BREAK SPACE}%"


def test_severities_stand_where_deadlines_change() -> None:
    cells = (BacklogCell(0, 1.0, 5), BacklogCell(0, 2.0, 2), BacklogCell(4, 12.0, 3), BacklogCell(4, 25.0, 1))
    plot = find_plot(describe(backlog(cells)), "backlog")
    assert plot.series == (
        "severity below 4",
        "severity 4 to below 12",
        "severity 12 to below 25",
        "severity 25 and more",
    )
    assert [row.values for row in plot.rows] == [(7, 0, 0, 0), (0,) * 4, (0,) * 4, (0,) * 4, (0, 0, 3, 1)]
    assert [row.head for row in plot.rows] == [
        "under 1 h",
        "1 h to 4 h",
        "4 h to 1 d",
        "1 d to 3 d",
        "over 3 d",
    ]
    assert plot.told == "11 open cases; 4 came in more than 3 d ago; 1 of severity 25 and more."


def test_lost_deadlines_are_told_with_the_first() -> None:
    due = (DueCases(NOW, 4), DueCases(NOW + 2 * HOUR, 7))
    view = describe(backlog(due=due))
    plot = find_plot(view, "deadlines")
    assert plot.told == (
        "4 open cases are over their deadline. At the pace of the last 24 hours, 2 decisions an hour, "
        "at least 3 more will be missed, the first at 2026-03-08 14:30 UTC, whatever goes first."
    )
    assert [(row.head, *row.values) for row in plot.rows] == [
        ("in 0 h", 0, 0),
        ("in 1 h", 0, 2),
        ("in 2 h", 7, 4),
    ]
    figures = {figure.label: (figure.value, figure.note) for figure in view.figures}
    assert figures["Can't be met in time"] == ("3", "the first is due in 2 h")
    assert figures["Over their deadline"] == ("4", "")


def test_deadlines_far_ahead_take_no_more_rows() -> None:
    plot = find_plot(describe(backlog(due=(DueCases(NOW + 700 * HOUR, 1),))), "deadlines")
    assert len(plot.rows) <= 26
    assert plot.rows[-1].values[0] == 1


def test_what_all_can_be_met_is_told_as_such() -> None:
    told = find_plot(describe(backlog(due=(DueCases(NOW, 1), DueCases(NOW + HOUR, 1)))), "deadlines").told
    assert told.startswith("1 open case is over its deadline.")
    assert told.endswith("all others could be met, if the soonest went first.")


def test_escalated_cases_are_capped_in_words() -> None:
    for number, told in ((3, "3"), (10_001, "over 10,000")):
        figures = {figure.label: figure for figure in describe(backlog(n_escalated=number)).figures}
        assert figures["Escalated"].value == told
        assert figures["Escalated"].note == "the oldest came in 1 d 6 h ago"


def test_arrivals_stand_beside_decisions() -> None:
    plot = find_plot(describe(), "flow")
    assert plot.told == "In the last 7 days 504 cases came in, and 336 decisions were taken."
    assert plot.rows[0].values == (3, 2)


def test_the_blind_slice_is_told_in_words() -> None:
    cases = tuple(SliceCase(NOW - HOUR, 0.05, 2.0 - n % 2 * 1.5, n % 4 == 0) for n in range(400))
    told = [row.told.replace("\N{NO-BREAK SPACE}", " ") for row in describe(cases=cases).estimates]
    assert told == [
        "Of the cases that came in, 25 % (21 to 30 %) deserved action.",
        "Of the cases that the ranking reached, 50 % (43 to 57 %) deserved action.",
        "Of the cases that deserved action, the ranking reached 100 % (96 to 100 %).",
    ]


def test_the_page_tells_since_when_it_counts() -> None:
    view = describe()
    assert view.slice_span == (NOW - 168 * HOUR, NOW)
    assert view.rulings_since == NOW


def test_of_an_empty_slice_nobody_can_tell() -> None:
    for row in describe().estimates:
        assert row.estimate is None
        assert row.told.endswith("nobody can tell yet: no such case of the blind slice is decided.")


def test_agreement_leaves_out_what_was_taken_back() -> None:
    counts = (
        ruling("ann", "spam", n_final=10, n_undone=2, n_overruled=2),
        ruling("ann", "hate", n_final=4, n_escalated=1),
        ruling("bo", "hate", n_escalated=3),
    )
    by_moderator, by_reason = describe(rulings=counts).agreements
    ann, bo = by_moderator.rows
    assert (ann.name, ann.n_final, ann.n_undone, ann.n_overruled, ann.n_escalated) == ("ann", 14, 2, 2, 1)
    assert ann.agreement is not None
    assert ann.agreement.share == pytest.approx(10 / 12)
    assert ann.agreement.n_cases == 12
    assert bo.agreement is None
    assert [row.name for row in by_reason.rows] == ["spam", "hate"]


def test_of_many_names_those_with_most_decisions_are_shown() -> None:
    counts = tuple(ruling(f"m{n}", n_final=n) for n in range(MOST_NAMES + 7))
    by_moderator, _ = describe(rulings=counts).agreements
    assert len(by_moderator.rows) == MOST_NAMES
    assert by_moderator.n_further == 7
    assert by_moderator.rows[0].name == f"m{MOST_NAMES + 6}"
