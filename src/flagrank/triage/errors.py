"""Every error a user can cause: one class a kind, each with a stable code and one clear sentence."""

from collections.abc import Sequence

import msgspec


class FieldProblem(msgspec.Struct, frozen=True):
    """One bad field: where it is (`reports[3].popularity`, `line 7, column popularity`), and the sentence."""

    path: str
    detail: str


class FlagrankError(Exception):
    """The root of what a user can cause; `detail` says what is wrong, where, and what to do."""

    code = "error"

    def __init__(self, detail: str, fields: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = tuple(fields)


class MalformedBody(FlagrankError):
    """The body of a request is no JSON at all."""

    code = "malformed_body"


class InvalidReports(FlagrankError):
    """Some field of a report breaks its rule; `fields` names up to 20 of them."""

    code = "invalid_reports"


class NoModel(FlagrankError):
    """Nothing can be scored because no model is loaded."""

    code = "no_model"


class SchemaRefused(FlagrankError):
    """A schema file is not one that reports can be read by."""

    code = "schema_refused"


class PolicyRefused(FlagrankError):
    """A policy's file is not one that cases can be ranked by; `fields` names up to 20 places in it."""

    code = "policy_refused"


class PolicyNotFound(FlagrankError):
    """No policy has this version."""

    code = "policy_not_found"


class PolicyConflict(FlagrankError):
    """Another policy was activated since someone looked."""

    code = "policy_conflict"


class PackageRefused(FlagrankError):
    """A model package is damaged, foreign or hostile, and is not loaded."""

    code = "package_refused"


class ExplanationRefused(FlagrankError):
    """Scores can't be explained with this model, or not of so many reports at once."""

    code = "explanation_refused"


class FileRefused(FlagrankError):
    """A file of reports can't be read or written; `fields` names up to 20 bad cells."""

    code = "file_refused"


class TrainingRefused(FlagrankError):
    """No honest model can be made of this data, or the one made does not survive its checks."""

    code = "training_refused"


class SettingsRefused(FlagrankError):
    """A setting has a value that it can't have, or the settings together are not safe."""

    code = "settings_refused"


class ExtraMissing(FlagrankError):
    """A command needs an extra that is not installed."""

    code = "extra_missing"


class StoreUnavailable(FlagrankError):
    """The database does not answer, is full or is locked; the same request may succeed later."""

    code = "store_unavailable"


class StoreRefused(FlagrankError):
    """The database refuses this one value, and would again."""

    code = "store_refused"


class DatabaseRefused(FlagrankError):
    """The database is not one that this version can use: newer, older, damaged, or of another program."""

    code = "database_refused"


class IdempotencyConflict(FlagrankError):
    """An idempotency key came again with another body or query."""

    code = "idempotency_conflict"


class TaskNotFound(FlagrankError):
    """No task has this id."""

    code = "task_not_found"


class TaskConflict(FlagrankError):
    """The task's status does not allow this change."""

    code = "task_conflict"


class InvalidCursor(FlagrankError):
    """A cursor is none that a page gave."""

    code = "invalid_cursor"


class ModelNotFound(FlagrankError):
    """The registry has no such version."""

    code = "model_not_found"


class ModelConflict(FlagrankError):
    """The registry as it stands does not allow this change of a model."""

    code = "model_conflict"


class GateRefused(FlagrankError):
    """A model is clearly worse than the champion on the rows that both have held out."""

    code = "gate_refused"


class ChangeRefused(FlagrankError):
    """What was said of a change to a model (its reason, a role, a share) can't be meant."""

    code = "change_refused"


class CaseNotFound(FlagrankError):
    """No case has this id."""

    code = "case_not_found"


class CaseConflict(FlagrankError):
    """The case as it stands does not allow this: another moderator holds it, or it is decided otherwise."""

    code = "case_conflict"


class OwnCause(FlagrankError):
    """A moderator may not judge a case about themselves, or one that they reported."""

    code = "own_cause"


class TooManyLeases(FlagrankError):
    """As many leases stand as may at once, of one moderator or of all."""

    code = "too_many_leases"


class KeyNotFound(FlagrankError):
    """No API key in force has this name."""

    code = "key_not_found"


class KeyConflict(FlagrankError):
    """An API key of this name is in force already."""

    code = "key_conflict"


def shorten(cause: object, longest: int = 200) -> str:
    """What another library says, or a stranger's file holds, as part of a sentence: one printable line."""
    line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    shown = "".join(character if character.isprintable() else "?" for character in line[:longest])
    return shown.rstrip(". ") + (" [...]" if len(line) > longest else "")
