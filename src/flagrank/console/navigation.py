"""The sections of the console: where each is, and which scope of a key opens it."""

from collections.abc import Collection

import msgspec

from flagrank.triage.api_key import Scope

CONSOLE = "/console"
QUEUE = f"{CONSOLE}/queue"
REVIEW = f"{CONSOLE}/review"
CASES = f"{CONSOLE}/cases"
LEAD = f"{CONSOLE}/lead"
TASKS = f"{CONSOLE}/tasks"
SUBMIT = f"{CONSOLE}/submit"
MODELS = f"{CONSOLE}/models"
POLICY = f"{CONSOLE}/policy"
SIGN_IN = f"{CONSOLE}/sign-in"


class Section(msgspec.Struct, frozen=True):
    """A link of the navigation; `further` are paths below which its other pages lie.

    A key opens it that has `scope`, or one of those `also` named.
    """

    label: str
    path: str
    scope: Scope
    further: tuple[str, ...] = ()
    also: tuple[Scope, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether a page is one of this section's."""
        return any(path == start or path.startswith(f"{start}/") for start in (self.path, *self.further))

    def opens_to(self, scopes: Collection[Scope]) -> bool:
        """Whether a key with these scopes may see its pages."""
        return any(scope in scopes for scope in (self.scope, *self.also))


SECTIONS = (
    Section("Queue", QUEUE, Scope.REVIEW, (CASES,)),
    Section("Review", REVIEW, Scope.REVIEW),
    Section("Lead", LEAD, Scope.REVIEW, also=(Scope.ADMIN,)),
    Section("Tasks", TASKS, Scope.TASKS),
    Section("Submit a file", SUBMIT, Scope.TASKS),
    Section("Models", MODELS, Scope.MODELS),
    Section("Policy", POLICY, Scope.POLICY),
)
# A key without any opens nothing here.
SCOPES = tuple(dict.fromkeys(scope for section in SECTIONS for scope in (section.scope, *section.also)))


def find_section(path: str) -> Section | None:
    """The section of a page; None for what belongs to none."""
    return next((section for section in SECTIONS if section.holds(path)), None)
