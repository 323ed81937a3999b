"""Published models and their packages."""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from flagrank.storage.dialect import insert_into, lock_until_commit
from flagrank.storage.engine import Database
from flagrank.storage.tables import artifact, artifact_part, model
from flagrank.triage.errors import ModelNotFound, PackageRefused
from flagrank.triage.model_registry import MAX_PACKAGE_BYTES, ModelRole, Publication, PublishedModel

_LOCK = 0x666C6167_0001
_PART_BYTES = 4 * 2**20
_NO_VERSION = 2**31  # the column holds none so large


class StoredModelRegistry:
    """The port `ModelRegistry` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, publication: Publication) -> PublishedModel:
        """See the port."""
        if len(publication.content) > MAX_PACKAGE_BYTES:
            raise PackageRefused(
                f"The package is larger than the registry takes ({MAX_PACKAGE_BYTES:,} bytes). "
                "Make a smaller model."
            )
        sha256 = hashlib.sha256(publication.content).hexdigest()
        with self._database.write() as (connection, now):
            lock_until_commit(connection, _LOCK)
            row = connection.execute(select(model).where(model.c.sha256 == sha256)).one_or_none()
            if row is None:
                _store_artifact(connection, sha256, publication.content)
                last = connection.scalar(select(func.max(model.c.version)))
                row = connection.execute(
                    model.insert().returning(model),
                    {
                        "version": (last or 0) + 1,
                        "name": publication.name,
                        "role": ModelRole.NONE.value,
                        "sha256": sha256,
                        "published_at": now,
                        "metrics": msgspec.json.encode(publication.metrics),
                    },
                ).one()
        return _read_row(row)

    def promote(self, version: int, *, unless_champion: bool = False) -> PublishedModel:
        """See the port."""
        with self._database.write() as (connection, _):
            lock_until_commit(connection, _LOCK)
            row = _find(connection, version)
            champion = _find_champion(connection)
            if champion is not None and (unless_champion or champion.version == version):
                return _read_row(champion)
            if champion is not None:
                _give_role(connection, champion.version, ModelRole.NONE)
            row = _give_role(connection, version, ModelRole.CHAMPION)
        return _read_row(row)

    def list_models(self) -> list[PublishedModel]:
        """See the port."""
        with self._database.read() as connection:
            return [
                _read_row(row) for row in connection.execute(select(model).order_by(model.c.version.desc()))
            ]

    def read_model(self, version: int) -> PublishedModel:
        """See the port."""
        with self._database.read() as connection:
            return _read_row(_find(connection, version))

    def read_champion(self) -> PublishedModel | None:
        """See the port."""
        with self._database.read() as connection:
            row = _find_champion(connection)
        return None if row is None else _read_row(row)

    def load_package(self, version: int) -> bytes:
        """See the port."""
        with self._database.read() as connection:
            sha256 = _find(connection, version).sha256
            parts = connection.scalars(
                select(artifact_part.c.content)
                .where(artifact_part.c.sha256 == sha256)
                .order_by(artifact_part.c.part_no)
            )
            content = b"".join(parts)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise PackageRefused(f"The stored package of model {version} is damaged. Publish it again.")
        return content


def _store_artifact(connection: Connection, sha256: str, content: bytes) -> None:
    insert = insert_into(connection, artifact).on_conflict_do_nothing()
    connection.execute(insert, {"sha256": sha256, "size": len(content)})
    for part_no, begin in enumerate(range(0, len(content), _PART_BYTES)):
        connection.execute(
            insert_into(connection, artifact_part).on_conflict_do_nothing(),
            {"sha256": sha256, "part_no": part_no, "content": content[begin : begin + _PART_BYTES]},
        )


def _find(connection: Connection, version: int) -> Row[*tuple[Any, ...]]:
    row = None
    if 0 < version < _NO_VERSION:
        row = connection.execute(select(model).where(model.c.version == version)).one_or_none()
    if row is None:
        raise ModelNotFound(
            f"No model has version {version}. `flagrank model list` shows those that there are."
        )
    return row


def _find_champion(connection: Connection) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(select(model).where(model.c.role == ModelRole.CHAMPION.value)).one_or_none()


def _give_role(connection: Connection, version: int, role: ModelRole) -> Row[*tuple[Any, ...]]:
    return connection.execute(
        update(model).where(model.c.version == version).values(role=role.value).returning(model)
    ).one()


def _read_row(row: Row[*tuple[Any, ...]]) -> PublishedModel:
    return PublishedModel(
        name=row.name,
        version=row.version,
        role=ModelRole(row.role),
        sha256=row.sha256,
        published_at=row.published_at,
        metrics=msgspec.json.decode(row.metrics),
    )
