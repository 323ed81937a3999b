"""PgQueuer at its best for this work: a pool of connections, claims of 100, one row written a result.

Run `install URL` first, then `work URL PACKAGE` and `serve URL PORT` until SIGTERM, or `submit URL SECONDS`.
Its tables are logged, as they are by default.
"""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

import asyncpg
import msgspec
import uvicorn
from fastapi import FastAPI, Request
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job

from benchmarks.peers.scoring import PeerScorer
from benchmarks.peers.submission import Submitted
from benchmarks.rows import request_bodies

ENTRYPOINT = "score"
CLIENTS = 64
CONNECTIONS = 32
CLAIMED_AT_ONCE = 100
DIFFERENT_BODIES = 2_000


async def install(url: str) -> None:
    """Make its tables, and one for results."""
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        await Queries(AsyncpgPoolDriver(pool)).install()
        await pool.execute("CREATE TABLE peer_result (job_id bigint PRIMARY KEY, scores bytea NOT NULL)")


async def work(url: str, package: str) -> None:
    """Score what comes until SIGTERM."""
    scorer = PeerScorer(Path(package))
    async with asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        queue = PgQueuer.from_asyncpg_pool(pool)

        async def score(job: Job) -> None:
            scores = scorer.score(job.payload or b"")
            await pool.execute("INSERT INTO peer_result VALUES ($1, $2)", job.id, scores)

        queue.entrypoint(ENTRYPOINT)(score)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
        await queue.run(batch_size=CLAIMED_AT_ONCE)


def serve(url: str, port: int) -> None:
    """Accept tasks over HTTP until SIGTERM: the body as it comes, unchecked, and 202 when it is committed."""

    @asynccontextmanager
    async def connected(application: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
            application.state.queries = Queries(AsyncpgPoolDriver(pool))
            yield

    application = FastAPI(lifespan=connected)

    async def predict(request: Request) -> dict[str, int]:
        job_ids = await request.app.state.queries.enqueue(ENTRYPOINT, await request.body())
        return {"task_id": job_ids[0]}

    application.post("/predict", status_code=202)(predict)
    uvicorn.run(
        application, port=port, log_level="warning", loop="uvloop", http="httptools", access_log=False
    )


async def submit(url: str, seconds: float) -> None:
    """Submit for so long with 64 clients, each waiting for its commits; no HTTP and no checks before."""
    bodies = cycle(request_bodies(1, DIFFERENT_BODIES))
    async with asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        began, until = time.time(), time.monotonic() + seconds

        async def submit_in_turn() -> int:
            sent = 0
            while time.monotonic() < until:
                await queries.enqueue(ENTRYPOINT, next(bodies))
                sent += 1
            return sent

        tasks = sum(await asyncio.gather(*(submit_in_turn() for _ in range(CLIENTS))))
        sys.stdout.buffer.write(msgspec.json.encode(Submitted(tasks, began, time.time())))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install", url]:
            asyncio.run(install(url))
        case ["work", url, package]:
            asyncio.run(work(url, package))
        case ["serve", url, port]:
            serve(url, int(port))
        case ["submit", url, seconds]:
            asyncio.run(submit(url, float(seconds)))
