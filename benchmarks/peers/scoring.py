"""What every peer's worker does with a task: decode its reports, score them, encode the scores."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.package import read_package
from flagrank.scoring.session import ModelSession
from flagrank.settings import load_default_policy
from flagrank.triage.report_decoding import ReportDecoder

DEFAULT_POLICY = load_default_policy()


class PeerScorer:
    """Our own decoder, columns and session, so that only the queue differs."""

    def __init__(self, package: Path) -> None:
        read = read_package(package)
        schema = read.manifest.schema
        self._decoder = ReportDecoder(schema, DEFAULT_POLICY.severities)
        self._encoder = ColumnEncoder(schema)
        self._session = ModelSession(read.model, schema.names)

    def score(self, body: bytes) -> bytes:
        """The scores of a body's reports, as JSON."""
        reports = self._decoder.decode(body, datetime.now(UTC))
        return msgspec.json.encode(self._session.score(self._encoder.encode_reports(reports)).tolist())
