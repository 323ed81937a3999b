"""Whatever reporters, moderators and clocks do in whatever order, queue and a model in plain Python agree."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from flagrank.storage.case_tables import report, review_case
from flagrank.storage.engine import open_database
from flagrank.storage.leases import StoredLeasing
from flagrank.triage.case import gather_evidence
from flagrank.triage.errors import CaseConflict, OwnCause, TooManyLeases
from flagrank.triage.policy import DrawShares
from flagrank.triage.priority import Standing
from flagrank.triage.review import (
    Arrival,
    CaseStatus,
    LeaseDraw,
    LeaseLimits,
    LeaseRequest,
    QueueCase,
    QueueCursor,
    QueueQuery,
    Verdict,
)
from tests.case_store import POLICY, CaseStore, arrival, ids
from tests.databases import KINDS, make_databases
from tests.expected_cases import SAID, Expected, ExpectedDecision, ExpectedLease, Said, key_of

MODERATORS = st.sampled_from(["ann", "bob", "eve", "dan"])  # the first two have a part in some cases
HOUR = 3_600
DAY = timedelta(days=1)
LIMITS = LeaseLimits(of_one=4, of_all=7)
BY_PRIORITY = POLICY
BY_ALL = msgspec.structs.replace(POLICY, draws=DrawShares(0.5, 0.5))


class NoChance(random.Random):
    """Shares of an odd number are rounded down, so that the model knows what is drawn."""

    def random(self) -> float:
        return 0.5


class QueueMachine(RuleBasedStateMachine):
    """Steps of two workers and three moderators; a lease of no seconds is one that runs out at once."""

    urls: ClassVar[Iterator[str]]  # of databases without rows

    def __init__(self) -> None:
        super().__init__()
        self.database = open_database(next(self.urls))
        self.workers = [CaseStore(self.database, limits=LIMITS) for _ in range(2)]
        self.store = self.workers[0]
        self.leasing = StoredLeasing(self.database, LIMITS, NoChance())
        self.cases: dict[str, Expected] = {}
        self.report_ids: list[str] = []
        self.put_aside: set[tuple[str, str]] = set()
        self.touched: set[str] = set()

    def teardown(self) -> None:
        for case in self.cases.values():
            self.check_detail(case)
        self.database.close()

    # What comes in.

    @initialize(said=st.lists(SAID, min_size=4, max_size=8), data=st.data())
    def begin(self, said: list[Said], data: st.DataObject) -> None:
        self.take_in_of(said, 0, data)

    @rule(said=st.lists(SAID, min_size=1, max_size=5), worker=st.integers(0, 1), data=st.data())
    def take_in(self, said: list[Said], worker: int, data: st.DataObject) -> None:
        self.take_in_of(said, worker, data)

    @precondition(lambda self: any(case.decided_at and case.key for case in self.cases.values()))
    @rule(said=SAID, data=st.data())
    def take_in_what_is_late(self, said: Said, data: st.DataObject) -> None:
        decided = [one for one in self.cases.values() if one.decided_at and one.key]
        case = data.draw(st.sampled_from(decided))
        late = msgspec.structs.replace(said, target=case.target, content=case.content, made="long ago")
        self.take_in_of([late], 0, data)

    def take_in_of(self, said: list[Said], worker: int, data: st.DataObject) -> None:
        arrivals: list[Arrival] = []
        for each in said:
            sent = [*self.report_ids, *(one.report_id for one in arrivals)]
            arrivals.append(self.make_arrival(each, sent, data))
        self.workers[worker].take_in(arrivals)
        with self.database.read() as connection:
            found = {
                row.report_id: row
                for row in connection.execute(
                    select(report.c.report_id, report.c.case_id, report.c.is_answered).where(
                        report.c.report_id.in_([one.report_id for one in arrivals])
                    )
                )
            }
            blind = {
                row.case_id: row.blind
                for row in connection.execute(select(review_case.c.case_id, review_case.c.blind))
            }
        decided = self.find_decided()
        for one in arrivals:
            if one.report_id in self.report_ids:
                continue
            self.report_ids.append(one.report_id)
            row = found[one.report_id]
            case, is_answered = self.place(one, decided)
            if case is None:
                assert row.case_id not in self.cases
                of_whom = key_of(one), one.reported_id, one.content_id
                case = Expected(row.case_id, *of_whom, blind[row.case_id])
                self.cases[case.case_id] = case
            assert (row.case_id, row.is_answered) == (case.case_id, is_answered)
            case.reports.append(one)
            self.touched.add(case.case_id)
            if is_answered:
                case.answered.add(one.report_id)
            else:
                case.assess()
        assert blind == {case.case_id: case.is_blind for case in self.cases.values()}

    def make_arrival(self, said: Said, sent: Sequence[str], data: st.DataObject) -> Arrival:
        now = datetime.now(UTC)
        made_at = {"now": now, "long ago": now - DAY}.get(said.made)
        if made_at is None:
            key = key_of(arrival(said.target, content_id=said.content))
            case = self.find_decided().get(key)
            made_at = now if case is None else case.decided_at
        is_repeated = said.is_repeated and sent
        return arrival(
            said.target,
            said.score,
            said.reporter,
            report_id=data.draw(st.sampled_from(sent)) if is_repeated else None,
            content_id=said.content,
            received_at=now,
            made_at=made_at,
            reason=said.reason,
            exposure=said.exposure,
        )

    def find_decided(self) -> dict[str | None, Expected]:
        """The newest decided case of each target."""
        decided = [case for case in self.cases.values() if case.decided_at is not None]
        return {case.key: case for case in sorted(decided, key=lambda case: str(case.decided_at))}

    def place(self, one: Arrival, decided: dict[str | None, Expected]) -> tuple[Expected | None, bool]:
        key = key_of(one)
        if key is None:
            return None, False
        answering = decided.get(key)
        if answering and answering.decided_at and one.counted.made_at < answering.decided_at:
            return answering, True
        undecided = [case for case in self.cases.values() if case.key == key and not case.status.is_final]
        return (undecided[0] if undecided else None), False

    # What moderators do.

    @precondition(lambda self: any(case.held_by is None for case in self.cases.values()))
    @rule(
        moderator=MODERATORS,
        limit=st.integers(1, 5),
        has_draws=st.booleans(),
        seconds=st.sampled_from([0, HOUR, HOUR]),
    )
    def lease(self, moderator: str, limit: int, seconds: int, *, has_draws: bool) -> None:
        request = LeaseRequest(moderator=moderator, limit=limit, lease_seconds=seconds)
        policy = BY_ALL if has_draws else BY_PRIORITY
        held = [case for case in self.cases.values() if case.held_by is not None]
        of_one = sum(case.held_by == moderator for case in held)
        room = min(limit, LIMITS.of_one - of_one, LIMITS.of_all - len(held))
        if room <= 0:
            with pytest.raises(TooManyLeases):
                self.leasing.lease(request, policy)
            return
        drawn = self.expect_draws(moderator, room, has_draws=has_draws)
        leased = self.leasing.lease(request, policy)
        assert ids(leased) == sorted(drawn, key=lambda one: self.cases[one].rank, reverse=True)
        for case_id, draw in drawn.items():
            case = self.cases[case_id]
            case.end_lease()
            case.holder, case.is_over = moderator, seconds == 0
            case.leases.append(ExpectedLease(moderator, draw))
        self.touched |= set(drawn)

    def expect_draws(self, moderator: str, n_cases: int, *, has_draws: bool) -> dict[str, LeaseDraw]:
        free = [
            case
            for case in self.cases.values()
            if case.status is CaseStatus.OPEN and case.held_by is None and not case.concerns(moderator)
        ]
        offered = [case for case in free if (moderator, case.case_id) not in self.put_aside]
        by_rank = sorted(free, key=lambda case: case.rank, reverse=True)
        drawn: dict[str, LeaseDraw] = {}

        def take(draw: LeaseDraw, most: int, ordered: Sequence[Expected]) -> None:
            left = [case.case_id for case in ordered if case.case_id not in drawn]
            drawn.update(dict.fromkeys(left[:most], draw))

        if has_draws:
            take(LeaseDraw.DEADLINE, n_cases // 2, sorted(offered, key=lambda case: case.deadline))
            blind = [case for case in offered if case.is_blind]
            take(LeaseDraw.BLIND, n_cases // 2, sorted(blind, key=lambda case: case.case_id))
        offered_by_rank = [case for case in by_rank if (moderator, case.case_id) not in self.put_aside]
        take(LeaseDraw.PRIORITY, n_cases - len(drawn), offered_by_rank)
        take(LeaseDraw.PRIORITY, n_cases - len(drawn), by_rank)
        return drawn

    @precondition(lambda self: self.cases)
    @rule(moderator=MODERATORS, seconds=st.sampled_from([0, HOUR]), data=st.data())
    def extend(self, moderator: str, seconds: int, data: st.DataObject) -> None:
        asked = data.draw(st.lists(st.sampled_from(sorted(self.cases)), min_size=1, max_size=4))
        held = self.held_of(moderator, asked)
        assert self.leasing.extend(moderator, asked, seconds) == held
        for case_id in held:
            self.cases[case_id].is_over = seconds == 0
        self.touched |= set(held)

    @precondition(lambda self: self.cases)
    @rule(moderator=MODERATORS, data=st.data())
    def release(self, moderator: str, data: st.DataObject) -> None:
        asked = data.draw(st.lists(st.sampled_from(sorted(self.cases)), min_size=1, max_size=4))
        held = self.held_of(moderator, asked)
        assert self.leasing.release(moderator, asked) == held
        for case_id in held:
            self.cases[case_id].end_lease()
            self.put_aside.add((moderator, case_id))
        self.touched |= set(held)

    def held_of(self, moderator: str, case_ids: Sequence[str]) -> list[str]:
        asked = dict.fromkeys(case_ids)
        return [case_id for case_id in asked if self.cases[case_id].held_by == moderator]

    @precondition(lambda self: self.cases)
    @rule(moderator=MODERATORS, verdict=st.sampled_from(Verdict), data=st.data(), is_any=st.booleans())
    def decide(self, moderator: str, verdict: Verdict, data: st.DataObject, *, is_any: bool) -> None:
        own = [one for one in self.cases.values() if one.holder == moderator and not one.status.is_final]
        every = list(self.cases.values())
        case = data.draw(st.sampled_from(every if is_any else own or every))
        if case.concerns(moderator):
            with pytest.raises(OwnCause):
                self.store.decide(case.case_id, moderator, verdict)
            return
        is_same = case.status.value == verdict.value
        if not is_same and (case.status.is_final or case.held_by not in {None, moderator}):
            with pytest.raises(CaseConflict):
                self.store.decide(case.case_id, moderator, verdict)
            return
        decided = self.store.decide(case.case_id, moderator, verdict)
        if not is_same:
            case.end_lease()
            case.status = CaseStatus(verdict.value)
            case.decisions.append(ExpectedDecision(moderator, verdict))
            case.decided_at = decided.decided_at
            assert (decided.decided_at is not None) == case.status.is_final
        self.check_case(decided, case)
        self.touched.add(case.case_id)

    @precondition(lambda self: any(case.decisions for case in self.cases.values()))
    @rule(moderator=MODERATORS, data=st.data())
    def reopen(self, moderator: str, data: st.DataObject) -> None:
        decided = [case_id for case_id, case in self.cases.items() if case.decisions]
        case = self.cases[data.draw(st.sampled_from(sorted(decided)))]
        if case.concerns(moderator):
            with pytest.raises(OwnCause):
                self.store.reopen(case.case_id, moderator)
            return
        others = [
            one.case_id
            for one in self.cases.values()
            if one is not case and case.key is not None and one.key == case.key and not one.status.is_final
        ]
        if case.status is CaseStatus.OPEN or others:
            with pytest.raises(CaseConflict, match=others[0] if others else "no decision"):
                self.store.reopen(case.case_id, moderator)
            return
        again = self.store.reopen(case.case_id, moderator)
        case.status, case.decided_at = CaseStatus.OPEN, None
        case.decisions[-1].reversed_by = moderator
        case.assess()
        self.check_case(again, case)
        self.touched.add(case.case_id)

    # What is seen.

    @invariant()
    def the_queue_is_the_models(self) -> None:
        for status in (CaseStatus.OPEN, CaseStatus.ESCALATED):
            expected = [case for case in self.cases.values() if case.status is status]
            expected.sort(key=lambda case: case.rank, reverse=True)
            listed = self.store.list(QueueQuery(status=status, limit=1_000))
            assert ids(listed) == [case.case_id for case in expected]
            for one, case in zip(listed, expected, strict=True):
                self.check_case(one, case)

    @invariant()
    def no_target_has_two_undecided_cases(self) -> None:
        undecided = [case.key for case in self.cases.values() if case.key and not case.status.is_final]
        assert len(undecided) == len(set(undecided))

    @invariant()
    def what_was_touched_has_its_whole_history(self) -> None:
        for case_id in self.touched:
            self.check_detail(self.cases[case_id])
        self.touched.clear()

    @rule(limit=st.integers(1, 3), moderator=MODERATORS, is_own=st.booleans())
    def walk_the_queue(self, limit: int, moderator: str, *, is_own: bool) -> None:
        expected = [
            case
            for case in self.cases.values()
            if case.status is CaseStatus.OPEN and (not is_own or case.held_by == moderator)
        ]
        expected.sort(key=lambda case: case.rank, reverse=True)
        seen: list[str] = []
        cursor: QueueCursor | None = None
        while True:
            query = QueueQuery(limit=limit, cursor=cursor, leased_by=moderator if is_own else None)
            page = self.store.reading.list_cases(query)
            seen += ids(page.cases)
            cursor = page.next
            if cursor is None:
                break
        assert seen == [case.case_id for case in expected]

    def check_case(self, one: QueueCase, case: Expected) -> None:
        assert one.status is case.status
        assert one.leased_by == case.held_by
        assert (one.lease_expires_at is None) == (case.held_by is None)
        assert one.decided_at == case.decided_at
        assert one.reported_id == case.target
        assert one.n_reports == len(case.reports)
        assert case.standing == Standing(
            score=one.score,
            severity=one.severity,
            reason=one.reason,
            abuse_type=one.abuse_type,
            exposure=one.exposure,
            priority=one.priority,
            deadline_at=one.deadline_at,
        )

    def check_detail(self, case: Expected) -> None:
        detail = self.store.read(case.case_id)
        self.check_case(detail.case, case)
        assert detail.evidence == gather_evidence(one.counted for one in case.reports)
        assert detail.case.n_reporters == detail.evidence.n_reporters
        assert {one.report_id: one.is_answered for one in detail.reports} == {
            one.report_id: one.report_id in case.answered for one in case.reports
        }
        assert len(detail.reports) == len(case.reports)
        assert [one.lease_no for one in detail.leases] == list(range(1, len(case.leases) + 1))
        for lease, expected in zip(detail.leases, case.leases, strict=True):
            assert lease.moderator == expected.moderator
            assert lease.draw == (expected.draw if case.status.is_final else None)
            assert (lease.ended_at is not None) == expected.has_ended
        assert [one.decision_no for one in detail.decisions] == list(range(1, len(case.decisions) + 1))
        assert [(one.moderator, one.verdict, one.reversed_by) for one in detail.decisions] == [
            (one.moderator, one.verdict, one.reversed_by) for one in case.decisions
        ]


@contextmanager
def machine_on(kind: str) -> Iterator[type[QueueMachine]]:
    with TemporaryDirectory() as folder, make_databases(kind, Path(folder)) as make_url:
        yield type("Machine", (QueueMachine,), {"urls": iter(make_url, "")})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(600)
def test_the_queue_is_the_model(kind: str) -> None:
    examples = 80 if kind == "sqlite" else 15
    with machine_on(kind) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=40, suppress_health_check=list(HealthCheck)
            ),
        )
