"""The scorer of whoever has a thread to wait in: a list of reports, one model call."""

from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.session import ModelSession
from flagrank.triage.feature_schema import FeatureSchema, check_serves
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import Report


class SessionScorer:
    """The port `BatchScorer` on a session."""

    def __init__(
        self,
        model: ModelIdentity,
        schema: FeatureSchema,
        session: ModelSession,
        read_as: FeatureSchema | None = None,
    ) -> None:
        """Reports must have been decoded by `read_as`, else by `schema`, the model's own."""
        self.model = model
        self.schema = schema
        self._session = session
        self._encoder = ColumnEncoder(schema, read_as=read_as or schema)

    def reading(self, schema: FeatureSchema) -> "SessionScorer":
        """The same model for reports decoded by another schema.

        Raises `SchemaRefused` where that lacks a feature.
        """
        check_serves(schema, self.schema, "the schema")
        return SessionScorer(self.model, self.schema, self._session, schema)

    def score(self, reports: list[Report]) -> list[float]:
        """See the port. Raises `PackageRefused` where the model fails on these reports."""
        scores: list[float] = self._session.score(self._encoder.encode_reports(reports)).tolist()
        return scores
