"""What is asked before a model is changed, and what a form answers."""

from enum import StrEnum
from typing import assert_never

import msgspec
from starlette.requests import Request

from flagrank.console.navigation import MODELS
from flagrank.triage.errors import ChangeRefused, ModelConflict, shorten
from flagrank.triage.model_registry import DEFAULT_SHARE, ActiveModels, ModelRole, PublishedModel

FORM_BYTES = 8 * 2**10  # 500 characters of any writing, escaped


class ChangeKind(StrEnum):
    """What can be done to one version, as its address calls it."""

    PROMOTE = "promote"
    CHALLENGER = "challenger"
    SHADOW = "shadow"
    END_ROLE = "end-role"
    DELETE = "delete"


_WORDS = {  # the question, its button, and the link of whoever says no
    ChangeKind.PROMOTE: ("Promote version {}?", "Promote it", "Leave it"),
    ChangeKind.CHALLENGER: ("Make version {} the challenger?", "Make it the challenger", "Leave it"),
    ChangeKind.SHADOW: ("Make version {} the shadow?", "Make it the shadow", "Leave it"),
    ChangeKind.END_ROLE: ("End the role of version {}?", "End its role", "Keep it"),
    ChangeKind.DELETE: ("Delete version {}?", "Delete it", "Keep it"),
}


class Answers(msgspec.Struct, frozen=True):
    """The texts of a form as they were sent; `to` is the version that a rollback is to return to."""

    reason: str = ""
    share: str = ""
    force: str = ""
    to: str = ""

    @property
    def is_forced(self) -> bool:
        """Whether a clear loss is to be passed over."""
        return self.force == "yes"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A page that asks: what it says, where its form leads, and where whoever says no goes.

    `share` is the one proposed, where one is asked for; `to` is what a rollback returns to.
    """

    title: str
    told: str
    button: str
    stay: str
    action: str
    back: str
    share: float | None = None
    to: int | None = None


async def read_answers(request: Request) -> Answers:
    """The fields of a form; those that are not sent are empty."""
    names = Answers.__struct_fields__
    async with request.form(max_files=0, max_fields=len(names), max_part_size=FORM_BYTES) as form:
        return Answers(**{name: str(form[name]).strip() for name in names if name in form})


def read_share(text: str) -> float:
    """A challenger's share; raises `ChangeRefused` where it is no number."""
    try:
        return float(text)
    except ValueError as error:
        raise ChangeRefused(
            f'The share is "{shorten(text, 40)}"; expected a number over 0, at most 1. Write 0.1 for a tenth.'
        ) from error


def ask_about(kind: ChangeKind, model: PublishedModel, active: ActiveModels) -> Question:
    """What is asked before this is done to a model. Raises `ModelConflict` where there is nothing to do."""
    version = model.version
    if model.role is ModelRole.CHAMPION:
        raise ModelConflict(
            f"Version {version} is the champion. Promote another version first, or roll back."
        )
    if kind is ChangeKind.END_ROLE and model.role is ModelRole.NONE:
        raise ModelConflict(f"Version {version} has no role that could end. Look at it again.")
    title, button, stay = _WORDS[kind]
    return Question(
        title=title.format(version),
        told=_tell(kind, model, active),
        button=button,
        stay=stay,
        action=f"{MODELS}/{version}/{kind}",
        back=f"{MODELS}/{version}",
        share=model.share or DEFAULT_SHARE if kind is ChangeKind.CHALLENGER else None,
    )


def ask_to_roll_back(champion: PublishedModel | None, before: PublishedModel | None) -> Question:
    """What is asked before a rollback. Raises `ModelConflict` where there is nothing to return to."""
    if champion is None or before is None:
        raise ModelConflict(
            "There is no champion before this one to return to. Promote the version that is to serve."
        )
    return Question(
        title=f"Roll back to version {before.version}?",
        told=f"Version {champion.version} serves now. Version {before.version}, the champion before it, will "
        "serve in its place, on every server within two seconds. Its package is verified first, and not "
        "compared.",
        button="Roll back",
        stay="Leave it",
        action=f"{MODELS}/rollback",
        back=f"{MODELS}/{champion.version}",
        to=before.version,
    )


def _tell(kind: ChangeKind, model: PublishedModel, active: ActiveModels) -> str:
    match kind:
        case ChangeKind.PROMOTE:
            return f"{_tell_promotion(active.champion)}{_tell_end(model)}"
        case ChangeKind.CHALLENGER:
            does = "It will score its share of the reports in the champion's place."
            return f"{does}{_tell_holder(ModelRole.CHALLENGER, model, active.challenger)}"
        case ChangeKind.SHADOW:
            does = "It will score beside the champion, for a sampled comparison and nothing else."
            return f"{does}{_tell_holder(ModelRole.SHADOW, model, active.shadow)}"
        case ChangeKind.END_ROLE:
            return f"It is the {model.role}, and will score no more. The role can be given to it again."
        case ChangeKind.DELETE:
            return (
                "Its package is deleted and can't be got back; its number is not given again. That it was "
                "there, and who deleted it, is kept."
            )
        case _:
            assert_never(kind)


def _tell_promotion(champion: PublishedModel | None) -> str:
    if champion is None:
        return "It becomes the champion, which every server serves within two seconds."
    return (
        f"It takes the place of version {champion.version}, the champion, on every server within two "
        "seconds. Before that its package is verified, and compared with the champion's on the rows that "
        "both have held out: that takes some seconds, and a clear loss is refused."
    )


def _tell_holder(role: ModelRole, model: PublishedModel, holder: PublishedModel | None) -> str:
    if holder is None or holder.version == model.version:
        return "" if model.role is role else _tell_end(model)
    return f" Version {holder.version}, which is the {role} now, will have no role.{_tell_end(model)}"


def _tell_end(model: PublishedModel) -> str:
    if model.role is ModelRole.NONE:
        return ""
    return f" Version {model.version} is the {model.role} no more then."
