import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import delete, func, select, update

from flagrank.storage.engine import Database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.tables import artifact, artifact_part, audit, champion_line, model
from flagrank.triage.audit import AuditAction, Change
from flagrank.triage.errors import FlagrankError, ModelConflict, ModelNotFound, PackageRefused
from flagrank.triage.model_registry import (
    MAX_PACKAGE_BYTES,
    ActiveModels,
    ModelRole,
    Publication,
    PublishedModel,
    make_assignment,
)
from tests.task_store import ago

ANN = Change("user:ann")
CHALLENGER = make_assignment(ModelRole.CHALLENGER, 0.2)
SHADOW = make_assignment(ModelRole.SHADOW, None)
NO_ROLE = make_assignment(ModelRole.NONE, None)


@pytest.fixture
def registry(database: Database) -> StoredModelRegistry:
    return StoredModelRegistry(database)


def package(content: bytes = b"package", name: str = "report-priority") -> Publication:
    return Publication(name, content, {"roc_auc": {"value": 0.91}})


def publish(registry: StoredModelRegistry, count: int) -> None:
    for n in range(count):
        registry.publish(package(bytes([n])), ANN)


def roles(registry: StoredModelRegistry) -> dict[int, str]:
    """Those of all versions that have one, as the list and as the servers see them."""
    listed = {one.version: one for one in registry.list_models() if one.role is not ModelRole.NONE}
    active = registry.read_active()
    seen = (active.champion, active.challenger, active.shadow)
    assert {one.version: one for one in seen if one is not None} == listed
    assert registry.read_champion() == active.champion
    return {version: str(one.role) for version, one in sorted(listed.items())}


def refused(change: Callable[[], object], registry: StoredModelRegistry) -> FlagrankError:
    """Why a change is refused; nothing is any other than before."""
    before = registry.list_models(), registry.read_champion_before()
    with pytest.raises(FlagrankError) as caught:
        change()
    assert (registry.list_models(), registry.read_champion_before()) == before
    return caught.value


def count(database: Database, table: type | object) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


# Publishing


def test_a_package_is_published_without_a_role(registry: StoredModelRegistry) -> None:
    published = registry.publish(package(), ANN)
    model = published.model
    assert published.is_new
    assert (model.name, model.version, model.role, model.share) == (
        "report-priority",
        1,
        ModelRole.NONE,
        None,
    )
    assert model.sha256 == hashlib.sha256(b"package").hexdigest()
    assert model.metrics == {"roc_auc": {"value": 0.91}}
    assert ago(60) < model.published_at <= ago(0)
    assert registry.read_model(1) == model
    assert registry.read_champion() is None
    assert registry.read_active() == ActiveModels()


def test_versions_count_over_all_names(registry: StoredModelRegistry) -> None:
    versions = [
        registry.publish(package(bytes([n]), name), ANN).model.version for n, name in enumerate("aba")
    ]
    assert versions == [1, 2, 3]
    assert [model.version for model in registry.list_models()] == [3, 2, 1]


def test_the_same_package_twice_is_one_version(registry: StoredModelRegistry) -> None:
    first = registry.publish(package(), ANN).model
    registry.publish(package(b"other"), ANN)
    registry.promote(first.version, ANN)
    again = registry.publish(package(), ANN)
    assert (again.model.version, again.model.role, again.is_new) == (1, ModelRole.CHAMPION, False)
    assert len(registry.list_models()) == 2
    assert [entry.action for entry in registry.read_history(1)] == ["model.publish", "model.promote"]


