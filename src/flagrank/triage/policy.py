"""The policy: every number of the ranking that people choose, under a name and a version."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

FALLBACK_REASON = "other"

Severity: TypeAlias = Annotated[float, Meta(gt=0, le=1_000)]
Hours: TypeAlias = Annotated[float, Meta(gt=0, le=8_760)]
Days: TypeAlias = Annotated[float, Meta(gt=0, le=3_650)]
# Below zero a higher score would lower the priority.
Slope: TypeAlias = Annotated[float, Meta(ge=0, le=100)]
Coefficient: TypeAlias = Annotated[float, Meta(ge=-100, le=100)]
# Together at most all: the rest goes by priority.
DrawShare: TypeAlias = Annotated[float, Meta(ge=0, le=0.5)]
Pseudocount: TypeAlias = Annotated[float, Meta(gt=0, le=10_000)]
Minutes: TypeAlias = Annotated[float, Meta(ge=0, le=10_080)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1_000)]


class Deadline(msgspec.Struct, frozen=True):
    """From this severity on, the first review is due so many hours after the report came in."""

    from_severity: Annotated[float, Meta(ge=0, le=1_000)]
    hours: Hours


class ExposureRules(msgspec.Struct, frozen=True):
    """How much reach counts, and how it is estimated where the caller sends none.

    `prior_reports` and `prior_hours` are the shape and the rate of a gamma prior of the rate of reports.
    """

    power: Annotated[float, Meta(ge=0, le=1)]
    prior_reports: Pseudocount
    prior_hours: Hours
    views_per_report: Annotated[float, Meta(ge=0, le=1_000_000)]
    other_life_hours: Hours
    life_hours: Mapping[str, Hours]


class PoolCoefficients(msgspec.Struct, frozen=True):
    """The logistic regression from the sums of a case, `triage.case.Evidence`, to its chance."""

    intercept: Coefficient
    max_log_odds: Slope
    sum_weight: Slope
    ln_reporters: Coefficient
    sum_record: Slope


class ReporterRules(msgspec.Struct, frozen=True):
    """How decided cases become a reporter's record (`triage.reporter_record`), and who is in step."""

    window_days: Days
    half_life_days: Days
    prior_cases: Pseudocount
    prior_share: Annotated[float, Meta(gt=0, lt=1)]
    prior_decisions: Pseudocount
    in_step_targets: Annotated[int, Meta(ge=2, le=1_000)]
    in_step_minutes: Annotated[float, Meta(gt=0, le=1_440)]


class DrawShares(msgspec.Struct, frozen=True):
    """Shares of the leases that go to the soonest deadlines and to the blind slice."""

    deadline_share: DrawShare
    blind_share: DrawShare


class LeaseRules(msgspec.Struct, frozen=True):
    """What a moderator is not offered for a while: what they put aside, and one severe case after another.

    A case is severe from `severe_from` on; a limit of 0 is none. A row ends with another case, or with so
    many minutes of rest.
    """

    minutes_after_release: Minutes
    severe_from: Annotated[float, Meta(ge=0, le=1_000)]
    most_severe_in_a_row: Count
    minutes_of_rest: Minutes


class Policy(msgspec.Struct, frozen=True):
    """Rules of ranking; severities are in units of one spam report.

    `severities_by_abuse_type` names, by abuse_type and reason, what differs from `severities`;
    `moderator_ids`, by moderator, who they are in the application, beside the id that equals their name.
    Where a policy comes from a file, `triage.policy_file` has checked that it makes sense.
    """

    name: str
    version: int
    severities: Mapping[str, Severity]
    deadlines: tuple[Deadline, ...]
    exposure: ExposureRules
    pool: PoolCoefficients
    reporters: ReporterRules
    draws: DrawShares
    leases: LeaseRules
    severities_by_abuse_type: Mapping[str, Mapping[str, Severity]] = {}
    moderator_ids: Mapping[str, tuple[str, ...]] = {}

    @property
    def label(self) -> str:
        """Name and version as answers carry them: `default@1`."""
        return f"{self.name}@{self.version}"

    def severity_of(self, reason: str | None, abuse_type: str | None = None) -> float:
        """How severe a report is; without a reason, or with one that this policy lacks, as the fallback."""
        known = FALLBACK_REASON if reason is None or reason not in self.severities else reason
        severity = self.severities[known]
        if not self.severities_by_abuse_type:
            return severity
        return self.severities_by_abuse_type.get(abuse_type or "", {}).get(known, severity)

    def persons_of(self, moderator: str) -> frozenset[str]:
        """The ids that a moderator may have in the application: whose cases they may not judge."""
        return frozenset((moderator, *self.moderator_ids.get(moderator, ())))

    def time_to_review(self, severity: float) -> timedelta:
        """How long after its arrival a report of this severity is to be reviewed at the latest."""
        hours = next(rule.hours for rule in reversed(self.deadlines) if rule.from_severity <= severity)
        return timedelta(hours=hours)


class PolicyChange(msgspec.Struct, frozen=True):
    """One number that two policies have differently; None where one of them does not have it."""

    path: str
    before: float | str | None
    after: float | str | None


def show_value(value: float | str | None) -> str:
    """A value of a policy as people read it, every digit of it."""
    return "nothing" if value is None else str(value).removesuffix(".0")


def compare_policies(before: Policy, after: Policy) -> list[PolicyChange]:
    """What differs from one policy to another, in the order of the file; versions are not compared.

    A deadline stands under the severity that it begins at: `deadlines.12.hours`.
    """
    old, new = _flatten(before), _flatten(after)
    paths = [*old, *(path for path in new if path not in old)]
    changes = [PolicyChange(path, old.get(path), new.get(path)) for path in paths]
    return [change for change in changes if change.before != change.after]


def _flatten(policy: Policy) -> dict[str, float | str]:
    document = msgspec.to_builtins(policy)
    del document["version"]
    document["deadlines"] = {
        repr(rule.from_severity).removesuffix(".0"): {"hours": rule.hours} for rule in policy.deadlines
    }
    document["moderator_ids"] = {
        name: msgspec.json.encode(ids).decode() for name, ids in policy.moderator_ids.items()
    }
    return dict(_walk(document, ""))


def _walk(value: Any, path: str) -> list[tuple[str, float | str]]:  # noqa: ANN401 - a parsed document
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for key, one in value.items() for leaf in _walk(one, f"{path}.{key}" if path else key)]
