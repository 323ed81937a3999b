import re
from html.parser import HTMLParser

import matplotlib as mpl
import msgspec
import numpy as np
import pytest

from flagrank.training.calibration import Calibration
from flagrank.training.metrics import measure
from flagrank.training.report import Findings, Rounds, make_report
from flagrank.triage.feature_schema import Feature, FeatureSchema

HOSTILE = "<script>alert(1)</script>\u202e{{ 7 * 7 }}&\"'\ud800"
SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("spam", "threat"), open=True, description="what it is"),
        Feature("length", "integer", nullable=True),
    )
)


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())
        self.text = " ".join(self.text.replace("\u00a0", " ").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]


def make_findings(rows: int = 600, base_rate: float = 0.06, schema: FeatureSchema = SCHEMA) -> Findings:
    random = np.random.default_rng(5)
    margins = random.normal(np.log(base_rate / (1 - base_rate)), 1, rows)
    scores = 1 / (1 + np.exp(-margins))
    labels = (random.random(rows) < scores).astype(np.int8)
    data = random.integers(-1, 1, (rows, len(schema.feature))).astype(np.float32)
    data[::4, -1] = np.nan
    return Findings(
        model_name="report-priority",
        architecture="xgboost",
        target="actionable",
        made_at="2026-01-01T00:00:00Z",
        schema=schema,
        split="5 folds by a seeded draw.",
        labels=labels,
        scores=scores,
        entities=np.arange(rows),
        metrics=measure(labels, scores, seed=0, entities=np.arange(rows)),
        data=data,
        warnings=("The rows are synthetic.",),
        importances=dict.fromkeys(schema.names, 1 / len(schema.feature)),
        importance="the share of a feature in the loss that all splits of the model saved",
        rounds=Rounds("tree", 120, 0.2 + 0.3 * np.exp(-np.arange(400) / np.arange(20, 25)[:, None])),
        calibration=Calibration(1.1, -0.2),
        parity_rows=100_000,
        parity_difference=3e-7,
        seed=0,
    )


@pytest.fixture(scope="module")
def usual_page() -> bytes:
    return make_report(make_findings())


def with_scores(findings: Findings, labels: object, scores: object) -> Findings:
    told, chances = np.array(labels, np.int8), np.array(scores, np.float64)
    entities = np.arange(len(told))
    return msgspec.structs.replace(
        findings,
        labels=told,
        scores=chances,
        entities=entities,
        metrics=measure(told, chances, seed=0, entities=entities),
    )


def test_the_page_needs_nothing_but_itself_and_runs_nothing(usual_page: bytes) -> None:
    parsed = Page(usual_page)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in parsed.elements}
    named = [
        (name, value)
        for _, attributes in parsed.elements
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "srcset", "action"} or name.startswith("on")
    ]
    assert named
    assert all(name == "xlink:href" and str(value).startswith("#") for name, value in named)
    assert set(re.findall(rb"url\((.)", usual_page)) == {b"#"}
    assert parsed.find("meta")[1]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_text_of_others_stays_text_and_what_cannot_be_seen_is_shown_as_its_code(usual_page: bytes) -> None:
    feature = Feature(HOSTILE, "category", values=(HOSTILE, "b"), description=HOSTILE)
    hostile = msgspec.structs.replace(
        make_findings(schema=FeatureSchema((feature,))),
        **dict.fromkeys(("model_name", "architecture", "target", "made_at", "split"), HOSTILE),
        warnings=(HOSTILE,),
    )
    page = make_report(hostile)
    parsed = Page(page)
    assert {tag for tag, _ in parsed.elements} == {tag for tag, _ in Page(usual_page).elements}
    assert parsed.text.count("<script>alert(1)</script>\\u202e{{ 7 * 7 }}&\"'\\ud800") == 9
    assert "\u202e" not in page.decode()