@pytest.mark.parametrize("size", [0, 1, 4 * 2**20, 9 * 2**20 + 5])
def test_a_package_comes_back_as_it_went_in(registry: StoredModelRegistry, size: int) -> None:
    content = bytes(n % 251 for n in range(1_000)) * (size // 1_000) + b"\x00" * (size % 1_000)
    model = registry.publish(package(content), ANN).model
    assert registry.load_package(model.version) == content


def test_a_package_that_is_too_large_is_refused(registry: StoredModelRegistry) -> None:
    with pytest.raises(PackageRefused, match="larger"):
        registry.publish(package(bytes(MAX_PACKAGE_BYTES + 1)), ANN)


def test_a_damaged_package_is_not_loaded(registry: StoredModelRegistry, database: Database) -> None:
    registry.publish(package(), ANN)
    with database.write() as (connection, _):
        connection.execute(update(artifact_part).values(content=b"packagf"))
    with pytest.raises(PackageRefused, match="damaged"):
        registry.load_package(1)


# Promoting and rolling back


def test_promotion_makes_the_only_champion(registry: StoredModelRegistry) -> None:
    publish(registry, 3)
    for version in (2, 3, 3, 1):
        assert registry.promote(version, ANN).version == version
        assert roles(registry) == {version: "champion"}


def test_a_promotion_is_refused_where_another_champion_stands_than_was_thought(
    registry: StoredModelRegistry,
) -> None:
    publish(registry, 3)
    assert registry.promote(1, ANN, replacing=None).role is ModelRole.CHAMPION
    for thought in (None, 2, 3):
        error = refused(partial(registry.promote, 2, ANN, replacing=thought), registry)
        assert isinstance(error, ModelConflict)
        assert "version 1 is the champion" in error.detail
    assert registry.promote(2, ANN, replacing=1).role is ModelRole.CHAMPION


def test_a_rollback_returns_to_the_champion_before_and_again_to_the_one_before_that(
    registry: StoredModelRegistry,
) -> None:
    publish(registry, 3)
    for version in (2, 1, 3):
        registry.promote(version, ANN)
    for before in (1, 2):
        found = registry.read_champion_before()
        assert found is not None
        assert found.version == before
        assert registry.roll_back(before, ANN).version == before
        assert roles(registry) == {before: "champion"}
    assert registry.read_champion_before() is None
    assert "champion before" in refused(partial(registry.roll_back, 1, ANN), registry).detail


def test_a_promotion_after_a_rollback_starts_from_there(registry: StoredModelRegistry) -> None:
    publish(registry, 3)
    for version in (1, 2):
        registry.promote(version, ANN)
    registry.roll_back(1, ANN)
    registry.promote(3, ANN)
    found = registry.read_champion_before()
    assert found is not None
    assert found.version == 1


def test_a_rollback_to_another_than_the_champion_before_is_refused(registry: StoredModelRegistry) -> None:
    publish(registry, 3)
    assert isinstance(refused(partial(registry.roll_back, 1, ANN), registry), ModelConflict)
    for version in (1, 2):
        registry.promote(version, ANN)
    for other in (2, 3, 99):
        assert isinstance(refused(partial(registry.roll_back, other, ANN), registry), ModelConflict)


def test_what_an_older_flagrank_promoted_is_rolled_back_too(
    registry: StoredModelRegistry, database: Database
) -> None:
    """It changes `model.role` and knows no line of champions."""
    publish(registry, 3)
    with database.write() as (connection, _):
        connection.execute(update(model).where(model.c.version == 1).values(role="champion"))
    registry.promote(2, ANN)
    with database.write() as (connection, _):
        connection.execute(update(model).values(role="none"))
        connection.execute(update(model).where(model.c.version == 3).values(role="champion"))
    for before in (2, 1):
        found = registry.read_champion_before()
        assert found is not None
        assert found.version == before
        registry.roll_back(before, ANN)
    assert registry.read_champion_before() is None


# Other roles


def test_a_role_is_held_by_one_model(registry: StoredModelRegistry) -> None:
    publish(registry, 4)
    registry.promote(1, ANN)
    given = registry.give_role(2, CHALLENGER, ANN)
    assert (given.role, given.share) == (ModelRole.CHALLENGER, 0.2)
    registry.give_role(3, SHADOW, ANN)
    assert roles(registry) == {1: "champion", 2: "challenger", 3: "shadow"}
    registry.give_role(4, CHALLENGER, ANN)
    assert roles(registry) == {1: "champion", 3: "shadow", 4: "challenger"}
    registry.give_role(3, CHALLENGER, ANN)
    assert roles(registry) == {1: "champion", 3: "challenger"}
    registry.give_role(3, NO_ROLE, ANN)
    assert roles(registry) == {1: "champion"}


def test_a_challengers_share_is_changed(registry: StoredModelRegistry) -> None:
    publish(registry, 1)
    for share in (0.1, 0.5, 1.0):
        registry.give_role(1, make_assignment(ModelRole.CHALLENGER, share), ANN)
        assert registry.read_model(1).share == share


def test_a_champion_has_no_other_role(registry: StoredModelRegistry) -> None:
    publish(registry, 1)
    registry.promote(1, ANN)
    for assignment in (CHALLENGER, SHADOW, NO_ROLE):
        assert isinstance(refused(partial(registry.give_role, 1, assignment, ANN), registry), ModelConflict)


@pytest.mark.parametrize("assignment", [CHALLENGER, SHADOW])
def test_who_becomes_champion_loses_another_role(registry: StoredModelRegistry, assignment: object) -> None:
    publish(registry, 2)
    registry.promote(1, ANN)
    registry.promote(2, ANN)
    registry.give_role(1, CHALLENGER if assignment is CHALLENGER else SHADOW, ANN)
    registry.roll_back(1, ANN)
    assert roles(registry) == {1: "champion"}
    registry.promote(2, ANN)
    assert roles(registry) == {2: "champion"}


# Deleting


def test_what_nothing_refers_to_is_deleted_with_its_package(
    registry: StoredModelRegistry, database: Database
) -> None:
    publish(registry, 2)
    deleted = registry.delete(1, ANN)
    assert deleted.version == 1
    assert [one.version for one in registry.list_models()] == [2]
    for ask in (registry.read_model, registry.load_package):
        with pytest.raises(ModelNotFound):
            ask(1)
    assert (count(database, artifact), count(database, artifact_part)) == (1, 1)
    assert [entry.action for entry in registry.read_history(1)] == ["model.publish", "model.delete"]


def test_a_version_is_never_given_twice(registry: StoredModelRegistry) -> None:
    publish(registry, 3)
    registry.delete(3, ANN)
    registry.delete(2, ANN)
    assert registry.publish(package(b"new"), ANN).model.version == 4
    assert registry.publish(package(bytes([2])), ANN).model.version == 5  # what version 3 was
    for version in (1, 4, 5):
        registry.delete(version, ANN)
    assert registry.publish(package(), ANN).model.version == 6


def test_what_has_a_role_or_is_the_champion_before_is_not_deleted(registry: StoredModelRegistry) -> None:
    publish(registry, 5)
    for version in (5, 1, 2):
        registry.promote(version, ANN)
    registry.give_role(3, CHALLENGER, ANN)
    registry.give_role(4, SHADOW, ANN)
    for version, word in ((1, "rollback"), (2, "champion"), (3, "challenger"), (4, "shadow")):
        error = refused(partial(registry.delete, version, ANN), registry)
        assert isinstance(error, ModelConflict)
        assert word in error.detail
    registry.delete(5, ANN)
    registry.roll_back(1, ANN)
    assert registry.read_champion_before() is None


def test_a_rollback_never_leads_from_a_model_to_itself(registry: StoredModelRegistry) -> None:
    publish(registry, 3)
    for version in (1, 2, 1, 3):
        registry.promote(version, ANN)
    registry.delete(2, ANN)
    registry.roll_back(1, ANN)
    assert registry.read_champion_before() is None


# All of them


@pytest.mark.parametrize("version", [-1, 0, 2, 2**31, 2**63, 10**30])
def test_an_unknown_version_is_not_found(registry: StoredModelRegistry, version: int) -> None:
    publish(registry, 1)
    asks: list[Callable[[], object]] = [
        partial(registry.read_model, version),
        partial(registry.load_package, version),
        partial(registry.promote, version, ANN),
        partial(registry.give_role, version, SHADOW, ANN),
        partial(registry.delete, version, ANN),
    ]
    for ask in asks:
        with pytest.raises(ModelNotFound):
            ask()
    assert registry.read_history(version) == []
    assert registry.read_champion() is None


def test_every_change_is_noted_with_who_when_why_and_from_what_to_what(registry: StoredModelRegistry) -> None:
    bob = Change("key:bob", "weekly retraining")
    publish(registry, 2)
    registry.promote(1, ANN)
    registry.give_role(2, CHALLENGER, ANN)
    registry.promote(2, bob, finding="It is better.")
    registry.roll_back(1, bob)
    registry.delete(2, Change("local"))
    history = registry.read_history(2)
    assert [(one.action, one.actor, one.reason) for one in history] == [
        (AuditAction.PUBLISH, "user:ann", None),
        (AuditAction.GIVE_ROLE, "user:ann", None),
        (AuditAction.PROMOTE, "key:bob", "weekly retraining"),
        (AuditAction.ROLL_BACK, "key:bob", "weekly retraining"),
        (AuditAction.DELETE, "local", None),
    ]
    assert all(ago(60) < one.at <= ago(0) for one in history)
    assert [(one.before, one.after) for one in history[1:4]] == [
        ({"role": "none"}, {"role": "challenger", "share": 0.2}),
        (
            {"role": "challenger", "share": 0.2},
            {"role": "champion", "replaces": 1, "finding": "It is better."},
        ),
        ({"role": "champion"}, {"role": "none", "replaced_by": 1}),
    ]
    other = registry.read_history(1)
    assert [one.action for one in other[1:]] == ["model.promote", "model.promote", "model.rollback"]
    assert other[2].after == {"role": "none", "replaced_by": 2}
    assert other[2].at == history[2].at


def test_what_changes_nothing_is_not_noted(registry: StoredModelRegistry, database: Database) -> None:
    publish(registry, 2)
    registry.promote(1, ANN)
    registry.give_role(2, CHALLENGER, ANN)
    before = count(database, audit)
    registry.promote(1, ANN)
    registry.give_role(2, CHALLENGER, ANN)
    publish(registry, 2)
    assert count(database, audit) == before


def test_processes_that_change_at_once_do_not_disturb_each_other(
    registry: StoredModelRegistry, database: Database
) -> None:
    def change(n: int) -> int:
        version = registry.publish(package(bytes([n % 8])), ANN).model.version
        registry.promote(version, ANN)
        try:
            registry.give_role(version, CHALLENGER, ANN)
        except ModelConflict:  # it still is the champion
            before = registry.read_champion_before()
            if before is not None:
                try_to_roll_back(registry, before)
        return version

    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(change, range(32)))
    assert sorted(set(versions)) == list(range(1, 9))
    assert list(roles(registry).values()).count("champion") == 1
    assert len(roles(registry)) <= 2
    with database.write() as (connection, _):
        last = connection.scalar(
            select(champion_line.c.version).order_by(champion_line.c.place.desc()).limit(1)
        )
        connection.execute(delete(champion_line))
    champion = registry.read_champion()
    assert champion is not None
    assert last == champion.version


def try_to_roll_back(registry: StoredModelRegistry, before: PublishedModel) -> None:
    try:
        registry.roll_back(before.version, ANN)
    except ModelConflict:
        assert registry.read_champion() is not None
