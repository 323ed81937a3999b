"""Takes scored reports into their cases, in the transaction that writes their task's result."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, FromClause, Select, bindparam, func, select

from flagrank.storage.case_rows import decode_evidence, evidence_values, rank_values
from flagrank.storage.case_tables import (
    IS_DECIDED,
    IS_UNDECIDED,
    ONE_CASE_A_TARGET,
    CaseState,
    decision,
    report,
    review_case,
)
from flagrank.storage.dialect import Among, insert_all_new, insert_new_rows, select_given, update_rows
from flagrank.storage.engine import Transaction
from flagrank.storage.known_reporters import KnownReporters, read_reporters, read_shares
from flagrank.storage.reporter_tables import reporter_group
from flagrank.triage.case import CaseReport, Evidence, Voice, add_report, is_answered, join_key
from flagrank.triage.draws import choose_blind_share
from flagrank.triage.identifiers import IdentifierSource, first_identifier
from flagrank.triage.policy import Policy
from flagrank.triage.review import Arrival

_LOCK_OPEN = (
    select(review_case.c.case_id, review_case.c.join_key, review_case.c.evidence)
    .where(Among(review_case.c.join_key, "keys"), IS_UNDECIDED)
    .order_by(review_case.c.join_key)  # always in one order, so that no two transactions wait for each other
    .with_for_update()
)
_LOCK_DECIDED = (
    select(review_case.c.case_id, review_case.c.join_key, review_case.c.evidence, review_case.c.decided_at)
    .where(Among(review_case.c.join_key, "keys"), IS_DECIDED, review_case.c.decided_at.is_not(None))
    .order_by(review_case.c.join_key, review_case.c.decided_at)
    .with_for_update()
)
_SELECT_KNOWN = select(report.c.report_id).where(Among(report.c.report_id, "ids"))

_COUNTED = timedelta(days=1)
_COUNT_EVERY = timedelta(minutes=1)
_COUNT_ARRIVED = select(func.count()).where(
    review_case.c.case_id >= bindparam("first", type_=review_case.c.case_id.type)
)
_COUNT_DECIDED = select(func.count()).where(
    decision.c.decided_at >= bindparam("since", type_=decision.c.decided_at.type)
)

_SAID = (
    func.max(report.c.log_odds).label("log_odds"),
    func.max(report.c.weight).label("weight"),
    func.max(report.c.record).label("record"),
)

_Pair = tuple[str, str]  # case and reporter


class CaseMoved(Exception):
    """A case of these reports came or went while they were taken in, or one of them came twice."""


class _Draft:
    """A case as it will be written, and the reports that it gets."""

    def __init__(self, case_id: str, evidence: Evidence | None, *, is_decided: bool = False) -> None:
        self.case_id = case_id
        self.is_new = evidence is None
        self.is_decided = is_decided
        self.evidence = evidence
        self.heard: list[tuple[Arrival, CaseReport]] = []
        self._voices: dict[str, Voice] = {}

    def know(self, reporter: str, voice: Voice) -> None:
        """What a reporter has said on it before."""
        self._voices[reporter] = voice

    def add(self, arrival: Arrival, counted: CaseReport) -> None:
        """Count a report, in the voice that its reporter has now."""
        before = None if counted.reporter is None else self._voices.get(counted.reporter)
        self.evidence = add_report(self.evidence, counted, before)
        if counted.reporter is not None:
            self._voices[counted.reporter] = before.join(counted.voice) if before else counted.voice
        self.heard.append((arrival, counted))


class _Flow:
    """What is counted again each minute: cases that came in and were decided, and what came of these."""

    def __init__(self) -> None:
        self._counted_at: datetime | None = None
        self._n_arrived = self._n_decided = 0
        self._shares: Mapping[str, float] = {}

    def choose_blind_share(self, transaction: Transaction, policy: Policy) -> float:
        """With which probability a new case is marked."""
        self._count(transaction, policy)
        return choose_blind_share(policy.draws.blind_share, self._n_arrived, self._n_decided)

    def read_reporters(
        self, transaction: Transaction, arrivals: Iterable[Arrival], policy: Policy
    ) -> KnownReporters:
        """What is known of those who sent these reports."""
        self._count(transaction, policy)
        connection, now = transaction
        named = {name for one in arrivals if (name := one.counted.reporter) is not None}
        return read_reporters(connection, named, now, self._shares, policy.reporters)

    def _count(self, transaction: Transaction, policy: Policy) -> None:
        connection, now = transaction
        if self._counted_at is None or not timedelta(0) <= now - self._counted_at < _COUNT_EVERY:
            self._counted_at = now
            since = {"since": now - _COUNTED, "first": first_identifier(now - _COUNTED)}
            self._n_arrived = connection.scalar(_COUNT_ARRIVED, since) or 0
            self._n_decided = connection.scalar(_COUNT_DECIDED, since) or 0
            self._shares = read_shares(connection, now, policy.reporters)


class CaseIntake:
    """Takes reports in, for one worker: the ids that it gives to new cases rise."""

    def __init__(
        self, chance: random.Random | None = None, identifiers: IdentifierSource | None = None
    ) -> None:
        self._chance = chance or random.SystemRandom()
        self._identifiers = identifiers or IdentifierSource()
        self._flow = _Flow()

    def take_in(self, transaction: Transaction, arrivals: Sequence[Arrival], policy: Policy) -> None:
        """Join reports into cases and rank these; a report_id that the store has is passed over.

        Raises `CaseMoved`, after which nothing of the transaction may be kept.
        """
        connection = transaction.connection
        keys = sorted({key for one in arrivals if (key := _key_of(one)) is not None})
        open_rows = connection.execute(_LOCK_OPEN, {"keys": keys}).all() if keys else []
        decided_rows = connection.execute(_LOCK_DECIDED, {"keys": keys}).all() if keys else []
        fresh = _leave_out_known(connection, arrivals)
        if not fresh:
            return
        open_drafts = {row.join_key: _Draft(row.case_id, decode_evidence(row.evidence)) for row in open_rows}
        decided = {  # of several the last, which is the newest
            row.join_key: (
                _Draft(row.case_id, decode_evidence(row.evidence), is_decided=True),
                row.decided_at,
            )
            for row in decided_rows
        }
        placed = self._place(fresh, open_drafts, decided)
        known = self._flow.read_reporters(transaction, fresh, policy)
        voiced = [(draft, arrival, known.give_voice(arrival.counted)) for draft, arrival in placed]
        _recall_voices(connection, [(draft, counted) for draft, _, counted in voiced], known)
        for draft, arrival, counted in voiced:
            draft.add(arrival, counted)
        drafts = list({draft.case_id: draft for draft, _ in placed}.values())
        blind_q = self._flow.choose_blind_share(transaction, policy)
        self._write(connection, drafts, policy, blind_q)

    def _place(
        self,
        arrivals: Sequence[Arrival],
        open_drafts: dict[str, _Draft],
        decided: Mapping[str, tuple[_Draft, datetime]],
    ) -> list[tuple[_Draft, Arrival]]:
        """The case of each report; new ones are made where it has none."""
        fresh_ids = iter(self._identifiers.make(len(arrivals)))
        placed = []
        for arrival in arrivals:
            key = _key_of(arrival)
            if key is None:
                draft = _Draft(next(fresh_ids), None)
            elif key in decided and is_answered(arrival.counted.made_at, decided[key][1]):
                draft = decided[key][0]
            else:
                if key not in open_drafts:
                    open_drafts[key] = _Draft(next(fresh_ids), None)
                draft = open_drafts[key]
            placed.append((draft, arrival))
        return placed

    def _write(
        self, connection: Connection, drafts: Sequence[_Draft], policy: Policy, blind_q: float
    ) -> None:
        made = [self._new_row(draft, policy, blind_q) for draft in drafts if draft.is_new]
        if made:
            made.sort(key=lambda row: row["join_key"] or "")
            inserted = insert_new_rows(connection, review_case, made, ONE_CASE_A_TARGET)
            if len(inserted) < len(made):
                raise CaseMoved
        joined = [_joined_row(draft, policy) for draft in drafts if not draft.is_new and not draft.is_decided]
        if joined:
            update_rows(connection, review_case, joined, {})
        answered = [
            {"case_id": draft.case_id, **evidence_values(_evidence(draft))}
            for draft in drafts
            if draft.is_decided
        ]
        if answered:
            update_rows(connection, review_case, answered, {})
        reports = [row for draft in drafts for row in _report_rows(draft)]
        reports.sort(key=itemgetter("report_id"))  # two workers that got the same ones wait in one order
        if not insert_all_new(connection, report, reports):
            raise CaseMoved

    def _new_row(self, draft: _Draft, policy: Policy, blind_q: float) -> dict[str, Any]:
        first = draft.heard[0][0]
        return {
            **_joined_row(draft, policy),
            "join_key": _key_of(first),
            "reported_id": first.reported_id,
            "content_id": first.content_id,
            "status": int(CaseState.OPEN),
            "blind": self._chance.random() < blind_q,
            "blind_q": blind_q,
            "lease_no": 0,
            "decision_no": 0,
        }


def _key_of(arrival: Arrival) -> str | None:
    return join_key(arrival.reported_id, arrival.content_id)


def _leave_out_known(connection: Connection, arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Those that the store does not have, each report_id once.

    After the cases are locked: whoever stored such a report a moment ago has committed.
    """
    by_id: dict[str, Arrival] = {}
    for arrival in arrivals:
        by_id.setdefault(arrival.report_id, arrival)
    known = set(connection.scalars(_SELECT_KNOWN, {"ids": list(by_id)}))
    return [arrival for report_id, arrival in by_id.items() if report_id not in known]