def test_the_same_findings_give_the_same_bytes_whatever_the_settings_of_matplotlib(usual_page: bytes) -> None:
    with mpl.rc_context({"lines.linewidth": 9, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert make_report(make_findings()) == usual_page


def test_each_plot_has_a_sentence_and_a_table_behind_it(usual_page: bytes) -> None:
    parsed = Page(usual_page)
    plots = parsed.find("svg")
    assert len(plots) == 6
    assert all(plot["role"] == "img" and str(plot["aria-label"]).endswith(".") for plot in plots)
    assert len(parsed.find("details")) == len(parsed.find("figure")) == len(plots)
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_plots_take_their_colours_from_the_page(usual_page: bytes) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", usual_page.decode(), re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6};|#[0-9a-f]{6}\"|: (?:black|white)", drawn)
    assert set(re.findall(r"var\((--\w+)\)", drawn)) == {"--ink", "--muted", "--grid", "--accent", "--second"}


def test_metrics_are_told_in_words() -> None:
    labels = [1] * 30 + [0] * 10 + [1] * 30 + [0] * 730
    told = Page(make_report(with_scores(make_findings(), labels, np.linspace(0.9, 0.1, 800)))).text
    assert "Of the 5 % ranked highest, 75.0 % were positive: 10.0 times the base rate of 7.5 %." in told
    assert "Who reviews the 5 % ranked highest finds 750 positives in 1,000 rows." in told
    assert "To find three quarters of the positives, 93.1 % of the rows need no review." in told
    assert "5 % 40 75.0 % " in told


def test_without_positives_the_page_says_so() -> None:
    told = Page(make_report(with_scores(make_findings(), [0] * 50, np.linspace(0.1, 0.2, 50)))).text
    assert "No row that was held out is positive, so the ranking can't be judged." in told
    assert "roc_auc undefined There are no positives among the 50 rows." in told


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([1], [0.4]),
        ([0, 1, 0, 1], [0.5] * 4),
        ([1] * 20, [1 - 1e-12] * 20),
        ([0, 1] * 50, [0.5, 0.5 + 1e-9] * 50),
        ([0] * 99 + [1], [1e-7] * 99 + [1 - 1e-7]),
    ],
    ids=["one row", "one score", "only positives", "nearly one score", "nearly certain"],
)
def test_scores_of_every_kind_make_a_page(labels: list[int], scores: list[float]) -> None:
    parsed = Page(make_report(with_scores(make_findings(), labels, scores)))
    assert len(parsed.find("svg")) == 6
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", parsed.text.lower())


def test_a_thousand_features_of_long_names_make_a_page_that_fits_its_package() -> None:
    schema = FeatureSchema(
        tuple(
            Feature(
                f"{number:04}" + "<" * 124, "category", values=("&" * 256,), open=True, description="<" * 999
            )
            for number in range(1000)
        )
    )
    findings = msgspec.structs.replace(
        make_findings(schema=schema), warnings=tuple(f"{name} is null in every row." for name in schema.names)
    )
    page = make_report(findings)
    assert len(page) < 400_000
    assert "The 100 most important of 1,000 are listed." in Page(page).text
    assert "950 more of this kind." in Page(page).text


def test_a_model_of_others_has_a_page_without_rounds_and_without_calibration() -> None:
    told = Page(make_report(msgspec.structs.replace(make_findings(), rounds=None, calibration=None)))
    assert len(told.find("svg")) == 5
    assert "None: the scores are the probabilities that the model gives." in told.text
    assert "tree" not in told.text


def test_rounds_are_called_by_their_name() -> None:
    rounds = Rounds("epoch", 3, np.full((5, 30), 0.3))
    told = Page(make_report(msgspec.structs.replace(make_findings(), rounds=rounds))).text
    assert "3 epochs on 2 features" in told
    assert "Log loss by epochs" in told
    assert "tree" not in told


def test_a_usual_page_is_small(usual_page: bytes) -> None:
    assert len(usual_page) < 160_000
