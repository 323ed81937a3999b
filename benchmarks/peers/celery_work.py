"""Celery on Redis for this work: results kept in Redis, a task acknowledged when its result is there.

The worker is `celery -A benchmarks.peers.celery_work worker`; `submit SECONDS` submits. The environment names
the Redis (PEER_REDIS_URL) and the package (PEER_PACKAGE).
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import msgspec
from celery import Celery

from benchmarks.peers.scoring import PeerScorer
from benchmarks.peers.submission import Submitted
from benchmarks.rows import request_bodies

CLIENTS = 16
DIFFERENT_BODIES = 2_000

application = Celery(
    "peer", broker=f"{os.environ['PEER_REDIS_URL']}/0", backend=f"{os.environ['PEER_REDIS_URL']}/1"
)
application.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=32,
    broker_pool_limit=CLIENTS,
    worker_send_task_events=False,
)


@cache
def load_scorer() -> PeerScorer:
    """The model, once a process."""
    return PeerScorer(Path(os.environ["PEER_PACKAGE"]))


def score_body(body: str) -> str:
    """Score one body."""
    return load_scorer().score(body.encode()).decode()


score = application.task(name="score")(score_body)


def submit(seconds: float) -> None:
    """Submit with 16 clients at once (more were no faster), each waiting for Redis, for so long."""
    bodies = [body.decode() for body in request_bodies(1, DIFFERENT_BODIES)]
    began, until = time.time(), time.monotonic() + seconds

    def submit_in_turn(client: int) -> int:
        own = islice(cycle(bodies), client, None)
        sent = 0
        while time.monotonic() < until:
            score.delay(next(own))
            sent += 1
        return sent

    with ThreadPoolExecutor(CLIENTS) as clients:
        tasks = sum(clients.map(submit_in_turn, range(CLIENTS)))
    sys.stdout.buffer.write(msgspec.json.encode(Submitted(tasks, began, time.time())))


if __name__ == "__main__":
    submit(float(sys.argv[2]))