def _recall_voices(
    connection: Connection, placed: Sequence[tuple[_Draft, CaseReport]], known: KnownReporters
) -> None:
    """Tell each case that there was what those who report it now have said on it before."""
    pairs: dict[_Pair, _Draft] = {
        (draft.case_id, counted.reporter): draft
        for draft, counted in placed
        if not draft.is_new and counted.reporter is not None
    }
    names = set(known.groups.values())
    alone = [pair for pair in pairs if pair[1] not in names]
    together = [pair for pair in pairs if pair[1] in names]
    for asked, statement in ((alone, _recall_alone), (together, _recall_together)):
        if asked:
            rows = [{"case_id": case_id, "reporter_id": voice} for case_id, voice in asked]
            given, parameters = select_given(connection, report, rows)
            for row in connection.execute(statement(given), parameters):
                voice = Voice(row.log_odds, row.weight, row.record)
                pairs[row.case_id, row.voice].know(row.voice, voice)


def _recall_alone(given: FromClause) -> Select[*tuple[Any, ...]]:
    return (
        select(report.c.case_id, report.c.reporter_id.label("voice"), *_SAID)
        .join(given, (report.c.case_id == given.c.case_id) & (report.c.reporter_id == given.c.reporter_id))
        .group_by(report.c.case_id, report.c.reporter_id)
    )


