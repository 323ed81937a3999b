"""Published models, their roles and their packages."""

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, Row, delete, func, or_, select, update

from flagrank.storage.artifacts import delete_artifact, load_artifact, store_artifact
from flagrank.storage.audit import find_last_subject, read_audit, write_audit
from flagrank.storage.dialect import lock_until_commit
from flagrank.storage.engine import Database, Transaction
from flagrank.storage.tables import champion_line, model, model_trial
from flagrank.triage.audit import AuditAction, AuditEntry, Change
from flagrank.triage.errors import ModelConflict, ModelNotFound, PackageRefused
from flagrank.triage.model_registry import (
    MAX_PACKAGE_BYTES,
    ActiveModels,
    Assignment,
    ModelRole,
    Publication,
    Published,
    PublishedModel,
)

_LOCK = 0x666C6167_0001
_NO_VERSION = 2**31  # the column holds none so large
_SUBJECT = "model/"
_MODELS = select(model, model_trial.c.role.label("trial"), model_trial.c.share).outerjoin(
    model_trial, model_trial.c.version == model.c.version
)
_IS_CHAMPION = model.c.role == ModelRole.CHAMPION.value


class StoredModelRegistry:
    """The port `ModelRegistry` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, publication: Publication, change: Change) -> Published:
        """See the port."""
        if len(publication.content) > MAX_PACKAGE_BYTES:
            raise PackageRefused(
                f"The package is larger than the registry takes ({MAX_PACKAGE_BYTES:,} bytes). "
                "Make a smaller model."
            )
        sha256 = hashlib.sha256(publication.content).hexdigest()
        with self._database.write() as transaction:
            connection, now = transaction
            lock_until_commit(connection, _LOCK)
            standing = connection.execute(_MODELS.where(model.c.sha256 == sha256)).one_or_none()
            if standing is not None:
                return Published(_read_row(standing), is_new=False)
            store_artifact(connection, sha256, publication.content)
            version = _next_version(connection)
            row = {
                "version": version,
                "name": publication.name,
                "role": ModelRole.NONE.value,
                "sha256": sha256,
                "published_at": now,
                "metrics": msgspec.json.encode(publication.metrics),
            }
            connection.execute(model.insert(), row)
            published = _find(connection, version)
            after = {"name": published.name, "sha256": sha256}
            _note(transaction, change, AuditAction.PUBLISH, version, before=None, after=after)
        return Published(published, is_new=True)

    def promote(
        self,
        version: int,
        change: Change,
        *,
        replacing: int | UnsetType | None = UNSET,
        finding: str | None = None,
    ) -> PublishedModel:
        """See the port."""
        with self._database.write() as transaction:
            connection, _ = transaction
            lock_until_commit(connection, _LOCK)
            promoted = _find(connection, version)
            champion = _find_champion(connection)
            standing = None if champion is None else champion.version
            if replacing is not UNSET and replacing != standing:
                raise _refuse_other_champion(standing)
            if standing == version:
                return promoted
            _join_line(connection, champion)
            _replace_champion(transaction, champion, promoted, change, AuditAction.PROMOTE, finding=finding)
            promoted = _find(connection, version)
            _join_line(connection, promoted)
        return promoted

    def roll_back(self, to: int, change: Change) -> PublishedModel:
        """See the port."""
        with self._database.write() as transaction:
            connection, _ = transaction
            lock_until_commit(connection, _LOCK)
            champion = _find_champion(connection)
            before = _find_place_before(connection, champion)
            if champion is None or before is None or before.version != to:
                raise ModelConflict(
                    f"Version {to} is not, or no more, the champion before. "
                    "Look at the models again, then roll back."
                )
            connection.execute(delete(champion_line).where(champion_line.c.place > before.place))
            returned = _find(connection, to)
            _replace_champion(transaction, champion, returned, change, AuditAction.ROLL_BACK)
            return _find(connection, to)

    def give_role(self, version: int, assignment: Assignment, change: Change) -> PublishedModel:
        """See the port."""
        with self._database.write() as transaction:
            connection, _ = transaction
            lock_until_commit(connection, _LOCK)
            found = _find(connection, version)
            if found.role is ModelRole.CHAMPION:
                raise ModelConflict(
                    f"Version {version} is the champion, which has no other role. "
                    "Promote another version first, or roll back."
                )
            if assignment.role is not ModelRole.NONE:
                holder = connection.execute(
                    _MODELS.where(model_trial.c.role == assignment.role.value, model.c.version != version)
                ).one_or_none()
                if holder is not None:
                    _end_trial(transaction, _read_row(holder), change)
            connection.execute(delete(model_trial).where(model_trial.c.version == version))
            if assignment.role is not ModelRole.NONE:
                row = {"version": version, "role": assignment.role.value, "share": assignment.share}
                connection.execute(model_trial.insert(), row)
            given = _find(connection, version)
            if given != found:
                before, after = _describe_role(found), _describe_role(given)
                _note(transaction, change, AuditAction.GIVE_ROLE, version, before=before, after=after)
        return given

    def delete(self, version: int, change: Change) -> PublishedModel:
        """See the port."""
        with self._database.write() as transaction:
            connection, _ = transaction
            lock_until_commit(connection, _LOCK)
            found = _find(connection, version)
            before = _find_place_before(connection, _find_champion(connection))
            if found.role is not ModelRole.NONE:
                way_out = "Promote another version" if found.role is ModelRole.CHAMPION else "End that role"
                raise ModelConflict(f"Version {version} is the {found.role}. {way_out} before you delete it.")
            if before is not None and before.version == version:
                raise ModelConflict(
                    f"Version {version} is the champion before, which a rollback returns to. "
                    "Promote another version before you delete it."
                )
            connection.execute(delete(model_trial).where(model_trial.c.version == version))
            connection.execute(delete(model).where(model.c.version == version))
            delete_artifact(connection, found.sha256)
            was = {"name": found.name, "sha256": found.sha256}
            _note(transaction, change, AuditAction.DELETE, version, before=was, after=None)
        return found

    def list_models(self) -> list[PublishedModel]:
        """See the port."""
        with self._database.read() as connection:
            return [_read_row(row) for row in connection.execute(_MODELS.order_by(model.c.version.desc()))]

    def read_model(self, version: int) -> PublishedModel:
        """See the port."""
        with self._database.read() as connection:
            return _find(connection, version)

    def read_history(self, version: int) -> list[AuditEntry]:
        """See the port."""
        with self._database.read() as connection:
            return read_audit(connection, _name_subject(version))

    def read_active(self) -> ActiveModels:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(_MODELS.where(or_(_IS_CHAMPION, model_trial.c.role.is_not(None))))
            by_role = {found.role: found for found in map(_read_row, rows)}
        return ActiveModels(
            champion=by_role.get(ModelRole.CHAMPION),
            challenger=by_role.get(ModelRole.CHALLENGER),
            shadow=by_role.get(ModelRole.SHADOW),
        )

    def read_champion(self) -> PublishedModel | None:
        """See the port."""
        with self._database.read() as connection:
            return _find_champion(connection)

    def read_champion_before(self) -> PublishedModel | None:
        """See the port."""
        with self._database.read() as connection:
            before = _find_place_before(connection, _find_champion(connection))
            return None if before is None else _find(connection, before.version)

    def load_package(self, version: int) -> bytes:
        """See the port."""
        with self._database.read() as connection:
            content = load_artifact(connection, _find(connection, version).sha256)
            if content is None:
                _find(connection, version)  # it may have been deleted meanwhile
                raise PackageRefused(f"The stored package of model {version} is damaged. Publish it again.")
        return content


def _next_version(connection: Connection) -> int:
    """One more than any version that was ever given, also to a model that was deleted."""
    highest = connection.scalar(select(func.max(model.c.version))) or 0
    last = find_last_subject(connection, AuditAction.PUBLISH)
    return max(highest, int(last.removeprefix(_SUBJECT)) if last else 0) + 1


def _find(connection: Connection, version: int) -> PublishedModel:
    row = None
    if 0 < version < _NO_VERSION:
        row = connection.execute(_MODELS.where(model.c.version == version)).one_or_none()
    if row is None:
        raise ModelNotFound(
            f"No model has version {version}. `flagrank model list` shows those that there are."
        )
    return _read_row(row)


def _find_champion(connection: Connection) -> PublishedModel | None:
    row = connection.execute(_MODELS.where(_IS_CHAMPION)).one_or_none()
    return None if row is None else _read_row(row)


def _find_place_before(
    connection: Connection, champion: PublishedModel | None
) -> Row[*tuple[Any, ...]] | None:
    """The last place in the line that another model than the champion has.

    The champion itself may be missing from it: an older flagrank, which knows no line, may have promoted it.
    """
    if champion is None:
        return None
    return connection.execute(
        select(champion_line)
        .where(champion_line.c.version != champion.version)
        .order_by(champion_line.c.place.desc())
        .limit(1)
    ).one_or_none()


def _join_line(connection: Connection, champion: PublishedModel | None) -> None:
    """Put the champion at the end of the line, unless it stands there."""
    last = connection.execute(
        select(champion_line).order_by(champion_line.c.place.desc()).limit(1)
    ).one_or_none()
    if champion is not None and (last is None or last.version != champion.version):
        place = 1 if last is None else last.place + 1
        connection.execute(champion_line.insert(), {"place": place, "version": champion.version})


def _replace_champion(
    transaction: Transaction,
    champion: PublishedModel | None,
    following: PublishedModel,
    change: Change,
    action: AuditAction,
    *,
    finding: str | None = None,
) -> None:
    connection = transaction.connection
    if champion is not None:
        _set_role(connection, champion.version, ModelRole.NONE)
        role = {"role": ModelRole.NONE, "replaced_by": following.version}
        _note(transaction, change, action, champion.version, before=_describe_role(champion), after=role)
    connection.execute(delete(model_trial).where(model_trial.c.version == following.version))
    _set_role(connection, following.version, ModelRole.CHAMPION)
    after = {
        "role": ModelRole.CHAMPION,
        "replaces": None if champion is None else champion.version,
        **({} if finding is None else {"finding": finding}),
    }
    _note(transaction, change, action, following.version, before=_describe_role(following), after=after)


def _set_role(connection: Connection, version: int, role: ModelRole) -> None:
    connection.execute(update(model).where(model.c.version == version).values(role=role.value))


def _end_trial(transaction: Transaction, holder: PublishedModel, change: Change) -> None:
    transaction.connection.execute(delete(model_trial).where(model_trial.c.version == holder.version))
    before, after = _describe_role(holder), {"role": ModelRole.NONE}
    _note(transaction, change, AuditAction.GIVE_ROLE, holder.version, before=before, after=after)


def _note(
    transaction: Transaction,
    change: Change,
    action: AuditAction,
    version: int,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    write_audit(transaction, change, action, _name_subject(version), before=before, after=after)


def _name_subject(version: int) -> str:
    return f"{_SUBJECT}{version}"


def _describe_role(found: PublishedModel) -> dict[str, Any]:
    share = {} if found.share is None else {"share": found.share}
    return {"role": found.role, **share}


def _refuse_other_champion(standing: int | None) -> ModelConflict:
    stands = "no champion stands" if standing is None else f"version {standing} is the champion"
    return ModelConflict(
        f"Meanwhile the champion has changed: {stands}. Look at the models, and promote again."
    )


def _read_row(row: Row[*tuple[Any, ...]]) -> PublishedModel:
    role = ModelRole(row.role)
    if role is ModelRole.NONE and row.trial is not None:
        role = ModelRole(row.trial)
    return PublishedModel(
        name=row.name,
        version=row.version,
        role=role,
        share=row.share if role is ModelRole.CHALLENGER else None,
        sha256=row.sha256,
        published_at=row.published_at,
        metrics=msgspec.json.decode(row.metrics),
    )
