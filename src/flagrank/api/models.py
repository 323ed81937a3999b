"""`/model`: publishing, comparing and promoting models, and giving them other roles."""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Literal, TypeVar

import msgspec
from starlette.types import Receive, Scope

from flagrank.api.json_body import decode_body
from flagrank.api.problems import HttpProblem
from flagrank.api.query import read_query
from flagrank.api.reply import NO_CONTENT, Reply, encode_json
from flagrank.api.request_body import BodyReader
from flagrank.triage.audit import AuditEntry, Change, make_change, name_key
from flagrank.triage.errors import ModelNotFound, PackageRefused, SchemaRefused
from flagrank.triage.gate import Gate
from flagrank.triage.model_registry import (
    CheckedChanges,
    ModelRegistry,
    ModelRole,
    Promoted,
    PublishedModel,
    make_assignment,
)
from flagrank.triage.shadow import ShadowLog, ShadowSummary

MODELS = "/model"
NO_VERSION = "No model has this version. Ask GET /model for those that there are."
TOO_LARGE = "Publish it by `flagrank model publish`, or raise body_limit_bytes."
ZIP_TYPES = (b"application/zip", b"application/x-zip-compressed", b"application/octet-stream")

_VERSION = re.compile(r"[0-9]{1,10}")

_Answer = TypeVar("_Answer")
_Body = TypeVar("_Body", bound=msgspec.Struct)


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a rollback."""

    reason: str | None = None


class Promotion(Reason, forbid_unknown_fields=True):
    """The body of a promotion."""

    force: bool = False


class RoleWish(Reason, forbid_unknown_fields=True, kw_only=True):
    """The body that gives a role."""

    role: Literal["challenger", "shadow", "none"]
    share: float | None = None


class ModelList(msgspec.Struct, frozen=True):
    """All models, newest first."""

    models: Sequence[PublishedModel]


class ShownGate(msgspec.Struct, frozen=True):
    """A comparison, and what it says."""

    verdict: str
    sentence: str
    measure: str
    champion_version: int
    rows: int
    positives: int
    difference: float | None
    low: float | None
    high: float | None


class ShownModel(PublishedModel, frozen=True, kw_only=True):
    """A model by itself, with what was done to it, and what it scored as a shadow."""

    history: Sequence[AuditEntry]
    shadow: ShadowSummary | None


class ChampionNow(PublishedModel, frozen=True, kw_only=True):
    """A champion just promoted, and how it compared; null where no other one stood."""

    gate: ShownGate | None


class ModelRoutes:
    """What is answered about models. The registry is asked in `executor`, what takes seconds in `working`."""

    def __init__(
        self,
        registry: ModelRegistry,
        shadow_log: ShadowLog,
        checked: CheckedChanges,
        executor: Executor,
        working: Executor,
        *,
        reader: BodyReader,
        uploads: BodyReader,
    ) -> None:
        self._registry = registry
        self._shadow_log = shadow_log
        self._checked = checked
        self._executor = executor
        self._working = working
        self._reader = reader
        self._uploads = uploads

    async def list(self, scope: Scope, _receive: Receive) -> Reply:
        """`GET /model`."""
        read_query(scope, ())
        return Reply(encode_json(ModelList(await self._ask(self._registry.list_models))))

    async def show(self, scope: Scope, _receive: Receive) -> Reply:
        """`GET /model/<version>`."""
        read_query(scope, ())
        shown = await self._ask(partial(show_model, self._registry, self._shadow_log, _read_version(scope)))
        return Reply(encode_json(shown))

    async def publish(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /model`: 201, or 200 where the same package was published before."""
        read_query(scope, ())
        content = await self._uploads.read(scope, receive)
        change = _make_change(scope, None)
        published = await self._work(partial(self._checked.publish, content, change))
        location = (b"location", f"{MODELS}/{published.model.version}".encode())
        return Reply(encode_json(published.model), 201 if published.is_new else 200, [location])

    async def promote(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /model/<version>/promote`."""
        version = _read_version(scope)
        wish = await self._read(scope, receive, Promotion)
        change = _make_change(scope, wish.reason)
        promoted = await self._work(partial(self._checked.promote, version, change, is_forced=wish.force))
        return Reply(encode_json(show_promoted(promoted)))

    async def roll_back(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /model/rollback`."""
        wish = await self._read(scope, receive, Reason)
        change = _make_change(scope, wish.reason)
        return Reply(encode_json(await self._work(partial(self._checked.roll_back, change))))

    async def give_role(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /model/<version>/role`."""
        version = _read_version(scope)
        wish = await self._read(scope, receive, RoleWish)
        assignment = make_assignment(ModelRole(wish.role), wish.share)
        change = _make_change(scope, wish.reason)
        give = partial(self._registry.give_role, version, assignment, change)
        return Reply(encode_json(await self._ask(give)))

    async def delete(self, scope: Scope, _receive: Receive) -> Reply:
        """`DELETE /model/<version>`."""
        read_query(scope, ())
        change = _make_change(scope, None)
        await self._ask(partial(self._registry.delete, _read_version(scope), change))
        return Reply(b"", NO_CONTENT)

    async def _read(self, scope: Scope, receive: Receive, kind: type[_Body]) -> _Body:
        """The body; where none is sent, one without fields."""
        read_query(scope, ())
        headers = scope["state"]["headers"]
        body = b"{}"
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0"):
            body = await self._reader.read(scope, receive)
        return decode_body(body, kind)

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)

    async def _work(self, work: Callable[[], _Answer]) -> _Answer:
        """A package's faults are the sender's here; where requests are scored they are ours."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._working, work)
        except PackageRefused as error:
            raise HttpProblem(422, "package_refused", error.detail) from error
        except SchemaRefused as error:
            raise HttpProblem(409, "schema_refused", error.detail) from error


def show_model(registry: ModelRegistry, shadow_log: ShadowLog, version: int) -> ShownModel:
    """A model as it is shown by itself; blocks, raises `ModelNotFound`."""
    model = registry.read_model(version)
    return ShownModel(
        **msgspec.structs.asdict(model),
        history=registry.read_history(version),
        shadow=shadow_log.summarise(version),
    )


def show_promoted(promoted: Promoted) -> ChampionNow:
    """A promotion as it is answered."""
    gate = None if promoted.gate is None else show_gate(promoted.gate)
    return ChampionNow(**msgspec.structs.asdict(promoted.model), gate=gate)


def show_gate(gate: Gate) -> ShownGate:
    """A comparison as it is answered."""
    return ShownGate(**msgspec.structs.asdict(gate), sentence=gate.sentence)


def _read_version(scope: Scope) -> int:
    path: str = scope["path"]
    text = path.split("/")[2]
    if not _VERSION.fullmatch(text):
        raise ModelNotFound(NO_VERSION)
    return int(text)


def _make_change(scope: Scope, reason: str | None) -> Change:
    return make_change(name_key(scope["state"].get("api_key")), reason)
