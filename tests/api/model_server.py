"""A running server, asked about its models."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.api.running_server import JSON_TYPE, REPORT, Answer, RunningServer
from tests.packages import zip_small_package

ZIP = {"Content-Type": "application/zip"}
PATIENCE_SECONDS = 30


class Models:
    """Short words for what tests do with the models of a server."""

    def __init__(self, server: RunningServer, headers: dict[str, str] | None = None) -> None:
        self.server = server
        self.headers = headers or {}

    def post(self, path: str, body: object = None) -> Answer:
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if content is None else JSON_TYPE
        return self.server.ask("POST", f"/model{path}", content or b"", kind | self.headers)

    def publish(self, content: bytes) -> Answer:
        return self.server.ask("POST", "/model", content, ZIP | self.headers)

    def publish_new(self, notes: str, changed: dict[str, bytes] | None = None) -> int:
        """Publish a package that is new by these notes; its version."""
        answer = self.publish(zip_small_package((changed or {}) | {"notes.txt": notes.encode()}))
        assert answer.status == 201, answer.body
        version: int = answer.document["version"]
        return version

    def promote(self, version: int, **body: object) -> Answer:
        return self.post(f"/{version}/promote", body or None)

    def give_role(self, version: int, **body: object) -> Answer:
        return self.post(f"/{version}/role", body)

    def delete(self, version: object) -> Answer:
        return self.server.ask("DELETE", f"/model/{version}", headers=self.headers)

    def show(self, version: object) -> Answer:
        return self.server.get(f"/model/{version}", self.headers)

    def list(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = self.server.get("/model", self.headers).document["models"]
        return models

    def roles(self) -> dict[int, str]:
        return {model["version"]: model["role"] for model in self.list() if model["role"] != "none"}

    def wait_for(self, version: int) -> None:
        """Until this version serves."""
        wait_until(lambda: self.predict([REPORT])["model"]["version"] == str(version))

    def predict(self, reports: Sequence[object]) -> dict[str, Any]:
        answer = self.server.predict(reports, self.headers)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = answer.document
        return document


def wait_until(is_reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_reached():
        assert time.monotonic() < end
        time.sleep(0.02)
