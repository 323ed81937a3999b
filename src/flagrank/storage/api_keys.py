"""Stored API keys."""

from typing import Any

from sqlalchemy import Row, select, update

from flagrank.storage.dialect import insert_new_rows
from flagrank.storage.engine import Database
from flagrank.storage.tables import ONE_KEY_A_NAME, api_key
from flagrank.triage.api_key import ApiKey, NewApiKey, Scope
from flagrank.triage.errors import KeyConflict, KeyNotFound

_COLUMNS = (
    api_key.c.key_id,
    api_key.c.name,
    api_key.c.scopes,
    api_key.c.moderator,
    api_key.c.created_at,
    api_key.c.revoked_at,
)
_IN_FORCE = api_key.c.revoked_at.is_(None)


class StoredApiKeys:
    """The port `ApiKeys` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: NewApiKey) -> ApiKey:
        """See the port."""
        with self._database.write() as (connection, now):
            row = {
                "key_id": key.key_id,
                "name": key.name,
                "digest": key.digest,
                "scopes": " ".join(sorted(key.scopes)),
                "moderator": key.moderator,
                "created_at": now,
            }
            if not insert_new_rows(connection, api_key, [row], ONE_KEY_A_NAME):
                raise KeyConflict(
                    f"A key named {key.name} is in force. Revoke it first, or choose another name."
                )
        return ApiKey(
            key_id=key.key_id,
            name=key.name,
            scopes=key.scopes,
            moderator=key.moderator,
            created_at=now,
            revoked_at=None,
        )

    def list_keys(self) -> list[ApiKey]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(api_key.c.created_at, api_key.c.key_id))
            return [_read_row(row) for row in rows]

    def revoke(self, name: str) -> ApiKey:
        """See the port."""
        with self._database.write() as (connection, now):
            row = connection.execute(
                update(api_key)
                .where(api_key.c.name == name, _IN_FORCE)
                .values(revoked_at=now)
                .returning(*_COLUMNS)
            ).one_or_none()
            if row is None:
                raise KeyNotFound(f"No key named {name} is in force. `flagrank keys list` shows them.")
        return _read_row(row)

    def find_key(self, digest: bytes) -> ApiKey | None:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(
                select(*_COLUMNS).where(api_key.c.digest == digest, _IN_FORCE)
            ).one_or_none()
        return None if row is None else _read_row(row)

    def has_keys(self) -> bool:
        """See the port."""
        with self._database.read() as connection:
            return connection.execute(select(api_key.c.key_id).limit(1)).first() is not None


def _read_row(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes.split())),
        moderator=row.moderator,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
