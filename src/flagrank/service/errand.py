"""Changes of the registry that read packages, each in a process of its own.

What a stranger's package takes to unpack, and a comparison to compute, a server's memory and event loop never
notice. What stands in the database afterwards is what the same command would have left.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from flagrank.scoring.package import MAX_BYTES
from flagrank.service.checked_packages import CheckedPackages
from flagrank.service.promotion import Wish, promote_version, roll_back
from flagrank.service.publication import publish_content
from flagrank.service.store import opened_store
from flagrank.settings import Settings, load_schema
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.triage.audit import Change
from flagrank.triage.errors import (
    ChangeRefused,
    DatabaseRefused,
    FlagrankError,
    GateRefused,
    ModelConflict,
    ModelNotFound,
    PackageRefused,
    SchemaRefused,
    SettingsRefused,
    StoreRefused,
    StoreUnavailable,
)
from flagrank.triage.model_registry import Promoted, Published, PublishedModel

MEMORY_BYTES = 8 * MAX_BYTES  # the largest package, packed again, and its largest JSON decoded
SECONDS = 120.0

_Result = TypeVar("_Result", Published, Promoted, PublishedModel)

# What the child tells, by its code.
_ERRORS: dict[str, type[FlagrankError]] = {
    kind.code: kind
    for kind in (
        *(ChangeRefused, GateRefused, ModelConflict, ModelNotFound, PackageRefused, SchemaRefused),
        *(DatabaseRefused, SettingsRefused, StoreRefused, StoreUnavailable),
    )
}


class _Order(msgspec.Struct, kw_only=True):
    """What the child does; the bytes of a package to publish follow on the next line."""

    errand: Literal["publish", "promote", "roll_back"]
    settings: Settings
    folder: str
    schema_file: str | None
    change: Change
    version: int = 0
    is_forced: bool = False


class _Refusal(msgspec.Struct):
    code: str
    detail: str


class _Report(msgspec.Struct):
    """What came of it: the JSON of the result, or why there is none."""

    result: msgspec.Raw | None = None
    refusal: _Refusal | None = None


class Errands:
    """The port `CheckedChanges`, for the processes of one server, which share `folder`."""

    def __init__(self, settings: Settings, folder: Path, schema_file: Path | None) -> None:
        self._settings = settings
        self._folder = folder
        self._schema_file = schema_file

    def publish(self, content: bytes, change: Change) -> Published:
        """See the port."""
        return _run(self._order("publish", change), Published, content)

    def promote(self, version: int, change: Change, *, is_forced: bool) -> Promoted:
        """See the port."""
        order = self._order("promote", change)
        order.version, order.is_forced = version, is_forced
        return _run(order, Promoted)

    def roll_back(self, change: Change) -> PublishedModel:
        """See the port."""
        return _run(self._order("roll_back", change), PublishedModel)

    def _order(self, errand: Literal["publish", "promote", "roll_back"], change: Change) -> _Order:
        return _Order(
            errand=errand,
            settings=self._settings,
            folder=str(self._folder),
            schema_file=None if self._schema_file is None else str(self._schema_file),
            change=change,
        )


def _run(order: _Order, kind: type[_Result], content: bytes = b"") -> _Result:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(msgspec.json.encode(order) + b"\n")
        given.write(content)
        given.seek(0)
        command = [sys.executable, "-P", "-m", __name__]
        try:
            # Here, not in an empty folder: the database may be named by a relative path.
            subprocess.run(command, stdin=given, stdout=answer, timeout=SECONDS, check=False)  # noqa: S603 - our own module
        except subprocess.TimeoutExpired as error:
            raise StoreUnavailable(
                f"The change was not made within {SECONDS:g} s. Look at the models, then try again."
            ) from error
        answer.seek(0)
        said = answer.read()
    try:
        report = msgspec.json.decode(said, type=_Report)
    except msgspec.DecodeError as error:
        raise PackageRefused(
            f"The package ended the process that read it, which may use {MEMORY_BYTES // 2**30} GiB. "
            "Make a smaller one, or use none whose maker you don't know."
        ) from error
    if report.refusal is not None:
        raise _ERRORS[report.refusal.code](report.refusal.detail)
    return msgspec.json.decode(report.result or b"", type=kind)


def _obey(order: _Order, content: bytes) -> Published | Promoted | PublishedModel:
    schema = None if order.schema_file is None else load_schema(Path(order.schema_file))
    verify = CheckedPackages(Path(order.folder)).verify
    with opened_store(order.settings) as database:
        registry = StoredModelRegistry(database)
        match order.errand:
            case "publish":
                return publish_content(registry, content, order.change)
            case "promote":
                wish = Wish(order.version, order.change, is_forced=order.is_forced, schema=schema)
                return promote_version(registry, wish, verify)
            case "roll_back":
                return roll_back(registry, order.change, schema, verify)


def _main() -> None:
    """The child: its order and a package from standard input, what came of it on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Order)
    try:
        done = _obey(order, sys.stdin.buffer.read())
        report = _Report(result=msgspec.Raw(msgspec.json.encode(done)))
    except FlagrankError as error:
        report = _Report(refusal=_Refusal(error.code, error.detail))
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    _main()
