"""What requests are served with: one model, and the schema that their reports are read by."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from flagrank.api.companions import Companions
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.ports import Explainer, Scorer
from flagrank.triage.report_decoding import ReportDecoder


class Serving(msgspec.Struct, frozen=True):
    """A model and what belongs to it; replaced as a whole, so that no request meets two halves."""

    scorer: Scorer
    schema: FeatureSchema
    decoder: ReportDecoder
    explainer: Explainer
    companions: Companions | None = None  # None where the champion is alone


# What serves now; None while no model does. Whoever decodes scores with the same one.
FindServing: TypeAlias = Callable[[], Serving | None]
