import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from flagrank.storage.engine import Database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.tables import artifact_part
from flagrank.triage.errors import ModelNotFound, PackageRefused
from flagrank.triage.model_registry import MAX_PACKAGE_BYTES, ModelRole, Publication
from tests.task_store import ago


@pytest.fixture
def registry(database: Database) -> StoredModelRegistry:
    return StoredModelRegistry(database)


def package(content: bytes = b"package", name: str = "report-priority") -> Publication:
    return Publication(name, content, {"roc_auc": {"value": 0.91}})


def test_a_package_is_published_without_a_role(registry: StoredModelRegistry) -> None:
    model = registry.publish(package())
    assert (model.name, model.version, model.role) == ("report-priority", 1, ModelRole.NONE)
    assert model.sha256 == hashlib.sha256(b"package").hexdigest()
    assert model.metrics == {"roc_auc": {"value": 0.91}}
    assert ago(60) < model.published_at <= ago(0)
    assert registry.read_model(1) == model
    assert registry.read_champion() is None


def test_versions_count_over_all_names(registry: StoredModelRegistry) -> None:
    versions = [registry.publish(package(bytes([n]), name)).version for n, name in enumerate("aba")]
    assert versions == [1, 2, 3]
    assert [model.version for model in registry.list_models()] == [3, 2, 1]


def test_the_same_package_twice_is_one_version(registry: StoredModelRegistry) -> None:
    first = registry.publish(package())
    registry.publish(package(b"other"))
    registry.promote(first.version)
    again = registry.publish(package())
    assert (again.version, again.role) == (1, ModelRole.CHAMPION)
    assert len(registry.list_models()) == 2


@pytest.mark.parametrize("size", [0, 1, 4 * 2**20, 9 * 2**20 + 5])
def test_a_package_comes_back_as_it_went_in(registry: StoredModelRegistry, size: int) -> None:
    content = bytes(n % 251 for n in range(1_000)) * (size // 1_000) + b"\x00" * (size % 1_000)
    model = registry.publish(package(content))
    assert registry.load_package(model.version) == content


def test_a_package_that_is_too_large_is_refused(registry: StoredModelRegistry) -> None:
    with pytest.raises(PackageRefused, match="larger"):
        registry.publish(package(bytes(MAX_PACKAGE_BYTES + 1)))


def test_a_damaged_package_is_not_loaded(registry: StoredModelRegistry, database: Database) -> None:
    registry.publish(package())
    with database.write() as (connection, _):
        connection.execute(update(artifact_part).values(content=b"packagf"))
    with pytest.raises(PackageRefused, match="damaged"):
        registry.load_package(1)


def test_promotion_makes_the_only_champion(registry: StoredModelRegistry) -> None:
    for n in range(3):
        registry.publish(package(bytes([n])))
    for version in (2, 3, 3, 1):
        assert registry.promote(version).version == version
        champion = registry.read_champion()
        assert champion is not None
        assert (champion.version, champion.role) == (version, ModelRole.CHAMPION)
        assert [model.role for model in registry.list_models()].count(ModelRole.CHAMPION) == 1


def test_a_standing_champion_may_be_left_alone(registry: StoredModelRegistry) -> None:
    for n in range(2):
        registry.publish(package(bytes([n])))
    assert registry.promote(1, unless_champion=True).version == 1
    assert registry.promote(2, unless_champion=True).version == 1
    assert registry.read_model(2).role is ModelRole.NONE


@pytest.mark.parametrize("version", [-1, 0, 2, 2**31, 2**63, 10**30])
def test_an_unknown_version_is_not_found(registry: StoredModelRegistry, version: int) -> None:
    registry.publish(package())
    for ask in (registry.read_model, registry.load_package, registry.promote):
        with pytest.raises(ModelNotFound):
            ask(version)
    assert registry.read_champion() is None


def test_processes_that_publish_and_promote_at_once_do_not_disturb_each_other(
    registry: StoredModelRegistry,
) -> None:
    def publish(n: int) -> int:
        version = registry.publish(package(bytes([n % 8]))).version
        registry.promote(version)
        return version

    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(publish, range(32)))
    assert sorted(set(versions)) == list(range(1, 9))
    assert [model.role for model in registry.list_models()].count(ModelRole.CHAMPION) == 1
