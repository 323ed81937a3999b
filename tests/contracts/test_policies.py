import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from flagrank.settings import load_default_policy, read_default_policy
from flagrank.storage.engine import Database
from flagrank.storage.policies import StoredPolicies
from flagrank.storage.tables import audit, policy
from flagrank.triage.audit import AuditAction, Change
from flagrank.triage.errors import PolicyConflict, PolicyNotFound, PolicyRefused

DEFAULT = read_default_policy()
ANN = Change("user:ann", "It is night.")


@pytest.fixture
def policies(database: Database) -> StoredPolicies:
    return StoredPolicies(database, DEFAULT)


def named(name: str) -> str:
    return DEFAULT.replace('name = "default"', f'name = "{name}"')


def activate(policies: StoredPolicies, toml: str) -> str:
    return policies.activate(toml, "x.toml", ANN).label


def labels(policies: StoredPolicies) -> list[str]:
    return [one.policy for one in policies.list_versions()]


def count_audit(database: Database) -> int | None:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(audit))


def test_until_one_is_activated_the_built_in_policy_is_active(policies: StoredPolicies) -> None:
    assert policies.read_active() == load_default_policy()
    (version,) = policies.list_versions()
    assert (version.policy, version.version, version.activated_at) == ("default@1", 1, None)
    assert policies.read_toml(1) == DEFAULT
    assert policies.read_history(10) == []


def test_a_policy_is_active_at_once_also_for_others(policies: StoredPolicies, database: Database) -> None:
    other = StoredPolicies(database, DEFAULT)
    assert other.read_active().label == "default@1"
    assert activate(policies, named("night")) == "night@2"
    assert policies.read_active().label == other.read_active().label == "night@2"
    assert other.read_toml(2) == named("night")
    active, before = other.list_versions()
    assert (active.policy, active.version, active.activated_by) == ("night@2", 2, "user:ann")
    assert active.activated_at is not None
    assert (before.policy, before.activated_at) == ("default@1", None)


def test_the_active_policy_is_the_same_object_until_it_is_another(policies: StoredPolicies) -> None:
    first = policies.read_active()
    assert policies.read_active() is first
    activate(policies, named("night"))
    assert policies.read_active() is policies.read_active() is not first


def test_versions_count_over_all_names(policies: StoredPolicies) -> None:
    made = [activate(policies, named(name)) for name in ("night", "day", "default-2")]
    assert made == ["night@2", "day@3", "default-2@4"]


def test_the_text_of_a_version_is_that_version_again(policies: StoredPolicies) -> None:
    assert activate(policies, named("night")) == "night@2"
    assert activate(policies, DEFAULT) == "default@1"
    assert policies.read_active() == load_default_policy()
    assert activate(policies, named("night")) == "night@2"
    assert labels(policies) == ["night@2", "default@1"]
    assert activate(policies, named("day")) == "day@3"


def test_the_active_text_again_changes_nothing(policies: StoredPolicies, database: Database) -> None:
    assert activate(policies, DEFAULT) == "default@1"
    activate(policies, named("night"))
    before = policies.list_versions()
    assert activate(policies, named("night")) == "night@2"
    assert policies.list_versions() == before
    assert count_audit(database) == 1


def test_the_built_in_policy_that_was_replaced_is_kept_as_it_was(
    policies: StoredPolicies, database: Database
) -> None:
    activate(policies, named("night"))
    of_next_release = StoredPolicies(database, DEFAULT.replace("spam = 1", "spam = 3"))
    assert of_next_release.read_toml(1) == DEFAULT
    assert activate(of_next_release, DEFAULT.replace("spam = 1", "spam = 3")) == "default@3"


def test_each_activation_is_told_newest_first(policies: StoredPolicies, database: Database) -> None:
    activate(policies, named("night"))
    activate(policies, DEFAULT)
    newest, oldest = policies.read_history(10)
    assert (newest.action, newest.actor, newest.reason) == (AuditAction.ACTIVATE, ANN.actor, ANN.reason)
    assert (oldest.before, oldest.after) == ({"policy": "default@1"}, {"policy": "night@2"})
    assert (newest.before, newest.after) == ({"policy": "night@2"}, {"policy": "default@1"})
    assert policies.read_history(1) == [newest]
    with database.read() as connection:
        assert list(connection.scalars(select(audit.c.subject).order_by(audit.c.audit_id))) == [
            "policy/2",
            "policy/1",
        ]


def test_a_policy_that_breaks_a_rule_is_refused_by_place_and_nothing_changes(
    policies: StoredPolicies, database: Database
) -> None:
    with pytest.raises(PolicyRefused, match=r"^night\.toml: severities\.spam is 0; "):
        policies.activate(DEFAULT.replace("spam = 1", "spam = 0"), "night.toml", ANN)
    assert labels(policies) == ["default@1"]
    assert count_audit(database) == 0


def test_who_looked_at_another_policy_is_told_which_one_stands_now(policies: StoredPolicies) -> None:
    activate(policies, named("night"))
    with pytest.raises(PolicyConflict, match="Meanwhile night@2 was activated"):
        policies.activate(named("day"), "x.toml", ANN, replacing=1)
    assert labels(policies) == ["night@2", "default@1"]
    assert policies.activate(named("day"), "x.toml", ANN, replacing=2).label == "day@3"


def test_who_looked_at_the_built_in_policy_may_replace_it(policies: StoredPolicies) -> None:
    assert policies.activate(named("day"), "x.toml", ANN, replacing=1).label == "day@2"


@pytest.mark.parametrize("version", [0, -1, 2, 2**31, 10**30])
def test_a_version_that_never_was_is_told(policies: StoredPolicies, version: int) -> None:
    with pytest.raises(PolicyNotFound, match=f"No policy has version {version}"):
        policies.read_toml(version)


def test_a_policy_that_this_program_cannot_read_is_told_by_its_number(
    policies: StoredPolicies, database: Database
) -> None:
    activate(policies, named("night"))
    with database.write() as (connection, _):
        connection.execute(update(policy).where(policy.c.version == 2).values(toml='of_a_newer_one = "x"'))
    with pytest.raises(PolicyRefused, match="Policy 2 in the database: of_a_newer_one is no key of a policy"):
        StoredPolicies(database, DEFAULT).read_active()


def test_policies_activated_at_once_get_different_versions(policies: StoredPolicies) -> None:
    start = threading.Barrier(8)

    def race(n: int) -> str:
        start.wait()
        return activate(policies, named(f"p{n}"))

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(race, range(8)))
    assert sorted(int(label.partition("@")[2]) for label in made) == list(range(2, 10))
    assert policies.read_active().label in made
    assert len(policies.read_history(20)) == 8


@pytest.mark.parametrize("name", ["Größte Wut", "\U0001f4a9", 'a "quoted" one'])
def test_a_text_comes_back_as_it_was(policies: StoredPolicies, name: str) -> None:
    toml = f"# {name}\r\n{named('night')}"
    activate(policies, toml)
    assert policies.read_toml(2) == toml
