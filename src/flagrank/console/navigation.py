"""The sections of the console: where each is, and which scope of a key opens it."""

import msgspec

from flagrank.triage.api_key import Scope

CONSOLE = "/console"
QUEUE = f"{CONSOLE}/queue"
REVIEW = f"{CONSOLE}/review"
CASES = f"{CONSOLE}/cases"
TASKS = f"{CONSOLE}/tasks"
SUBMIT = f"{CONSOLE}/submit"
MODELS = f"{CONSOLE}/models"
SIGN_IN = f"{CONSOLE}/sign-in"


class Section(msgspec.Struct, frozen=True):
    """A link of the navigation; `further` are paths below which its other pages lie."""

    label: str
    path: str
    scope: Scope
    further: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether a page is one of this section's."""
        return any(path == start or path.startswith(f"{start}/") for start in (self.path, *self.further))


SECTIONS = (
    Section("Queue", QUEUE, Scope.REVIEW, (CASES,)),
    Section("Review", REVIEW, Scope.REVIEW),
    Section("Tasks", TASKS, Scope.TASKS),
    Section("Submit a file", SUBMIT, Scope.TASKS),
    Section("Models", MODELS, Scope.MODELS),
)
SCOPES = tuple(dict.fromkeys(section.scope for section in SECTIONS))  # a key without any opens nothing here


def find_section(path: str) -> Section | None:
    """The section of a page; None for what belongs to none."""
    return next((section for section in SECTIONS if section.holds(path)), None)
