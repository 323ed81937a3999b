"""The registry of published models: its words and its port."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

MAX_PACKAGE_BYTES = 256 * 2**20


class ModelRole(StrEnum):
    """What a published model does."""

    CHAMPION = "champion"
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
    sha256: str
    published_at: datetime
    metrics: Mapping[str, Any]


class ModelRegistry(Protocol):
    """Published models. Blocks and raises as the ports of tasks do."""

    def publish(self, publication: Publication) -> PublishedModel:
        """Store a package as the next version; the same bytes again are the version they already have."""
        ...

    def promote(self, version: int, *, unless_champion: bool = False) -> PublishedModel:
        """Make this the only champion, at once; returns the champion. Raises `ModelNotFound`.

        With `unless_champion` a champion that stands keeps its role.
        """
        ...

    def list_models(self) -> list[PublishedModel]:
        """All of them, newest first."""
        ...

    def read_model(self, version: int) -> PublishedModel:
        """One version; raises `ModelNotFound`."""
        ...

    def read_champion(self) -> PublishedModel | None:
        """The model that serves; None where none was promoted. Cheap enough to ask every second."""
        ...

    def load_package(self, version: int) -> bytes:
        """The bytes that were published, their hash checked; raises `ModelNotFound`, `PackageRefused`."""
        ...
