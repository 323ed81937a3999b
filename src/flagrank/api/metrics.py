"""`GET /metrics`: what was counted in all processes, and what is known of the store, for Prometheus."""

from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from flagrank.telemetry import Metrics, Readings, render_metrics


class MetricsRoute:
    """A plain-ASGI route; `read` must not block."""

    def __init__(self, metrics: Metrics, read: Callable[[], Readings]) -> None:
        self._metrics = metrics
        self._read = read

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
