"""What moderators send: bodies that ask for leases, hold or release them, decide and reopen."""

from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta
from starlette.types import Receive, Scope

from flagrank.api.json_body import decode_body
from flagrank.api.problems import make_moderator_problem
from flagrank.api.query import read_query
from flagrank.api.report_description import NO_CONTROLS, TEXT
from flagrank.api.request_body import BodyReader
from flagrank.triage.audit import MAX_REASON_CHARS
from flagrank.triage.report import MAX_ID_CHARS
from flagrank.triage.review import (
    MAX_LEASE_CASES,
    MAX_LEASE_SECONDS,
    MAX_NAME_CHARS,
    MAX_NOTE_CHARS,
    Verdict,
)

DEFAULT_LEASE_CASES = 10
DEFAULT_LEASE_SECONDS = 600
MOST_CASE_IDS = 1_000
MOST_BYTES = 2**18  # the event loop reads them; 1,000 ids are 40,000 bytes, the longest texts 66,000
TOO_LARGE = "Name fewer cases, or say it shorter."

_Moderator: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME_CHARS,
        description="who reviews; where the API key carries a moderator's name, that name",
        extra_json_schema={"pattern": NO_CONTROLS},
    ),
]
_LeaseSeconds: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_LEASE_SECONDS, description="from now on")]
_Reason: TypeAlias = Annotated[
    str, Meta(max_length=MAX_REASON_CHARS, description="why, in short", extra_json_schema={"pattern": TEXT})
]


class LeaseWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for the most urgent cases that nobody holds."""

    moderator: _Moderator
    limit: Annotated[int, Meta(ge=1, le=MAX_LEASE_CASES, description="how many cases at most")] = (
        DEFAULT_LEASE_CASES
    )
    lease_seconds: _LeaseSeconds = DEFAULT_LEASE_SECONDS


class HeldCases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Holds on to cases, or releases them, where `lease_seconds` says nothing."""

    moderator: _Moderator
    case_ids: Annotated[
        list[Annotated[str, Meta(max_length=MAX_ID_CHARS, extra_json_schema={"pattern": NO_CONTROLS})]],
        Meta(min_length=1, max_length=MOST_CASE_IDS, description="those of others are passed over"),
    ]
    lease_seconds: _LeaseSeconds = DEFAULT_LEASE_SECONDS


class DecisionWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decides a case."""

    moderator: _Moderator
    decision: Verdict
    reason: _Reason | None = None
    note: (
        Annotated[
            str,
            Meta(
                max_length=MAX_NOTE_CHARS,
                description="for other moderators; stays with the case",
                extra_json_schema={"pattern": TEXT},
            ),
        ]
        | None
    ) = None


class ReopenWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reverses the decision that stands."""

    moderator: _Moderator
    reason: Annotated[_Reason, Meta(min_length=1)]


_Wish = TypeVar("_Wish", LeaseWish, HeldCases, DecisionWish, ReopenWish)


class WishReader:
    """Reads bodies of moderators."""

    def __init__(self, limit_bytes: int) -> None:
        self._reader = BodyReader(min(limit_bytes, MOST_BYTES), way_out=TOO_LARGE)

    async def read(self, scope: Scope, receive: Receive, kind: type[_Wish]) -> _Wish:
        """The body; raises `HttpProblem` also where the API key carries another moderator's name."""
        read_query(scope, ())
        wish = decode_body(await self._reader.read(scope, receive), kind, many_lines=("reason", "note"))
        key = scope["state"].get("api_key")
        if key is not None and key.moderator not in {None, wish.moderator}:
            raise make_moderator_problem()
        return wish
