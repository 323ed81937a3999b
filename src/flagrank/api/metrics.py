"""`GET /metrics`: what was counted in all processes, and what is known of the store, for Prometheus."""

from collections.abc import Callable, Sequence

from starlette.types import Receive, Scope, Send

from flagrank.api.store_watch import StoreWatch
from flagrank.telemetry import Metrics, QueueReadings, Readings, render_metrics
from flagrank.triage.drift import Drift
from flagrank.triage.ports import ModelIdentity


class MetricsRoute:
    """A plain-ASGI route; what it asks must not block. `find_reasons` says why the process is not ready."""

    def __init__(
        self,
        metrics: Metrics,
        find_model: Callable[[], ModelIdentity | None],
        find_reasons: Callable[[], Sequence[str]],
        watch: StoreWatch,
        read_drift: Callable[[], Drift | None],
        *,
        read_queue: Callable[[], QueueReadings | None] = lambda: None,
    ) -> None:
        """`read_queue` is for a process that moderators ask, too."""
        self._metrics = metrics
        self._find_model = find_model
        self._find_reasons = find_reasons
        self._watch = watch
        self._read_drift = read_drift
        self._read_queue = read_queue

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        accept = scope["state"]["headers"].get(b"accept", b"").decode("latin-1")
        told = render_metrics(self._metrics, self._read(), accept)
        headers = [
            (b"content-type", told.content_type.encode()),
            (b"content-length", b"%d" % len(told.body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told.body})

    def _read(self) -> Readings:
        return Readings(
            is_ready=not self._find_reasons(),
            model=self._find_model(),
            counts=self._watch.counts,
            oldest_snapshot_seconds=self._watch.oldest_snapshot_seconds,
            drift=self._read_drift(),
            queue=self._read_queue(),
        )
