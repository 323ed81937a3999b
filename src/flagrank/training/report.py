"""The report of a training: one HTML page that needs nothing else, for who decides on the model."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jinja2
import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.scoring.curves import bin_by_count, bin_by_width
from flagrank.training import plots
from flagrank.training.calibration import Calibration
from flagrank.training.curves import Band, Ranking, cut_ranking, trace_ranking
from flagrank.training.feature_facts import describe_features
from flagrank.training.metrics import Measure, Metrics
from flagrank.triage.feature_schema import FeatureSchema

_MOST_WARNINGS = 50
"""More would hide each other, and a report of a thousand features would outgrow its package."""

_SHARES = {
    "average_precision",
    "calibration_error",
    "precision_at_5_percent",
    "recall_at_20_percent",
    "filter_rate_at_recall_75",
}


class Rounds(msgspec.Struct, frozen=True):
    """How many rounds a fit was given, and why so many."""

    name: str
    """What a round is: tree, epoch."""

    chosen: int
    curves: NDArray[np.float64]  # (k, rounds), out-of-fold log loss by fold


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a training found; `labels`, `scores` and `entities` are those of the rows scored out of fold."""

    model_name: str
    architecture: str
    target: str
    made_at: str
    schema: FeatureSchema
    split: str
    """One sentence: how rows were held out."""

    labels: NDArray[np.int8]  # (n,)
    scores: NDArray[np.float64]  # (n,), in (0, 1)
    entities: NDArray[np.intp]  # (n,)
    metrics: Metrics
    data: Matrix  # (m, f), all rows
    warnings: tuple[str, ...]
    importances: dict[str, float]
    """Shares of 1, by name of feature."""

    importance: str
    """What these are shares of, as a phrase."""

    rounds: Rounds | None
    """None where the fit was not ours."""

    calibration: Calibration | None
    """None where the model's own probabilities are the scores."""

    parity_rows: int
    parity_difference: float
    seed: int


def make_report(findings: Findings) -> bytes:
    """Draw the page, UTF-8; the same findings give the same bytes. Takes seconds, and blocks."""
    labels, scores, entities = findings.labels, findings.scores, findings.entities
    widths, counts = bin_by_width(labels, scores, entities), bin_by_count(labels, scores, entities)
    rounds = findings.rounds
    ranking = trace_ranking(labels, scores, entities, findings.seed)
    page = _load_template().render(
        findings=findings,
        metrics=_explain_metrics(findings),
        base_rate=float(labels.mean()),
        warnings=findings.warnings[:_MOST_WARNINGS],
        left_out=len(findings.warnings[_MOST_WARNINGS:]),
        reliability=[
            (
                "Ten bins of equal width",
                plots.plot_reliability("reliability-width", widths, labels, scores, odds=False),
                widths,
            ),
            (
                "Ten bins of equal count, on axes of log odds",
                plots.plot_reliability("reliability-count", counts, labels, scores, odds=True),
                counts,
            ),
        ],
        ranking=_describe_ranking(findings, ranking) if ranking else None,
        rounds_plot=plots.plot_rounds(rounds.curves, rounds.chosen, rounds.name) if rounds else None,
        rounds_table=_table_rounds(rounds.curves, rounds.chosen) if rounds else [],
        features=describe_features(findings.schema, findings.data, findings.importances),
    )
    return page.replace(" %", "\u00a0%").encode()  # a number and its unit stay on one line


def _load_template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        finalize=show_text,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"share": show_share, "to": show_interval, "number": show_number}
    return environment.from_string((files(__package__) / "report.html.jinja").read_text("utf-8"))


