"""The store of policies: its words and its port."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from flagrank.triage.audit import AuditEntry, Change
from flagrank.triage.errors import PolicyNotFound
from flagrank.triage.policy import Policy


class PolicyVersion(msgspec.Struct, frozen=True):
    """A policy of the store, by when it was activated last; the built-in one may never have been."""

    policy: str  # its label, `night@2`
    version: int
    activated_at: datetime | None
    activated_by: str | None


class ShownPolicy(PolicyVersion, frozen=True):
    """A policy with its TOML, and all that there are: the active one first."""

    toml: str
    versions: Sequence[PolicyVersion]


def make_unknown_version(version: int | None) -> PolicyNotFound:
    """What someone is told who asks for a policy that never was."""
    return PolicyNotFound(f"No policy has version {version}. Look for it among those that were activated.")


class PolicyStore(Protocol):
    """Policies under their versions, of which one is active. Blocks; raises `StoreUnavailable`.

    A version is a number over all names. Until one is activated there is the built-in policy, version 1.
    """

    def read_active(self) -> Policy:
        """The policy activated last, the same object until it is another. Cheap enough to ask every second.

        Raises `PolicyRefused` where it is one that this program can't read.
        """
        ...

    def activate(
        self, toml: str, source: str, change: Change, *, replacing: int | UnsetType = UNSET
    ) -> Policy:
        """Make this the active policy, at once; returns it. `source` names it in errors.

        The text of a version is that version again, and of the active one no change. Raises `PolicyRefused`
        where it breaks a rule, `PolicyConflict` where `replacing` is given and is not the active version.
        """
        ...

    def read_toml(self, version: int) -> str:
        """The text of a version, as it was activated; raises `PolicyNotFound`."""
        ...

    def list_versions(self) -> Sequence[PolicyVersion]:
        """All versions, the active one first, then by when they were activated last."""
        ...

    def read_history(self, most: int) -> Sequence[AuditEntry]:
        """The last activations, newest first."""
        ...


def show_policy(store: PolicyStore, version: int | None) -> ShownPolicy:
    """A version, else the active one, as people and programs see it. Blocks; raises `PolicyNotFound`."""
    versions = store.list_versions()
    shown = next((one for one in versions if version in {None, one.version}), None)
    if shown is None:
        raise make_unknown_version(version)
    toml = store.read_toml(shown.version)
    return ShownPolicy(**msgspec.structs.asdict(shown), toml=toml, versions=versions)
