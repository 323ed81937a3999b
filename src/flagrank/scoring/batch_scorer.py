"""One loaded model: a list of reports scored in one call, and one report's score explained."""

from collections.abc import Callable

import numpy as np

from flagrank.scoring.columns import ColumnEncoder, Matrix
from flagrank.scoring.explanation import BACKGROUND_ROWS, check_explainable, explain_row
from flagrank.scoring.session import ModelSession, Scores
from flagrank.triage.explanation import Driver, Explanation, describe_drivers
from flagrank.triage.feature_schema import FeatureSchema, check_serves
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import Report, feature_values

NO_BACKGROUND: Matrix = np.empty((0, 0), np.float32)

Observe = Callable[[Matrix, Scores], None]


class SessionScorer:
    """The ports `BatchScorer` and `Explainer` on a session."""

    def __init__(
        self,
        model: ModelIdentity,
        schema: FeatureSchema,
        session: ModelSession,
        read_as: FeatureSchema | None = None,
        *,
        base_rate: float,
        background: Matrix = NO_BACKGROUND,
        observe: Observe = lambda _rows, _scores: None,
    ) -> None:
        """Reports must have been decoded by `read_as`, else by `schema`, the model's own.

        `background` (m, f) is what explanations compare with; `observe` is given all that is scored, and must
        not block.
        """
        self.model = model
        self.schema = schema
        self.base_rate = base_rate
        self._session = session
        self._read_as = read_as or schema
        self._places = [self._read_as.names.index(name) for name in schema.names]
        self._encoder = ColumnEncoder(schema, self._read_as)
        self._background = background[:BACKGROUND_ROWS]
        self._observe = observe

    def reading(self, schema: FeatureSchema) -> "SessionScorer":
        """The same model for reports decoded by another schema.

        Raises `SchemaRefused` where that lacks a feature.
        """
        check_serves(schema, self.schema, "the schema")
        return SessionScorer(
            self.model,
            self.schema,
            self._session,
            schema,
            base_rate=self.base_rate,
            background=self._background,
            observe=self._observe,
        )

    def score(self, reports: list[Report]) -> list[float]:
        """See the port. Raises `PackageRefused` where the model fails on these reports."""
        rows = self._encoder.encode_reports(reports)  # (n, f) float32
        scores = self._session.score(rows)  # (n,)
        self._observe(rows, scores)
        listed: list[float] = scores.tolist()
        return listed

    def check_explainable(self, count: int) -> None:
        """See the port."""
        check_explainable(count, len(self.schema.feature), len(self._background))

    def explain(self, report: Report, score: float) -> Explanation:
        """See the port. Raises `PackageRefused` where the model fails on a coalition."""
        self.check_explainable(1)
        (row,) = self._encoder.encode_reports([report])
        base_value, contributions = explain_row(self._session.score, self._background, row, score)
        ranks = (self._background < row).mean(axis=0) - (self._background > row).mean(axis=0)  # (f,)
        drivers = [
            Driver(self._read_as.feature[place], feature_values([report], place)[0], rank, contribution)
            for place, rank, contribution in zip(
                self._places, ranks.tolist(), contributions.tolist(), strict=True
            )
        ]
        by_name = {driver.feature.name: driver.contribution for driver in drivers}
        return Explanation(base_value, by_name, describe_drivers(drivers))
