"""Bytes by their hash, in parts of a few megabytes."""

import hashlib

from sqlalchemy import Connection, delete, select

from flagrank.storage.dialect import insert_into
from flagrank.storage.tables import artifact, artifact_part

_PART_BYTES = 4 * 2**20


def store_artifact(connection: Connection, sha256: str, content: bytes) -> None:
    """Store bytes under their hash; what is there already stays."""
    insert = insert_into(connection, artifact).on_conflict_do_nothing()
    connection.execute(insert, {"sha256": sha256, "size": len(content)})
    for part_no, begin in enumerate(range(0, len(content), _PART_BYTES)):
        connection.execute(
            insert_into(connection, artifact_part).on_conflict_do_nothing(),
            {"sha256": sha256, "part_no": part_no, "content": content[begin : begin + _PART_BYTES]},
        )


def load_artifact(connection: Connection, sha256: str) -> bytes | None:
    """The bytes of this hash; None where they are missing or damaged."""
    parts = connection.scalars(
        select(artifact_part.c.content)
        .where(artifact_part.c.sha256 == sha256)
        .order_by(artifact_part.c.part_no)
    )
    content = b"".join(parts)
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def delete_artifact(connection: Connection, sha256: str) -> None:
    """Delete bytes that nothing refers to any more."""
    connection.execute(delete(artifact).where(artifact.c.sha256 == sha256))
