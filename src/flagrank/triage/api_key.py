"""API keys: who may do what; of a key itself only a hash is ever stored."""

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec


class Scope(StrEnum):
    """What a key allows."""

    SCORE = "score"
    TASKS = "tasks"
    REVIEW = "review"
    MODELS = "models"
    POLICY = "policy"
    ADMIN = "admin"
    METRICS = "metrics"


class NewApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to store; `digest` is the hash of its secret."""

    key_id: str
    name: str
    digest: bytes
    scopes: frozenset[Scope]
    moderator: str | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key, without anything that could be used in its place."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    moderator: str | None
    created_at: datetime
    revoked_at: datetime | None


def make_secret() -> str:
    """A new key, which only its owner keeps: 256 random bits behind a word that can be searched for."""
    return f"flagrank_{secrets.token_urlsafe(32)}"


def hash_secret(secret: bytes) -> bytes:
    """What is stored of a key; without salt and stretching, as 256 random bits can't be guessed."""
    return hashlib.sha256(secret).digest()


class ApiKeys(Protocol):
    """Stored keys. Blocks and raises as the ports of tasks do."""

    def create(self, key: NewApiKey) -> ApiKey:
        """Store a key; raises `KeyConflict` where a key of this name is in force."""
        ...

    def list_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too, oldest first."""
        ...

    def revoke(self, name: str) -> ApiKey:
        """End the key of this name that is in force; raises `KeyNotFound`."""
        ...

    def find_key(self, digest: bytes) -> ApiKey | None:
        """The key in force whose secret has this hash, else None."""
        ...

    def has_keys(self) -> bool:
        """Whether a key was ever made: revoking the last one opens nothing."""
        ...
