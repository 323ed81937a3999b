"""The log of what shadows would have scored: a ring of the newest entries."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, func, select

from flagrank.storage.dialect import insert_rows, lock_until_commit
from flagrank.storage.engine import Database
from flagrank.storage.tables import model, shadow_log
from flagrank.triage.shadow import SUMMARISED, ShadowScore, ShadowSummary, summarise_scores

KEPT = 100_000
_LOCK = 0x666C6167_0002


class StoredShadowLog:
    """The port `ShadowLog` on a database."""

    def __init__(self, database: Database, kept: int = KEPT) -> None:
        self._database = database
        self._kept = kept

    def append(self, scores: Sequence[ShadowScore]) -> None:
        """See the port. What belongs to a model that was deleted meanwhile is dropped."""
        with self._database.write() as (connection, now):
            lock_until_commit(connection, _LOCK)
            known = set(
                connection.scalars(
                    select(model.c.version).where(
                        model.c.version.in_({score.shadow_version for score in scores})
                    )
                )
            )
            rows = [
                {"at": now, **msgspec.structs.asdict(score)}
                for score in scores
                if score.shadow_version in known
            ]
            if rows:
                insert_rows(connection, shadow_log, rows)
            newest = connection.scalar(select(func.max(shadow_log.c.log_id))) or 0
            connection.execute(delete(shadow_log).where(shadow_log.c.log_id <= newest - self._kept))

    def summarise(self, shadow_version: int) -> ShadowSummary | None:
        """See the port."""
        of_shadow = shadow_log.c.shadow_version == shadow_version
        with self._database.read() as connection:
            last = connection.execute(
                select(shadow_log.c.champion_version)
                .where(of_shadow)
                .order_by(shadow_log.c.log_id.desc())
                .limit(1)
            ).scalar_one_or_none()
            rows = connection.execute(
                select(shadow_log.c.at, shadow_log.c.champion_score, shadow_log.c.shadow_score)
                .where(of_shadow, shadow_log.c.champion_version == last)
                .order_by(shadow_log.c.log_id.desc())
                .limit(SUMMARISED)
            ).all()
        if last is None or not rows:
            return None
        return summarise_scores(last, rows[-1].at, [(row.champion_score, row.shadow_score) for row in rows])
