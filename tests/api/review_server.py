"""A running server, asked as moderators ask."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from tests.api.running_server import JSON_TYPE, REPORT, Answer, RunningServer

Document = dict[str, Any]

_numbers = count(1)


class Review:
    """Short words for what tests do with the queue of a server."""

    def __init__(self, server: RunningServer, headers: Mapping[str, str] | None = None) -> None:
        self.server = server
        self.headers = dict(headers or {})

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if content is None else JSON_TYPE
        return self.server.ask(method, path, content, kind | self.headers)

    def post(self, path: str, body: object) -> Answer:
        return self.ask("POST", path, body)

    def succeed(self, path: str, body: object) -> Document:
        answer = self.post(path, body)
        assert answer.status == 200, answer.body
        document: Document = answer.document
        return document

    def report(self, *reports: dict[str, Any]) -> None:
        """Reports that are scored and in their cases when this returns."""
        task_id = self.post("/predict", [REPORT | one for one in reports]).document["task_id"]
        task = self.ask("GET", f"/task/{task_id}?wait=30").document
        assert task["status"] == "succeeded", task

    def open(self, n_cases: int) -> list[Document]:
        """So many cases of one report each, of different priorities, and no other; the most urgent first."""
        self.clear()
        self.report(
            *(
                {"reported_id": make_name("target"), "exposure": number, "reporter_id": make_name("reporter")}
                for number in range(n_cases)
            )
        )
        cases = self.walk()
        assert len(cases) == n_cases
        return cases

    def clear(self) -> None:
        """Decide whatever is open."""
        for case in self.walk() + self.walk("status=escalated"):
            assert self.decide(case["case_id"], case["leased_by"] or "cleaner", "dismissed").status == 200

    def page(self, query: str = "") -> Document:
        answer = self.ask("GET", f"/queue?{query}" if query else "/queue")
        assert answer.status == 200, answer.body
        document: Document = answer.document
        return document

    def walk(self, query: str = "limit=1000") -> list[Document]:
        """All cases, page by page."""
        page = self.page(query)
        cases: list[Document] = page["cases"]
        while page["next"]:
            page = self.page(f"{query}&cursor={page['next']}")
            cases += page["cases"]
        return cases

    def lease(self, moderator: str, limit: int = 10, lease_seconds: int = 600) -> list[Document]:
        wish = {"moderator": moderator, "limit": limit, "lease_seconds": lease_seconds}
        cases: list[Document] = self.succeed("/queue/lease", wish)["cases"]
        return cases

    def extend(self, moderator: str, case_ids: Sequence[str], lease_seconds: int = 600) -> list[str]:
        wish = {"moderator": moderator, "case_ids": case_ids, "lease_seconds": lease_seconds}
        held: list[str] = self.succeed("/queue/heartbeat", wish)["case_ids"]
        return held

    def release(self, moderator: str, case_ids: Sequence[str]) -> list[str]:
        wish = {"moderator": moderator, "case_ids": case_ids}
        held: list[str] = self.succeed("/queue/release", wish)["case_ids"]
        return held

    def decide(
        self, case_id: str, moderator: str = "ann", decision: str = "actioned", **more: object
    ) -> Answer:
        wish = {"moderator": moderator, "decision": decision, **more}
        return self.post(f"/case/{case_id}/decision", wish)

    def reopen(self, case_id: str, moderator: str = "ann", reason: str = "appeal") -> Answer:
        return self.post(f"/case/{case_id}/reopen", {"moderator": moderator, "reason": reason})

    def show(self, case_id: str) -> Document:
        answer = self.ask("GET", f"/case/{case_id}")
        assert answer.status == 200, answer.body
        document: Document = answer.document
        return document


def make_name(kind: str) -> str:
    """A name that nobody else has."""
    return f"{kind}-{next(_numbers)}"


def ids(cases: Sequence[Document]) -> list[str]:
    """Their ids."""
    return [case["case_id"] for case in cases]
