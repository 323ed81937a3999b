"""Models and policy at work: what is promoted or activated anywhere serves here two seconds later."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from flagrank.own_thread import OwnThread
from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.drift import DriftWatch
from flagrank.scoring.verification import open_session, rows_to_matrix
from flagrank.service.checked_packages import CheckedPackages
from flagrank.service.shadow import ShadowScoring
from flagrank.settings import read_default_policy
from flagrank.storage.engine import Database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.policies import StoredPolicies
from flagrank.storage.shadow_log import StoredShadowLog
from flagrank.telemetry import ModelMetrics, get_logger
from flagrank.triage.drift import Drift
from flagrank.triage.errors import FlagrankError, PolicyRefused, StoreUnavailable
from flagrank.triage.lineup import Challenger, Lineup
from flagrank.triage.model_registry import ActiveModels, ModelRegistry, PublishedModel
from flagrank.triage.policy import Policy
from flagrank.triage.policy_ports import PolicyStore
from flagrank.triage.ports import ModelIdentity

LOOK_SECONDS = 0.25
REFUSED_SECONDS = 30.0  # until a package that was refused is tried again

log = get_logger("model")

LoadedLineup = Lineup[SessionScorer]


def load_published(
    registry: ModelRegistry, published: PublishedModel, checked: CheckedPackages, drift: DriftWatch
) -> SessionScorer:
    """Read a published package from the database, verify, load and warm it. Blocks for about a second.

    Raises `PackageRefused`, `ModelNotFound` or `StoreUnavailable`.
    """
    package = checked.load(registry, published)
    identity = ModelIdentity(published.name, str(published.version))
    return SessionScorer(
        identity,
        package.manifest.schema,
        open_session(package),
        base_rate=package.manifest.training.base_rate,
        background=rows_to_matrix(package.background.rows),
        observe=drift.watch(identity, package.manifest),
    )


@contextmanager
def watch_models(
    database: Database, checked: CheckedPackages, metrics: ModelMetrics, drift: DriftWatch
) -> Iterator["ChampionWatch"]:
    """The models and the policy of a database, followed. Raises `PolicyRefused`, `StoreUnavailable`."""
    registry, policies = StoredModelRegistry(database), StoredPolicies(database, read_default_policy())
    with (
        drift,
        ShadowScoring(registry, StoredShadowLog(database), checked, metrics) as shadow,
        ChampionWatch(registry, policies, checked, shadow, metrics, drift=drift) as watch,
    ):
        yield watch


class ChampionWatch(OwnThread):
    """Keeps the models that have a role and the active policy, from a thread of its own; a context manager.

    A champion that can't be loaded leaves the old one at work, as does a policy that can't be read; a
    challenger that can't be loaded leaves the champion alone.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        policies: PolicyStore,
        checked: CheckedPackages,
        shadow: ShadowScoring,
        metrics: ModelMetrics,
        *,
        drift: DriftWatch,
    ) -> None:
        super().__init__("champion")
        self._registry = registry
        self._policies = policies
        self._checked = checked
        self._shadow = shadow
        self._metrics = metrics
        self._drift = drift
        self._lineup: LoadedLineup | None = None
        self._policy: Policy
        self._policy_refusal: str | None = None
        self._seen: ActiveModels | None = None
        self._loaded: dict[int, SessionScorer] = {}
        self._refusals: dict[int, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        """Raises what `PolicyStore.read_active` does."""
        self._policy = self._policies.read_active()
        self._look()
        return super().__enter__()

    def find_lineup(self) -> LoadedLineup | None:
        """The models that were loaded last; None where no champion could be yet."""
        return self._lineup

    def find_policy(self) -> Policy:
        """The policy that was active at the last look, or the last one that could be read."""
        return self._policy

    def find_policy_refusal(self) -> str | None:
        """Why the active policy does not rank here; None where it does."""
        return self._policy_refusal

    def find_refusal(self) -> str | None:
        """Why the champion of the registry does not score here; None where it does, or none stands."""
        seen = self._seen
        if seen is None or seen.champion is None:
            return None
        refusal = self._refusals.get(seen.champion.version)
        return None if refusal is None else refusal[1]

    def read_drift(self) -> Drift | None:
        """How far what the champion scores has moved from its training data; None without a champion."""
        return self._drift.read()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self._look_at_policy()
            self._look()

    def _look_at_policy(self) -> None:
        try:
            policy = self._policies.read_active()
        except PolicyRefused as error:
            if self._policy_refusal is None:
                log.warning("policy_refused", code=error.code, sentence=error.detail)
            self._policy_refusal = f"The active policy can't be read here: {error.detail}"
            return
        except FlagrankError as error:  # as below
            log.debug("policy_unknown", code=error.code)
            return
        if policy is not self._policy:
            log.info("policy_active", policy=policy.label)
        self._policy = policy
        self._policy_refusal = None

    def _look(self) -> None:
        try:
            active = self._registry.read_active()
        except FlagrankError as error:  # whoever else asks the database tells it, too
            log.debug("champion_unknown", code=error.code)
            return
        is_due = any(time.monotonic() > until for until, _ in self._refusals.values())
        if active != self._seen or is_due:
            self._follow(active)

    def _follow(self, active: ActiveModels) -> None:
        """Load what is new, put it to work as a whole, and let go of what has no role any more."""
        roles = [model for model in (active.champion, active.challenger) if model is not None]
        self._refusals = {
            model.version: self._refusals[model.version] for model in roles if model.version in self._refusals
        }
        champion = self._find("champion", active.champion)
        challenger = self._find("challenger", active.challenger)
        self._metrics.refused.set(("champion",), active.champion is not None and champion is None)
        self._metrics.refused.set(("challenger",), active.challenger is not None and challenger is None)
        if champion is None and self._lineup is not None:
            champion = self._lineup.champion
        self._shadow.set_model(active.shadow)
        if champion is not None:
            share = active.challenger.share if active.challenger else None
            self._lineup = Lineup(
                champion,
                None if challenger is None or share is None else Challenger(challenger, share),
                self._shadow.listen_to(int(champion.model.version)) if active.shadow else None,
            )
        self._loaded = {
            int(scorer.model.version): scorer for scorer in (champion, challenger) if scorer is not None
        }
        if champion is not None:
            self._drift.follow(champion.model, [scorer.model for scorer in self._loaded.values()])
        self._seen = active

    def _find(self, role: str, published: PublishedModel | None) -> SessionScorer | None:
        """The model, loaded now where it was not; None where that is refused, or was just now."""
        if published is None:
            return None
        version = published.version
        until, _ = self._refusals.get(version, (0.0, ""))
        if version in self._loaded or time.monotonic() < until:
            return self._loaded.get(version)
        try:
            scorer = load_published(self._registry, published, self._checked, self._drift)
        except FlagrankError as error:
            log.warning(
                "model_refused", role=role, code=error.code, model_version=version, sentence=error.detail
            )
            pause = LOOK_SECONDS if isinstance(error, StoreUnavailable) else REFUSED_SECONDS
            told = f"The {role} can't be loaded here: {error.detail}"
            self._refusals[version] = (time.monotonic() + pause, told)
            return None
        self._refusals.pop(version, None)
        tell = log.debug if self._seen is None else log.info  # of the first ones the start tells
        tell("model_loaded", role=role, model=published.name, model_version=version)
        return scorer
