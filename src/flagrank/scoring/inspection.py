"""Packages read, verified, compared and traced in a child with limits: who asks only ever holds their bytes.

What a stranger's package takes to unpack, and a comparison to compute, a server's memory and event loop never
notice.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flagrank.scoring.curves import trace_curves
from flagrank.scoring.gate import compare_held_out
from flagrank.scoring.package import Package, repack_package, unpack_package
from flagrank.scoring.session import ModelSession
from flagrank.scoring.trial import MEMORY_BYTES, limit_trial, run_trial
from flagrank.scoring.verification import check_golden
from flagrank.triage.curves import Curves
from flagrank.triage.errors import FlagrankError, PackageRefused, SchemaRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema, check_serves, find_narrowed
from flagrank.triage.gate import Gate

SECONDS = 60

_ERRORS: dict[str, type[FlagrankError]] = {kind.code: kind for kind in (PackageRefused, SchemaRefused)}


class Inspected(msgspec.Struct, frozen=True):
    """A package that can be published: its bytes, equal for equal packages, and what lists show of it."""

    name: str
    metrics: Mapping[str, Any]
    content: bytes


class _Order(msgspec.Struct, kw_only=True):
    """What the child does; the packages follow on the next line, one behind the other."""

    sources: tuple[str, ...]
    sizes: tuple[int, ...]
    is_upload: bool = False
    wants_curves: bool = False
    is_verified: bool = False
    schema: FeatureSchema | None = None
    champion_version: int = 0


class _Verdict(msgspec.Struct, kw_only=True):
    """What the child found; what is to be published follows on the next line."""

    name: str = ""
    metrics: Mapping[str, Any] = {}
    gate: Gate | None = None
    curves: Curves = Curves(rows=0, positives=0, bins=(), shares=(), lift=())
    code: str = ""
    refusal: str = ""


class Standing(msgspec.Struct, frozen=True):
    """The champion that a model is to replace."""

    version: int
    content: bytes


def inspect_upload(content: bytes) -> Inspected:
    """Read and verify a .zip that someone sent. Blocks for a second; raises `PackageRefused`."""
    order = _Order(sources=("The package",), sizes=(len(content),), is_upload=True)
    verdict, packed = _ask(order, [content])
    return Inspected(verdict.name, verdict.metrics, packed)


def inspect_candidate(
    version: int,
    content: bytes,
    champion: Standing | None,
    *,
    schema: FeatureSchema | None,
    is_verified: bool,
) -> Gate | None:
    """Verify a stored package, unless it was, and compare it with the champion's; None without a champion.

    Reports are read by `schema`, None: by the champion's own. Blocks for a second or two. Raises
    `PackageRefused`, or `SchemaRefused` where reports lack a feature, or would be refused for what they have.
    """
    contents = [content] if champion is None else [content, champion.content]
    versions = [version] if champion is None else [version, champion.version]
    order = _Order(
        sources=tuple(f"model {number}" for number in versions),
        sizes=tuple(map(len, contents)),
        is_verified=is_verified,
        schema=schema,
        champion_version=versions[-1],
    )
    verdict, _ = _ask(order, contents)
    return verdict.gate


def inspect_curves(version: int, content: bytes) -> Curves:
    """What plots of a stored package's held-out scores show. Blocks for a second; raises `PackageRefused`."""
    order = _Order(sources=(f"model {version}",), sizes=(len(content),), wants_curves=True)
    verdict, _ = _ask(order, [content])
    return verdict.curves


def _ask(order: _Order, contents: Sequence[bytes]) -> tuple[_Verdict, bytes]:
    given = (msgspec.json.encode(order), b"\n", *contents)
    too_slow = f"The package was not read and tried within {SECONDS} s. Make a smaller model."
    with run_trial(__name__, given, SECONDS, too_slow=too_slow) as (answer, exit_code):
        try:
            verdict = msgspec.json.decode(answer.readline(), type=_Verdict)
        except msgspec.DecodeError as error:
            raise PackageRefused(
                f"The package ended the process that tried it (exit {exit_code}), which may use "
                f"{MEMORY_BYTES // 2**30} GiB of memory. Make a smaller model, or use none whose maker you "
                "don't know."
            ) from error
        if verdict.code:
            raise _ERRORS[verdict.code](verdict.refusal)
        return verdict, answer.read()


def _obey(order: _Order, contents: Sequence[bytes]) -> tuple[_Verdict, bytes]:
    source, content = order.sources[0], contents[0]
    if order.wants_curves:
        return _Verdict(curves=trace_curves(unpack_package(content, source).held_out)), b""
    package, packed = (
        repack_package(content, source) if order.is_upload else (unpack_package(content, source), b"")
    )
    if not order.is_verified:
        check_golden(ModelSession(package.model, package.manifest.schema.names), package.golden)
    champion = unpack_package(contents[1], order.sources[1]) if len(contents) > 1 else None
    _check_schema(package, champion, order.schema)
    gate = None
    if champion is not None:
        gate = compare_held_out(package.held_out, champion.held_out, order.champion_version)
    return _Verdict(name=package.manifest.name, metrics=package.manifest.metrics, gate=gate), packed


def _check_schema(package: Package, champion: Package | None, deployed: FeatureSchema | None) -> None:
    needed = package.manifest.schema
    if deployed is not None:
        check_serves(deployed, needed, "the servers' schema")
    elif champion is not None:
        served = champion.manifest.schema
        check_serves(served, needed, "the champion's schema, by which reports are read,")
        if narrowed := find_narrowed(served, needed):
            raise SchemaRefused(
                f"The model takes less than reports have now: {shorten(', '.join(narrowed))}. They would be "
                "refused. Start the servers with a --schema that takes it and promote with that, or train "
                "the model on the champion's schema."
            )


def _main() -> None:
    """The child: limits first, then the order and the packages from standard input."""
    limit_trial(cpu_seconds=SECONDS)
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    order = msgspec.json.decode(stdin.readline(), type=_Order)
    contents = [stdin.read(size) for size in order.sizes]
    packed = b""
    try:
        verdict, packed = _obey(order, contents)
    except (PackageRefused, SchemaRefused) as error:
        verdict = _Verdict(code=error.code, refusal=error.detail)
    stdout.write(msgspec.json.encode(verdict) + b"\n" + packed)


if __name__ == "__main__":
    _main()
