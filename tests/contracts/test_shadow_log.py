import pytest

from flagrank.storage.engine import Database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.shadow_log import StoredShadowLog
from flagrank.triage.audit import Change
from flagrank.triage.model_registry import Publication
from flagrank.triage.shadow import ShadowScore
from tests.task_store import ago

ANN = Change("user:ann")


@pytest.fixture
def registry(database: Database) -> StoredModelRegistry:
    registry = StoredModelRegistry(database)
    for n in range(3):
        registry.publish(Publication("a", bytes([n]), {}), ANN)
    return registry


@pytest.fixture
def log(database: Database) -> StoredShadowLog:
    return StoredShadowLog(database, kept=50)


def scores(*pairs: tuple[float, float], champion: int = 1, shadow: int = 2) -> list[ShadowScore]:
    return [ShadowScore(champion, shadow, ours, theirs) for ours, theirs in pairs]


@pytest.mark.usefixtures("registry")
def test_what_was_logged_is_summarised(log: StoredShadowLog) -> None:
    assert log.summarise(2) is None
    log.append(scores((0.1, 0.2), (0.5, 0.4)))
    log.append(scores((0.7, 0.9)))
    summary = log.summarise(2)
    assert summary is not None
    assert (summary.champion_version, summary.reports) == (1, 3)
    assert ago(60) < summary.since <= ago(0)
    assert summary.mean_difference == pytest.approx(0.2 / 3)
    assert summary.mean_absolute_difference == pytest.approx(0.4 / 3)
    assert log.summarise(3) is None
    assert log.summarise(99) is None


@pytest.mark.usefixtures("registry")
def test_a_summary_is_of_one_champion_the_latest(log: StoredShadowLog) -> None:
    log.append(scores((0.1, 0.2)))
    log.append(scores((0.1, 0.3), (0.2, 0.3), champion=3))
    summary = log.summarise(2)
    assert summary is not None
    assert (summary.champion_version, summary.reports) == (3, 2)


@pytest.mark.usefixtures("registry")
def test_the_oldest_are_forgotten(log: StoredShadowLog) -> None:
    for n in range(10):
        log.append(scores(*[(n / 10, 0.5)] * 20))
    summary = log.summarise(2)
    assert summary is not None
    assert summary.reports == 50
    assert summary.mean_difference == pytest.approx(0.5 - (0.9 * 20 + 0.8 * 20 + 0.7 * 10) / 50)


def test_it_goes_with_its_model(log: StoredShadowLog, registry: StoredModelRegistry) -> None:
    log.append(scores((0.1, 0.2)))
    registry.delete(2, ANN)
    assert log.summarise(2) is None
    log.append(scores((0.1, 0.2)))  # by a process that has not heard of it
    log.append(scores((0.1, 0.2)) + scores((0.1, 0.2), shadow=3))
    assert log.summarise(2) is None
    summary = log.summarise(3)
    assert summary is not None
    assert summary.reports == 1
