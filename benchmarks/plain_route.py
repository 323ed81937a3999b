"""The peer to beat: the route as one writes it at first, with FastAPI, pydantic and XGBoost's own prediction.

It is given every advantage that costs its author nothing: uvicorn with uvloop and httptools, no access log, a
numpy row in place of a data frame, one thread, no hop to a thread pool. It checks and answers less.
Run it with `python -m benchmarks.plain_route MODEL.ubj PORT`.
"""

import sys
from enum import StrEnum

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
from xgboost import XGBClassifier


class AbuseType(StrEnum):
    """What is reported."""

    MESSAGE = "MSG"
    PROFILE = "PRF"


class UserReport(BaseModel):
    """One element of the request."""

    abuse_type: AbuseType
    report_text_len: int = Field(ge=0, le=1_000_000)
    profile_rating: float | None = Field(ge=0, le=5)
    popularity: float | None = Field(ge=0, le=5)
    lifetime_matches_created: int | None = Field(default=None, ge=0, le=1_000_000_000)


class Answer(BaseModel):
    """The scores in the order sent."""

    scores: list[float]


def create_application(model_path: str) -> FastAPI:
    """Make the application around a model that `XGBClassifier.save_model` wrote."""
    model = XGBClassifier(n_jobs=1)
    model.load_model(model_path)
    application = FastAPI()
    codes = {AbuseType.MESSAGE: 0, AbuseType.PROFILE: 1}

    @application.post("/prediction")
    async def predict(reports: list[UserReport]) -> Answer:
        rows = [
            [
                codes[report.abuse_type],
                report.report_text_len,
                report.profile_rating,
                report.popularity,
                report.lifetime_matches_created,
            ]
            for report in reports
        ]
        chances = model.predict_proba(np.array(rows, dtype=np.float32))[:, 1]  # None becomes NaN
        return Answer(scores=chances.tolist())

    return application


if __name__ == "__main__":
    uvicorn.run(create_application(sys.argv[1]), port=int(sys.argv[2]), access_log=False, log_level="warning")
