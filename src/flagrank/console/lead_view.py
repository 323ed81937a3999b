"""What the lead's page shows, in words and as the tables that its plots are drawn from."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil

import msgspec

from flagrank.console.deadlines import tell_span
from flagrank.triage.estimates import Estimate, SliceEstimates, estimate_from_slice, estimate_share
from flagrank.triage.outlook import Outlook
from flagrank.triage.policy import Policy
from flagrank.triage.review_statistics import (
    AGE_BANDS,
    MOST_ESCALATED,
    Backlog,
    HourFlow,
    RulingCount,
    Rulings,
    SliceReading,
)

MOST_NAMES = 50  # moderators or reasons in a table
_MOST_STEPS = 24  # of the plot of deadlines
_DAY_HOURS = 24
_HOUR = timedelta(hours=1)


class Figure(msgspec.Struct, frozen=True):
    """A number in large, and what there is to say of it."""

    label: str
    value: str
    note: str = ""


class PlotRow(msgspec.Struct, frozen=True):
    """What stands at one place of the axis."""

    head: str
    values: tuple[int, ...]


class PlotTable(msgspec.Struct, frozen=True, kw_only=True):
    """A plot as the table behind it; `told` says it in words, `kind` is `bars` or `lines`."""

    name: str
    title: str
    told: str
    kind: str
    axis: str
    series: tuple[str, ...]
    rows: tuple[PlotRow, ...]


class EstimateRow(msgspec.Struct, frozen=True):
    """A share of the blind slice; `told` is a sentence."""

    name: str
    told: str
    estimate: Estimate | None


class AgreementRow(msgspec.Struct, frozen=True):
    """How often decisions stood, of all but those that their makers took back; None where there is none."""

    name: str
    n_final: int
    n_overruled: int
    n_undone: int
    n_escalated: int
    agreement: Estimate | None


class AgreementTable(msgspec.Struct, frozen=True):
    """Rows by the number of decisions, and how many further names there are."""

    by: str
    rows: tuple[AgreementRow, ...]
    n_further: int


class LeadView(msgspec.Struct, frozen=True, kw_only=True):
    """All of the page."""

    counted_at: datetime
    figures: tuple[Figure, ...]
    slice_span: tuple[datetime, datetime]
    estimates: tuple[EstimateRow, ...]
    plots: tuple[PlotTable, ...]
    rulings_since: datetime
    agreements: tuple[AgreementTable, ...]


def describe_queue(
    backlog: Backlog,
    flow: Sequence[HourFlow],
    rulings: Rulings,
    reading: SliceReading,
    policy: Policy,
) -> LeadView:
    """The page of a queue."""
    outlook = backlog.foresee()
    return LeadView(
        counted_at=backlog.counted_at,
        figures=tuple(_list_figures(backlog, flow, outlook)),
        slice_span=(reading.begin, reading.end),
        estimates=_tell_estimates(estimate_from_slice(reading.cases, reading.floors)),
        plots=(_plot_backlog(backlog, policy), _plot_deadlines(backlog, outlook), _plot_flow(flow)),
        rulings_since=rulings.since,
        agreements=(
            _table_agreement("Moderator", rulings.counts, lambda count: count.moderator),
            _table_agreement("Reason", rulings.counts, lambda count: count.reason),
        ),
    )


def tell_share(share: float) -> str:
    """A share as a percentage in as many digits as anybody acts on."""
    percent = 100 * share
    digits = 1 if 0 < percent < 10 else 0
    return f"{percent:.{digits}f}\N{NO-BREAK SPACE}%"


def tell_interval(estimate: Estimate) -> str:
    """The ends of an interval: `9.1 to 16 %`."""
    low = tell_share(estimate.low).removesuffix("\N{NO-BREAK SPACE}%")
    return f"{low} to {tell_share(estimate.high)}"


def _list_figures(backlog: Backlog, flow: Sequence[HourFlow], outlook: Outlook) -> Iterable[Figure]:
    day = flow[-_DAY_HOURS:]
    n_escalated = "over 10,000" if backlog.n_escalated >= MOST_ESCALATED else f"{backlog.n_escalated:,}"
    oldest = backlog.oldest_escalated_at
    waited = "" if oldest is None else f"the oldest came in {tell_span(backlog.counted_at - oldest)} ago"
    first = outlook.first_lost_at
    due = "" if first is None else f"the first is due in {tell_span(first - backlog.counted_at)}"
    yield Figure("Open cases", f"{backlog.n_open:,}")
    yield Figure("Over their deadline", f"{outlook.n_over:,}")
    yield Figure("Can't be met in time", f"{outlook.n_lost:,}", due)
    yield Figure("Escalated", n_escalated, waited)
    yield Figure("Came in, 24 hours", f"{sum(hour.n_arrived for hour in day):,}")
    yield Figure("Decided, 24 hours", f"{backlog.n_decided:,}", f"{_tell_pace(outlook.per_hour)} an hour")


def _tell_estimates(estimates: SliceEstimates) -> tuple[EstimateRow, ...]:
    acted, reached = "deserved action", "the ranking reached"
    return (
        _tell_estimate("Prevalence", f"Of the cases that came in, {{}} {acted}.", estimates.prevalence),
        _tell_estimate("Precision", f"Of the cases that {reached}, {{}} {acted}.", estimates.precision),
        _tell_estimate("Recall", f"Of the cases that {acted}, {reached} {{}}.", estimates.recall),
    )


def _tell_estimate(name: str, sentence: str, estimate: Estimate | None) -> EstimateRow:
    if estimate is None:
        told = f"{name}: nobody can tell yet: no such case of the blind slice is decided."
    else:
        told = sentence.format(f"{tell_share(estimate.share)} ({tell_interval(estimate)})")
    return EstimateRow(name, told, estimate)


def _plot_backlog(backlog: Backlog, policy: Policy) -> PlotTable:
    begins = [rule.from_severity for rule in policy.deadlines]
    ends = [*begins[1:], None]
    names = tuple(
        f"below {end:g}"
        if begin == 0
        else f"{begin:g} and more"
        if end is None
        else f"{begin:g} to below {end:g}"
        for begin, end in zip(begins, ends, strict=True)
    )
    counts = [[0] * len(begins) for _ in range(len(AGE_BANDS) + 1)]
    for cell in backlog.cells:
        kind = sum(cell.severity >= begin for begin in begins) - 1
        counts[cell.band][kind] += cell.n_cases
    edges = [tell_span(edge) for edge in AGE_BANDS]
    heads = [
        f"under {edges[0]}",
        *(f"{a} to {b}" for a, b in pairwise(edges)),
        f"over {edges[-1]}",
    ]
    old, gravest = sum(counts[-1]), sum(row[-1] for row in counts)
    return PlotTable(
        name="backlog",
        title="Backlog by age and severity",
        told=f"{_count(backlog.n_open, 'open case')}; {old:,} came in more than {edges[-1]} ago; "
        f"{gravest:,} of severity {names[-1]}.",
        kind="bars",
        axis="Age",
        series=tuple(f"severity {name}" for name in names),
        rows=tuple(PlotRow(head, tuple(row)) for head, row in zip(heads, counts, strict=True)),
    )


def _plot_flow(flow: Sequence[HourFlow]) -> PlotTable:
    n_arrived, n_decided = (sum(getattr(hour, name) for hour in flow) for name in ("n_arrived", "n_decided"))
    return PlotTable(
        name="flow",
        title="Arrivals against decisions",
        told=f"In the last {len(flow) // _DAY_HOURS} days {_count(n_arrived, 'case')} came in, and "
        f"{_count(n_decided, 'decision')} {'was' if n_decided == 1 else 'were'} taken.",
        kind="lines",
        axis="Hour (UTC)",
        series=("came in", "decided"),
        rows=tuple(
            PlotRow(f"{hour.begins_at:%m-%d %H:%M}", (hour.n_arrived, hour.n_decided)) for hour in flow
        ),
    )


def _plot_deadlines(backlog: Backlog, outlook: Outlook) -> PlotTable:
    """How many deadlines end until then, and how many cases are decided until then at this pace."""
    now = backlog.counted_at
    ahead = [cases for cases in backlog.due if cases.due_at > now]
    hours = max(1, ceil(max((cases.due_at - now for cases in ahead), default=_HOUR) / _HOUR))
    step = ceil(hours / _MOST_STEPS)
    rows = []
    for until in range(0, hours + step, step):
        n_due = sum(cases.n_cases for cases in ahead if cases.due_at <= now + until * _HOUR)
        rows.append(PlotRow(f"in {until} h", (n_due, int(outlook.per_hour * until))))
    return PlotTable(
        name="deadlines",
        title="Deadlines ahead",
        told=_tell_outlook(outlook),
        kind="lines",
        axis="Until",
        series=("deadlines that end until then", "decisions until then, at this pace"),
        rows=tuple(rows),
    )


def _tell_outlook(outlook: Outlook) -> str:
    one = outlook.n_over == 1
    are_over = "is over its deadline" if one else "are over their deadline"
    over = f"{_count(outlook.n_over, 'open case')} {are_over}."
    pace = f"At the pace of the last 24 hours, {_tell_pace(outlook.per_hour)} decisions an hour,"
    if outlook.first_lost_at is None:
        return f"{over} {pace} all others could be met, if the soonest went first."
    first = f"the first at {outlook.first_lost_at:%Y-%m-%d %H:%M} UTC"
    return f"{over} {pace} at least {outlook.n_lost:,} more will be missed, {first}, whatever goes first."


def _table_agreement(
    by: str, counts: Iterable[RulingCount], name_of: Callable[[RulingCount], str]
) -> AgreementTable:
    by_name: dict[str, list[RulingCount]] = {}
    for count in counts:
        by_name.setdefault(name_of(count), []).append(count)
    rows = sorted(
        (_sum_rulings(name, found) for name, found in by_name.items()),
        key=lambda row: (-row.n_final, -row.n_escalated, row.name),
    )
    return AgreementTable(by, tuple(rows[:MOST_NAMES]), max(len(rows) - MOST_NAMES, 0))


def _sum_rulings(name: str, counts: Sequence[RulingCount]) -> AgreementRow:
    n_final = sum(count.n_final for count in counts)
    n_overruled = sum(count.n_overruled for count in counts)
    n_undone = sum(count.n_undone for count in counts)
    n_stood = n_final - n_overruled - n_undone
    return AgreementRow(
        name,
        n_final,
        n_overruled,
        n_undone,
        n_escalated=sum(count.n_escalated for count in counts),
        agreement=estimate_share([(1.0, True)] * n_stood + [(1.0, False)] * n_overruled),
    )


def _tell_pace(per_hour: float) -> str:
    return f"{per_hour:,.0f}" if per_hour >= 10 or per_hour == 0 else f"{per_hour:.2g}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
