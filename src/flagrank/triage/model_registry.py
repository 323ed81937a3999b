"""The registry of published models: its words and its port."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from flagrank.triage.audit import AuditEntry, Change
from flagrank.triage.errors import ChangeRefused
from flagrank.triage.gate import Gate

MAX_PACKAGE_BYTES = 256 * 2**20
DEFAULT_SHARE = 0.1


class ModelRole(StrEnum):
    """What a published model does; there is at most one of each but `NONE`."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"
    NONE = "none"


class Publication(msgspec.Struct, frozen=True):
    """A package to publish: its bytes (a .zip made the same way each time), and what lists show of it."""

    name: str
    content: bytes
    metrics: Mapping[str, Any]


class PublishedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the registry; `version` counts over all names, `sha256` is that of the package's bytes."""

    name: str
    version: int
    role: ModelRole
    share: float | None = None  # of a challenger
    sha256: str
    published_at: datetime
    metrics: Mapping[str, Any]


class Published(msgspec.Struct, frozen=True):
    """The version that stands for a package; not new where the same package was published before."""

    model: PublishedModel
    is_new: bool


class Promoted(msgspec.Struct, frozen=True):
    """The champion, and how it compared with the one it replaced; None where it replaced none."""

    model: PublishedModel
    gate: Gate | None


class ActiveModels(msgspec.Struct, frozen=True):
    """The models that have a role."""

    champion: PublishedModel | None = None
    challenger: PublishedModel | None = None
    shadow: PublishedModel | None = None


class Assignment(msgspec.Struct, frozen=True):
    """A role to give to a model that is no champion, and a challenger's share of the reports."""

    role: ModelRole
    share: float | None


def make_assignment(role: ModelRole, share: float | None) -> Assignment:
    """The role with its share. Raises `ChangeRefused` where the two don't go together."""
    if role is ModelRole.CHAMPION:
        raise ChangeRefused('The role "champion" is given by promoting. Promote the version instead.')
    if role is not ModelRole.CHALLENGER:
        if share is not None:
            raise ChangeRefused(f"Only a challenger has a share, and the role is {role}. Leave share out.")
        return Assignment(role, None)
    share = DEFAULT_SHARE if share is None else share
    if not 0 < share <= 1:
        raise ChangeRefused(f"share is {share:g}; expected a number over 0, at most 1. Send 0.1 for a tenth.")
    return Assignment(role, share)


class ModelRegistry(Protocol):
    """Published models. Blocks and raises as the ports of tasks do; each change leaves its audit rows."""

    def publish(self, publication: Publication, change: Change) -> Published:
        """Store a package as the next version; the same bytes again are the version they already have.

        A version is never given twice, also where its model was deleted.
        """
        ...

    def promote(
        self,
        version: int,
        change: Change,
        *,
        replacing: int | UnsetType | None = UNSET,
        finding: str | None = None,
    ) -> PublishedModel:
        """Make this the only champion, at once; returns it. Any other role of it ends.

        `replacing` is the champion that must still stand, None where none may; `finding` is kept with the
        change. Raises `ModelNotFound`, or `ModelConflict` where another champion stands.
        """
        ...

    def roll_back(self, to: int, change: Change) -> PublishedModel:
        """Make the champion before the champion again, and forget the promotion that this undoes.

        Raises `ModelConflict` where `to` is not what `read_champion_before` gives.
        """
        ...

    def give_role(self, version: int, assignment: Assignment, change: Change) -> PublishedModel:
        """Give a model another role; who had it before has none. Raises `ModelNotFound`, `ModelConflict`."""
        ...

    def delete(self, version: int, change: Change) -> PublishedModel:
        """Delete a model and its package; returns what it was.

        Raises `ModelNotFound`, or `ModelConflict` where it has a role, or is what a rollback returns to.
        """
        ...

    def list_models(self) -> list[PublishedModel]:
        """All of them, newest first."""
        ...

    def read_model(self, version: int) -> PublishedModel:
        """One version; raises `ModelNotFound`."""
        ...

    def read_history(self, version: int) -> list[AuditEntry]:
        """What was done to a version, also to one that was deleted, oldest first."""
        ...

    def read_active(self) -> ActiveModels:
        """The models that have a role. Cheap enough to ask every second."""
        ...

    def read_champion(self) -> PublishedModel | None:
        """The model that serves; None where none was promoted."""
        ...

    def read_champion_before(self) -> PublishedModel | None:
        """The model that a rollback returns to; None where there is none."""
        ...

    def load_package(self, version: int) -> bytes:
        """The bytes that were published, their hash checked; raises `ModelNotFound`, `PackageRefused`."""
        ...


class CheckedChanges(Protocol):
    """Changes of the registry for which packages are read, verified and compared first; they take seconds.

    Blocks, and may be called from any thread. Whatever is raised, nothing was changed.
    """

    def publish(self, content: bytes, change: Change) -> Published:
        """Verify and store the package that is a .zip of these bytes; raises `PackageRefused`."""
        ...

    def promote(self, version: int, change: Change, *, is_forced: bool) -> Promoted:
        """Promote a version that can be loaded, reads the reports, and is not clearly worse, unless forced.

        Raises `ModelNotFound`, `PackageRefused`, `SchemaRefused`, `GateRefused`, or `ModelConflict`.
        """
        ...

    def roll_back(self, change: Change, *, to: int | None = None) -> PublishedModel:
        """Return to the champion before, where it can be loaded.

        Raises `PackageRefused`, `SchemaRefused`, or `ModelConflict` where there is none, or it is not `to`.
        """
        ...
