import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.session import ModelSession
from flagrank.service.champion import LoadedLineup
from flagrank.service.champion_serving import ChampionServing
from flagrank.settings import load_default_policy
from flagrank.telemetry import Metrics
from flagrank.triage.errors import InvalidReports
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.lineup import Challenger, Lineup
from flagrank.triage.policy import DrawShares
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import report_type
from tests.api.test_models import wider_schema
from tests.packages import make_graph, read_default_schema

DEFAULT_POLICY = load_default_policy()

SCHEMA = read_default_schema()
NUMBERS = {"report_text_len": 3, "profile_rating": None, "popularity": 2.5}
REPORTS = [report_type(SCHEMA)(f0="MSG", f1=float(n), f2=None, f3=2.5) for n in range(5)]  # type: ignore[call-arg]


class Registry:
    """Where the lineup comes from."""

    def __init__(self, schema: FeatureSchema | None = None) -> None:
        self.lineup: LoadedLineup | None = None
        self.policy = DEFAULT_POLICY
        self.metrics = Metrics().models
        self.executor = ThreadPoolExecutor(1)
        self.serving = ChampionServing(
            lambda: self.lineup, schema, lambda: self.policy, self.executor, metrics=self.metrics
        )

    def find_version(self) -> str | None:
        serving = self.serving.find()
        return None if serving is None else serving.scorer.model.version


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    with made.executor:
        yield made


def scorer(version: str, schema: FeatureSchema = SCHEMA) -> SessionScorer:
    session = ModelSession(make_graph(len(schema.feature)), schema.names)
    return SessionScorer(ModelIdentity("small", version), schema, session, base_rate=0.1)


def session_of(made: SessionScorer) -> "weakref.ref[ModelSession]":
    return weakref.ref(made._session)  # noqa: SLF001 - whether it lives is what the test is about


def test_the_champion_serves_and_is_followed(registry: Registry) -> None:
    assert registry.find_version() is None
    for version in ("1", "2"):
        registry.lineup = Lineup(scorer(version))
        assert registry.find_version() == version
    assert registry.serving.find() is registry.serving.find()


def test_a_session_lives_until_its_last_request_has_left_and_no_longer(registry: Registry) -> None:
    first = scorer("1")
    session = session_of(first)
    registry.lineup = Lineup(first)
    del first

    async def serve() -> None:
        serving = registry.serving.find()
        assert serving is not None
        request = asyncio.create_task(serving.scorer.score(REPORTS))
        del serving
        await asyncio.sleep(0)  # it waits for the model call of this tick
        registry.lineup = Lineup(scorer("2"))
        assert registry.find_version() == "2"
        assert session() is not None
        assert len(await request) == len(REPORTS)

    gc.disable()  # nothing but its references may hold it
    try:
        asyncio.run(serve())
        assert session() is None
    finally:
        gc.enable()


def test_the_decoder_stays_where_the_schema_does(registry: Registry) -> None:
    registry.lineup = Lineup(scorer("1"))
    first = registry.serving.find()
    registry.lineup = Lineup(scorer("2"))
    second = registry.serving.find()
    registry.lineup = Lineup(scorer("3", wider_schema()))
    third = registry.serving.find()
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.decoder is first.decoder
    assert third.decoder is not first.decoder


def test_the_policy_is_followed_and_what_began_with_another_ends_with_it(registry: Registry) -> None:
    registry.lineup = Lineup(scorer("1"))
    before = registry.serving.find()
    registry.policy = replace(DEFAULT_POLICY, name="night", version=2, severities={"other": 3.0})
    after = registry.serving.find()
    assert before is not None
    assert after is not None
    assert (before.policy.label, after.policy.label) == ("default@1", "night@2")
    assert after.scorer is before.scorer
    body, now = json.dumps([{"abuse_type": "MSG", **NUMBERS, "reason": "spam"}]).encode(), datetime.now(UTC)
    assert before.decoder.decode(body, now)[0].reason == "spam"
    with pytest.raises(InvalidReports, match="no reason of the active policy"):
        after.decoder.decode(
            json.dumps([{"abuse_type": "MSG", **NUMBERS, "reason": "spam"}]).encode(), datetime.now(UTC)
        )


def test_the_decoder_stays_where_the_reasons_do(registry: Registry) -> None:
    registry.lineup = Lineup(scorer("1"))
    before = registry.serving.find()
    registry.policy = replace(DEFAULT_POLICY, draws=DrawShares(0.1, 0.1))
    after = registry.serving.find()
    assert before is not None
    assert after is not None
    assert after.policy is registry.policy
    assert after.decoder is before.decoder


def test_a_policy_activated_while_nothing_serves_is_that_of_the_first_model(registry: Registry) -> None:
    assert registry.serving.find() is None
    registry.policy = replace(DEFAULT_POLICY, name="night", version=2)
    registry.lineup = Lineup(scorer("1"))
    serving = registry.serving.find()
    assert serving is not None
    assert serving.policy.label == "night@2"


def test_alone_it_has_no_companions(registry: Registry) -> None:
    registry.lineup = Lineup(scorer("1"))
    served = registry.serving.find()
    assert served is not None
    assert served.companions is None
    registry.lineup = Lineup(scorer("1"), Challenger(scorer("2"), 0.5))
    served = registry.serving.find()
    assert served is not None
    assert served.companions is not None


def test_a_challenger_that_reports_do_not_fit_is_left_out(registry: Registry) -> None:
    registry.lineup = Lineup(scorer("1"), Challenger(scorer("2", wider_schema()), 0.5))
    served = registry.serving.find()
    assert served is not None
    assert served.companions is None


def test_a_champion_that_the_schema_does_not_fit_leaves_the_old_one_at_work() -> None:
    registry = Registry(SCHEMA)
    with registry.executor:
        registry.lineup = Lineup(scorer("1"))
        assert (registry.find_version(), registry.serving.refusal) == ("1", None)
        registry.lineup = Lineup(scorer("2", wider_schema()))
        assert registry.find_version() == "1"
        assert "team (category)" in (registry.serving.refusal or "")
        registry.lineup = Lineup(scorer("3"))
        assert (registry.find_version(), registry.serving.refusal) == ("3", None)