def show_text(value: object) -> object:
    """Text with what can't be seen, or turns the text around it, as its code; other things as they are."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(one if one.isprintable() or one in "\n\u00a0" else ascii(one)[1:-1] for one in value)


def show_share(share: float) -> str:
    """A share in percent, to two figures or to one decimal."""
    if share == 0:
        return "0 %"
    if 0 < share < 0.0001:
        return "under 0.01 %"
    return f"{100 * share:#.2g} %" if 0 < share < 0.0995 else f"{100 * share:.1f} %"


def show_interval(low: float, high: float) -> str:
    """Two shares as an interval, the unit told once."""
    return f"{show_share(low).removesuffix(' %')}\u2013{show_share(high)}"


def show_number(value: float) -> str:
    """A whole number, or a large one, with its thousands; any other to four figures."""
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:#.4g}"


class _Row(msgspec.Struct, frozen=True):
    """A line of the table of metrics."""

    name: str
    value: str
    interval: str
    meaning: str


def _explain_metrics(findings: Findings) -> list[_Row]:
    rows = []
    for name, meaning in _MEANINGS.items():
        measure: Measure = getattr(findings.metrics, name)
        if measure.value is None or measure.low is None or measure.high is None:
            rows.append(_Row(name, "undefined", "", str(measure.why)))
            continue
        low, value, high = measure.low, measure.value, measure.high
        if name in _SHARES:
            shown, interval = show_share(value), show_interval(low, high)
        else:
            shown, interval = show_number(value), f"{show_number(low)}\u2013{show_number(high)}"
        rows.append(_Row(name, shown, "" if name == "rows" else interval, meaning(value, findings)))
    return rows


def _explain_lift(value: float, findings: Findings) -> str:
    precision = findings.metrics.precision_at_5_percent.value or 0.0
    return (
        f"Of the 5 % ranked highest, {show_share(precision)} were positive: {value:.1f} times the base rate."
    )


def _explain_log_loss(value: float, findings: Findings) -> str:
    base_rate = float(findings.labels.mean())
    if not 0 < base_rate < 1:
        return "Mean surprise at a label, in nats: less is better."
    knowing_nothing = -base_rate * np.log(base_rate) - (1 - base_rate) * np.log(1 - base_rate)
    saved = 1 - value / knowing_nothing
    return (
        "Mean surprise at a label, in nats. To answer each row with the base rate would cost "
        f"{knowing_nothing:.4f}; the model saves {show_share(saved) if saved >= 0.0001 else 'nothing'} of it."
    )


_MEANINGS: dict[str, Callable[[float, Findings], str]] = {
    "rows": lambda _, __: "Rows scored by a model that had not seen them; all below is measured on these.",
    "positives": lambda value, findings: (
        f"Rows whose label is positive; the base rate is {show_share(value / len(findings.labels))}."
    ),
    "roc_auc": lambda value, _: (
        f"A positive row is ranked above a negative one {show_share(value)} of the time; by chance: 50 %."
    ),
    "average_precision": lambda _, findings: (
        "Precision, averaged over the positives as they are found; by chance: "
        f"{show_share(float(findings.labels.mean()))}."
    ),
    "log_loss": _explain_log_loss,
    "calibration_error": lambda value, _: (
        f"Score and share of positives differ by {show_share(value).removesuffix(' %')} percentage points in "
        "the mean of ten bins of equal width."
    ),
    "lift_at_5_percent": _explain_lift,
    "precision_at_5_percent": lambda value, _: (
        f"Who reviews the 5 % ranked highest finds {round(1000 * value):,} positives in 1,000 rows."
    ),
    "recall_at_20_percent": lambda value, _: (
        f"Who reviews the 20 % ranked highest finds {show_share(value)} of all positives."
    ),
    "filter_rate_at_recall_75": lambda value, _: (
        f"To find three quarters of the positives, {show_share(value)} of the rows need no review."
    ),
}


def _describe_ranking(findings: Findings, ranking: Ranking) -> dict[str, Any]:
    def pick(at: NDArray[np.float64], curve: Band, wanted: list[float]) -> list[tuple[float, ...]]:
        places = np.searchsorted(at, np.array(wanted) - 1e-9)
        return [
            (float(at[place]), float(curve.value[place]), float(curve.low[place]), float(curve.high[place]))
            for place in places
        ]

    tenths = [place / 10 for place in range(1, 11)]
    return {
        "depths": cut_ranking(ranking, findings.scores),
        "precision_plot": plots.plot_precision(ranking),
        "precision": pick(ranking.recalls, ranking.precision, tenths),
        "gains_plot": plots.plot_gains(ranking),
        "lift_plot": plots.plot_lift(ranking),
        "found": pick(ranking.shares, ranking.found, [0.01, 0.02, 0.05, *tenths]),
        "precise": pick(ranking.shares, ranking.precise, [0.01, 0.02, 0.05, *tenths]),
    }


def _table_rounds(curves: NDArray[np.float64], rounds: int) -> list[tuple[int, float, float, float]]:
    """Rounds, and the mean, least and greatest log loss of the folds with so many."""
    most = curves.shape[1]
    wanted = {1, rounds, most, *(most * part // 8 for part in range(1, 8))} - {0}
    return [
        (count, *(float(of(curves[:, count - 1])) for of in (np.mean, np.min, np.max)))
        for count in sorted(wanted)
    ]