def _recall_together(given: FromClause) -> Select[*tuple[Any, ...]]:
    """The same of groups: what any member has said."""
    return (
        select(report.c.case_id, reporter_group.c.name.label("voice"), *_SAID)
        .join(reporter_group, reporter_group.c.reporter_id == report.c.reporter_id)
        .join(given, (report.c.case_id == given.c.case_id) & (reporter_group.c.name == given.c.reporter_id))
        .group_by(report.c.case_id, reporter_group.c.name)
    )


def _evidence(draft: _Draft) -> Evidence:
    if draft.evidence is None:
        message = "A case has one report or more."
        raise ValueError(message)
    return draft.evidence


def _joined_row(draft: _Draft, policy: Policy) -> dict[str, Any]:
    evidence = _evidence(draft)
    return {"case_id": draft.case_id, **evidence_values(evidence), **rank_values(evidence, policy)}


def _report_rows(draft: _Draft) -> Iterable[dict[str, Any]]:
    for arrival, counted in draft.heard:
        yield {
            "report_id": arrival.report_id,
            "case_id": draft.case_id,
            "reporter_id": arrival.counted.reporter,
            "received_at": counted.received_at,
            "made_at": counted.made_at,
            "reason": counted.reason,
            "abuse_type": counted.abuse_type,
            "exposure": counted.exposure,
            "score": arrival.score,
            "log_odds": counted.voice.log_odds,
            "weight": counted.voice.weight,
            "record": counted.voice.record,
            "model_name": arrival.model.name,
            "model_version": arrival.model.version,
            "is_answered": draft.is_decided,
            "fields": arrival.fields,
            "content_text": arrival.content_text,
        }
