"""What requests are served with: a model, the schema their reports are read by, the policy they rank by."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from flagrank.api.companions import Companions
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.policy import Policy
from flagrank.triage.ports import Explainer, Scorer
from flagrank.triage.report_decoding import ReportDecoder


class Serving(msgspec.Struct, frozen=True):
    """A model and a policy with what belongs to them; replaced as a whole: no request meets two halves."""

    scorer: Scorer
    schema: FeatureSchema
    policy: Policy
    decoder: ReportDecoder
    explainer: Explainer
    companions: Companions | None = None  # None where the champion is alone


# What serves now; None while no model does. Whoever decodes scores with the same one.
FindServing: TypeAlias = Callable[[], Serving | None]
