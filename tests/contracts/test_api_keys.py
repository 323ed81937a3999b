import pytest

from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.engine import Database
from flagrank.triage.api_key import NewApiKey, Scope
from flagrank.triage.errors import KeyConflict, KeyNotFound
from tests.task_store import ago, identifiers


@pytest.fixture
def keys(database: Database) -> StoredApiKeys:
    return StoredApiKeys(database)


def new(name: str, digest: bytes = b"digest", moderator: str | None = None) -> NewApiKey:
    return NewApiKey(
        key_id=identifiers.make()[0],
        name=name,
        digest=digest,
        scopes=frozenset({Scope.SCORE, Scope.TASKS}),
        moderator=moderator,
    )


def test_a_key_is_found_by_the_hash_of_its_secret(keys: StoredApiKeys) -> None:
    made = keys.create(new("backend", moderator="ann"))
    assert keys.find_key(b"digest") == made
    assert keys.find_key(b"other") is None
    assert (made.name, made.moderator) == ("backend", "ann")
    assert made.scopes == {Scope.SCORE, Scope.TASKS}
    assert made.revoked_at is None
    assert ago(60) < made.created_at <= ago(0)


def test_a_revoked_key_is_no_longer_found_but_listed(keys: StoredApiKeys) -> None:
    keys.create(new("backend"))
    revoked = keys.revoke("backend")
    assert revoked.revoked_at is not None
    assert keys.find_key(b"digest") is None
    assert keys.list_keys() == [revoked]


def test_a_name_is_given_once_until_it_is_revoked(keys: StoredApiKeys) -> None:
    first = keys.create(new("backend", b"1"))
    with pytest.raises(KeyConflict, match="backend"):
        keys.create(new("backend", b"2"))
    assert keys.find_key(b"2") is None
    keys.revoke("backend")
    second = keys.create(new("backend", b"2"))
    assert [key.key_id for key in keys.list_keys()] == [first.key_id, second.key_id]
    assert keys.revoke("backend").key_id == second.key_id


def test_revoking_what_is_not_in_force_is_refused(keys: StoredApiKeys) -> None:
    keys.create(new("backend"))
    keys.revoke("backend")
    for name in ("backend", "other"):
        with pytest.raises(KeyNotFound, match=name):
            keys.revoke(name)


def test_once_there_was_a_key_there_are_keys(keys: StoredApiKeys) -> None:
    assert not keys.has_keys()
    keys.create(new("backend"))
    keys.revoke("backend")
    assert keys.has_keys()
