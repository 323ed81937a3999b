"""kill -9 at every step of every change of the registry: it stays whole, and one champion serves."""

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from flagrank.storage.engine import Database, open_database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.triage.audit import Change
from flagrank.triage.model_registry import (
    ModelRole,
    Publication,
    PublishedModel,
    make_assignment,
)
from tests.api.running_server import FLAGRANK, REPORT, running_server
from tests.durability.roles import Death, change_models, start
from tests.packages import write_small_package

ANN = Change("user:ann")
LARGE = bytes(range(256)) * 40_000  # three parts

State = tuple[list[PublishedModel], PublishedModel | None, bytes]


def publish(registry: StoredModelRegistry) -> None:
    registry.publish(Publication("new", LARGE, {}), ANN)


def promote(registry: StoredModelRegistry) -> None:
    registry.promote(3, ANN, replacing=2)


def roll_back(registry: StoredModelRegistry) -> None:
    registry.roll_back(1, ANN)


def challenge(registry: StoredModelRegistry) -> None:
    registry.give_role(3, make_assignment(ModelRole.CHALLENGER, 0.5), ANN)


def withdraw(registry: StoredModelRegistry) -> None:
    registry.give_role(4, make_assignment(ModelRole.NONE, None), ANN)


def shadow(registry: StoredModelRegistry) -> None:
    registry.give_role(4, make_assignment(ModelRole.SHADOW, None), ANN)


def delete(registry: StoredModelRegistry) -> None:
    registry.delete(3, ANN)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def filled(url: str) -> str:
    """Four models: 2 is champion after 1, 4 is the challenger."""
    with opened(url) as database:
        registry = StoredModelRegistry(database)
        for n in range(4):
            registry.publish(Publication("old", bytes([n]), {}), ANN)
        registry.promote(1, ANN)
        registry.promote(2, ANN)
        registry.give_role(4, make_assignment(ModelRole.CHALLENGER, 0.1), ANN)
    return url


def read_state(database: Database) -> State:
    """What stands, after making sure that it is whole."""
    registry = StoredModelRegistry(database)
    models = registry.list_models()
    for model in models:
        registry.load_package(model.version)
        history = registry.read_history(model.version)
        assert history
        last = next((one.after for one in reversed(history) if one.after and "role" in one.after), None)
        assert (last["role"] if last else "none") == model.role
    assert [model.role for model in models].count(ModelRole.CHAMPION) == 1
    active = registry.read_active()
    assert active.champion is not None
    stands = registry.load_package(active.champion.version)
    with database.read() as connection:
        orphans = connection.scalar(
            text("SELECT count(*) FROM artifact_part WHERE sha256 NOT IN (SELECT sha256 FROM artifact)")
        )
        artifacts = connection.scalar(text("SELECT count(*) FROM artifact"))
    assert (orphans, artifacts) == (0, len(models))
    return models, registry.read_champion_before(), stands


@pytest.mark.parametrize("change", [publish, promote, roll_back, challenge, withdraw, shadow, delete])
def test_a_change_killed_at_any_step_is_made_whole_or_not_at_all(
    filled: str, deaths: Counter[str], change: Callable[[StoredModelRegistry], None]
) -> None:
    with opened(filled) as database:
        before = after = read_state(database)
        for step in count(1):
            process = start(change_models, filled, Death(step), change)
            process.join()
            after = read_state(database)
            if after != before:  # it came to its commit, and perhaps died behind it
                break
            assert process.exitcode == -9
            deaths["registry"] += 1
        assert step > 8


def test_commands_killed_at_random_leave_one_champion_that_serves(
    url: str, tmp_path: Path, deaths: Counter[str]
) -> None:
    chance = random.Random(7)  # noqa: S311 - a test's
    environment = {**os.environ, "FLAGRANK_DATABASE_URL": url}
    for name in "abc":
        write_small_package(tmp_path / name, changed={"notes.txt": name.encode()})
    commands = [
        ["publish", str(tmp_path / "b")],
        ["publish", str(tmp_path / "c")],
        ["promote", "2"],
        ["promote", "3"],
        ["rollback"],
        ["role", "3", "challenger"],
        ["promote", "1"],
    ]
    with running_server("--model", str(tmp_path / "a"), "--no-worker", database_url=url) as server:
        for number in range(14):
            arguments = commands[number % len(commands)]
            process = subprocess.Popen(
                [FLAGRANK, "model", *arguments],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0.2, 2.5))
            if process.poll() is None:
                process.kill()
                deaths["commands"] += 1
            process.wait()
            assert server.predict([REPORT]).status == 200
        with opened(url) as database:
            models, _, _ = read_state(database)
        champion = next(model for model in models if model.role is ModelRole.CHAMPION)
        time.sleep(2)
        assert server.predict([REPORT]).document["model"]["version"] == str(champion.version)
