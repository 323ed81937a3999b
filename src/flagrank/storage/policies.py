"""Policies, of which one is active."""

import hashlib
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from sqlalchemy import Column, Connection, Row, func, select, update

from flagrank.storage.audit import read_audit_of, write_audit
from flagrank.storage.dialect import lock_until_commit
from flagrank.storage.engine import Database
from flagrank.storage.tables import policy
from flagrank.triage.audit import AuditAction, AuditEntry, Change
from flagrank.triage.errors import PolicyConflict
from flagrank.triage.policy import Policy
from flagrank.triage.policy_file import parse_policy
from flagrank.triage.policy_ports import PolicyVersion, make_unknown_version

BUILT_IN = 1  # its version
_LOCK = 0x666C6167_0009
_NO_VERSION = 2**31  # the column holds none so large
_LAST_FIRST = select(policy).order_by(policy.c.activation.desc())


class StoredPolicies:
    """The port `PolicyStore` on a database."""

    def __init__(self, database: Database, built_in: str) -> None:
        """`built_in` is the TOML of the policy that is active until another one was activated."""
        self._database = database
        self._built_in = built_in
        self._active: Policy | None = None

    def read_active(self) -> Policy:
        """See the port."""
        with self._database.read() as connection:
            version = connection.scalar(_LAST_FIRST.with_only_columns(policy.c.version).limit(1)) or BUILT_IN
            active = self._active
            if active is None or active.version != version:
                told = f"Policy {version} in the database"
                active = parse_policy(self._find_toml(connection, version), told, version)
        self._active = active
        return active

    def activate(
        self, toml: str, source: str, change: Change, *, replacing: int | UnsetType = UNSET
    ) -> Policy:
        """See the port."""
        given = parse_policy(toml, source, BUILT_IN)
        sha256 = _digest(toml)
        with self._database.write() as transaction:
            connection, now = transaction
            lock_until_commit(connection, _LOCK)
            self._keep_built_in(connection)
            before = _read_version(connection.execute(_LAST_FIRST.limit(1)).one())
            if replacing is not UNSET and replacing != before.version:
                raise PolicyConflict(
                    f"Meanwhile {before.policy} was activated. Look at what changes again, then activate."
                )
            standing = connection.scalar(select(policy.c.version).where(policy.c.sha256 == sha256))
            after = replace(given, version=standing or 1 + _find_highest(connection, policy.c.version))
            if after.version == before.version:
                return after
            last = {
                "activation": 1 + _find_highest(connection, policy.c.activation),
                "activated_at": now,
                "activated_by": change.actor,
            }
            if standing is None:
                row = {"version": after.version, "name": after.name, "toml": toml, "sha256": sha256}
                connection.execute(policy.insert(), row | last)
            else:
                connection.execute(update(policy).where(policy.c.version == standing).values(last))
            was, now_is = {"policy": before.policy}, {"policy": after.label}
            subject = f"policy/{after.version}"
            write_audit(transaction, change, AuditAction.ACTIVATE, subject, before=was, after=now_is)
        return after

    def read_toml(self, version: int) -> str:
        """See the port."""
        with self._database.read() as connection:
            return self._find_toml(connection, version)

    def list_versions(self) -> Sequence[PolicyVersion]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(_LAST_FIRST).all()
        if rows:
            return [_read_version(row) for row in rows]
        return [PolicyVersion(_parse_built_in(self._built_in).label, BUILT_IN, None, None)]

    def read_history(self, most: int) -> Sequence[AuditEntry]:
        """See the port."""
        with self._database.read() as connection:
            return read_audit_of(connection, AuditAction.ACTIVATE, most)

    def _find_toml(self, connection: Connection, version: int) -> str:
        toml = None
        if 0 < version < _NO_VERSION:
            toml = connection.scalar(select(policy.c.toml).where(policy.c.version == version))
        if toml is None and version == BUILT_IN:  # nothing was ever activated
            toml = self._built_in
        if toml is None:
            raise make_unknown_version(version)
        return toml

    def _keep_built_in(self, connection: Connection) -> None:
        """Store it before another takes its place: the next release may have another one."""
        if connection.scalar(select(policy.c.version).limit(1)) is None:
            row = {
                "version": BUILT_IN,
                "name": _parse_built_in(self._built_in).name,
                "toml": self._built_in,
                "sha256": _digest(self._built_in),
                "activation": 0,
            }
            connection.execute(policy.insert(), row)


def _parse_built_in(toml: str) -> Policy:
    return parse_policy(toml, "The built-in policy", BUILT_IN)


def _find_highest(connection: Connection, column: Column[int]) -> int:
    return connection.scalar(select(func.max(column))) or 0


def _read_version(row: Row[*tuple[Any, ...]]) -> PolicyVersion:
    return PolicyVersion(f"{row.name}@{row.version}", row.version, row.activated_at, row.activated_by)


def _digest(toml: str) -> str:
    return hashlib.sha256(toml.encode()).hexdigest()
