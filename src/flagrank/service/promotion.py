"""Publishing, promoting and rolling back with every check before anything changes."""

from flagrank.scoring.inspection import Standing, inspect_candidate, inspect_upload
from flagrank.service.checked_packages import CheckedPackages
from flagrank.triage.audit import Change
from flagrank.triage.errors import ChangeRefused, GateRefused, ModelConflict
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.gate import Gate, Verdict
from flagrank.triage.model_registry import (
    ModelRegistry,
    Promoted,
    Publication,
    Published,
    PublishedModel,
)


class CheckedRegistry:
    """The port `CheckedChanges`."""

    def __init__(
        self, registry: ModelRegistry, checked: CheckedPackages, schema: FeatureSchema | None
    ) -> None:
        """Servers read reports by `schema`; None: by their champion's own."""
        self._registry = registry
        self._checked = checked
        self._schema = schema

    def publish(self, content: bytes, change: Change) -> Published:
        """See the port."""
        inspected = inspect_upload(content)
        publication = Publication(inspected.name, inspected.content, inspected.metrics)
        published = self._registry.publish(publication, change)
        self._checked.note(published.model.sha256)
        return published

    def promote(self, version: int, change: Change, *, is_forced: bool) -> Promoted:
        """See the port. Raises `ChangeRefused` where it is forced without a reason."""
        if is_forced and not change.reason:
            raise ChangeRefused(
                "A forced promotion needs a reason. Say why a clear loss is to be passed over."
            )
        candidate = self._registry.read_model(version)
        champion = self._registry.read_champion()
        gate = self._inspect(candidate, champion)
        if gate is not None and gate.verdict is Verdict.WORSE and not is_forced:
            raise GateRefused(
                f"Version {version} is not promoted. {gate.sentence} "
                "Train a better one, or force it with a reason."
            )
        finding = None if gate is None else gate.sentence
        replacing = None if champion is None else champion.version
        promoted = self._registry.promote(version, change, replacing=replacing, finding=finding)
        return Promoted(promoted, gate)

    def roll_back(self, change: Change, *, to: int | None = None) -> PublishedModel:
        """See the port. No gate: whoever rolls back has seen what the champion does."""
        before = self._registry.read_champion_before()
        if before is None:
            raise ModelConflict(
                "There is no champion before this one to return to. Promote the version that is to serve."
            )
        if to is None or to == before.version:
            self._inspect(before, None)
        return self._registry.roll_back(before.version if to is None else to, change)

    def _inspect(self, candidate: PublishedModel, champion: PublishedModel | None) -> Gate | None:
        load = self._registry.load_package
        standing = None
        if champion is not None and champion.version != candidate.version:
            standing = Standing(champion.version, load(champion.version))
        gate = inspect_candidate(
            candidate.version,
            load(candidate.version),
            standing,
            schema=self._schema,
            is_verified=self._checked.has_passed(candidate.sha256),
        )
        self._checked.note(candidate.sha256)
        return gate
