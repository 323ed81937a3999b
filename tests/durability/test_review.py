"""32 moderators review over HTTP while the processes that answer them are killed."""

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from flagrank.storage.case_tables import CaseState, decision, lease_log, review_case
from flagrank.storage.engine import open_database
from tests.api.running_server import JSON_TYPE, RunningServer, running_server
from tests.case_store import CaseStore
from tests.durability.patience import wait_until

MODERATORS = 32
CASES = 480
KILLS = 5
LEASE = 3  # cases
LEASE_SECONDS = 3_600  # none runs out meanwhile, so that whoever has a case keeps it
LOST = (ConnectionError, http.client.HTTPException, TimeoutError)


class Servers:
    """Two servers on one database; each may be killed, and another takes its place."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack
        self._running = [self._start() for _ in range(2)]

    def _start(self) -> RunningServer:
        server = running_server("--model", "demo", "--no-worker", database_url=self._url)
        return self._stack.enter_context(server)

    def any(self) -> RunningServer:
        return random.choice(self._running)  # noqa: S311 - whichever

    def kill_one(self) -> None:
        self._running[0].process.kill()
        self._running = [self._running[1], self._start()]


class Moderator:
    """Leases some cases, decides them, and asks again whatever was not answered."""

    def __init__(self, name: str, servers: Servers) -> None:
        self.name = name
        self.verdict = random.choice(["actioned", "dismissed"])  # noqa: S311 - so that two would disagree
        self.leased: list[str] = []  # as the server has told
        self.decided: list[str] = []
        self.n_lost = 0
        self._servers = servers

    def work(self) -> None:
        """Until nothing waits, and nothing of one's own is left."""
        while True:
            wish = {"moderator": self.name, "limit": LEASE, "lease_seconds": LEASE_SECONDS}
            leased = self._ask("POST", "/queue/lease", wish, is_repeated=False)
            if leased is not None:
                self.leased += [case["case_id"] for case in leased["cases"]]
            held = self._ask("GET", f"/queue?limit=1000&leased_by={self.name}")
            for case in held["cases"]:
                self._decide(case["case_id"])
            if leased is not None and not leased["cases"]:
                return

    def _decide(self, case_id: str) -> None:
        ruling = {"moderator": self.name, "decision": self.verdict, "reason": "seen"}
        decided = self._ask("POST", f"/case/{case_id}/decision", ruling)
        assert decided["status"] == self.verdict
        self.decided.append(case_id)

    def _ask(self, method: str, path: str, wish: object = None, *, is_repeated: bool = True) -> Any:  # noqa: ANN401 - JSON
        """The answer; where the server dies before it, once more, or None."""
        while True:
            try:
                return self._ask_once(method, path, wish)
            except LOST:
                self.n_lost += 1
                if not is_repeated:
                    return None
                time.sleep(0.02)

    def _ask_once(self, method: str, path: str, wish: object) -> Any:  # noqa: ANN401 - JSON
        connection = http.client.HTTPConnection(urlsplit(self._servers.any().url).netloc, timeout=60)
        try:
            body = None if wish is None else json.dumps(wish).encode()
            connection.request(method, path, body, JSON_TYPE)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, content
        return json.loads(content)


@contextmanager
def reviewing(servers: Servers) -> Iterator[tuple[list[Moderator], Callable[[], int]]]:
    """Moderators at work in the background, and how many cases they have decided; until all is done."""
    moderators = [Moderator(f"m{number}", servers) for number in range(MODERATORS)]
    with ThreadPoolExecutor(MODERATORS) as pool:
        working = [pool.submit(moderator.work) for moderator in moderators]
        yield moderators, lambda: sum(len(one.decided) for one in moderators)
        for one in working:
            one.result()


def test_each_case_is_one_moderators_and_decided_once_whoever_is_killed(
    url: str, deaths: Counter[str]
) -> None:
    database = open_database(url)
    CaseStore(database).open(CASES)
    with ExitStack() as stack:
        servers = Servers(url, stack)
        with reviewing(servers) as (moderators, count_decided):
            for number in range(KILLS):
                wait_until(lambda: count_decided() >= CASES * (number + 1) // (KILLS + 2), seconds=120)  # noqa: B023 - now
                servers.kill_one()
                deaths["servers of a queue"] += 1
    with database.read() as connection:
        statuses = Counter(connection.scalars(select(review_case.c.status)))
        leases = connection.execute(select(lease_log)).all()
        decisions = connection.execute(select(decision)).all()
    database.close()
    assert sum(one.n_lost for one in moderators) > 0  # or nobody was asked as it died
    assert statuses.total() == statuses[CaseState.ACTIONED] + statuses[CaseState.DISMISSED] == CASES
    holders = {row.case_id: row.moderator for row in leases}
    assert len(leases) == len(holders) == CASES
    assert all(row.ended_at is not None for row in leases)
    assert len(decisions) == CASES
    assert {row.case_id: row.moderator for row in decisions} == holders
    for one in moderators:
        mine = {case_id for case_id, holder in holders.items() if holder == one.name}
        assert len(one.leased) == len(set(one.leased))
        assert set(one.leased) <= mine
        assert sorted(one.decided) == sorted(mine)
