"""Promoting and rolling back: before a model is champion it is verified, and held against the one that is."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from flagrank.scoring.gate import compare_held_out
from flagrank.scoring.package import Package, unpack_package
from flagrank.triage.audit import Change
from flagrank.triage.errors import ChangeRefused, GateRefused, ModelConflict, SchemaRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema, check_serves, find_narrowed
from flagrank.triage.gate import Gate, Verdict
from flagrank.triage.model_registry import ModelRegistry, Promoted, PublishedModel

# Raises `PackageRefused`; given the package's hash, by which it may know that it was verified before.
Verify: TypeAlias = Callable[[str, Package], None]


class Wish(msgspec.Struct, frozen=True):
    """A version to promote; `schema` is what servers read reports by, None where by the champion's own."""

    version: int
    change: Change
    is_forced: bool = False
    schema: FeatureSchema | None = None


def promote_version(registry: ModelRegistry, wish: Wish, verify: Verify) -> Promoted:
    """Make a version champion unless it can't be loaded, does not fit the reports, or is clearly worse.

    A clear loss passes where it is forced, with a reason. Blocks for seconds. Raises as `CheckedChanges` does;
    nothing has changed then.
    """
    if wish.is_forced and not wish.change.reason:
        raise ChangeRefused("A forced promotion needs a reason. Say why a clear loss is to be passed over.")
    candidate, package = _read(registry, registry.read_model(wish.version))
    verify(candidate.sha256, package)
    champion = registry.read_champion()
    gate = None
    if champion is not None and champion.version != candidate.version:
        _, standing = _read(registry, champion)
        _check_schema(package.manifest.schema, standing.manifest.schema, wish.schema)
        gate = compare_held_out(package.held_out, standing.held_out, champion.version)
        if gate.verdict is Verdict.WORSE and not wish.is_forced:
            raise GateRefused(
                f"Version {wish.version} is not promoted. {gate.sentence} "
                "Train a better one, or force it with a reason."
            )
    elif wish.schema is not None:
        check_serves(wish.schema, package.manifest.schema, "the servers' schema")
    promoted = registry.promote(
        wish.version,
        wish.change,
        replacing=None if champion is None else champion.version,
        finding=_describe(gate, is_forced=wish.is_forced),
    )
    return Promoted(promoted, gate)


def roll_back(
    registry: ModelRegistry, change: Change, schema: FeatureSchema | None, verify: Verify
) -> PublishedModel:
    """Return to the champion before, where it can be loaded and fits the servers' schema file.

    No gate: whoever rolls back has seen what the champion does. Blocks for a second. Raises as
    `CheckedChanges` says; nothing has changed then.
    """
    before = registry.read_champion_before()
    if before is None:
        raise ModelConflict(
            "There is no champion before this one to return to. Promote the version that is to serve."
        )
    before, package = _read(registry, before)
    verify(before.sha256, package)
    if schema is not None:
        check_serves(schema, package.manifest.schema, "the servers' schema")
    return registry.roll_back(before.version, change)


def _read(registry: ModelRegistry, model: PublishedModel) -> tuple[PublishedModel, Package]:
    return model, unpack_package(registry.load_package(model.version), f"model {model.version}")


def _check_schema(needed: FeatureSchema, champion: FeatureSchema, deployed: FeatureSchema | None) -> None:
    """Raise `SchemaRefused` where reports lack a feature, or would be refused for one that they have."""
    if deployed is not None:
        check_serves(deployed, needed, "the servers' schema")
        return
    check_serves(champion, needed, "the champion's schema, by which reports are read,")
    if narrowed := find_narrowed(champion, needed):
        raise SchemaRefused(
            f"The model takes less than reports have now: {shorten(', '.join(narrowed))}. They would be "
            "refused. Start the servers with a --schema that takes it and promote with that, or train the "
            "model on the champion's schema."
        )


def _describe(gate: Gate | None, *, is_forced: bool) -> str | None:
    """What is kept with the change."""
    if gate is None:
        return None
    return f"{'Forced. ' if is_forced and gate.verdict is Verdict.WORSE else ''}{gate.sentence}"
