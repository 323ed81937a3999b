"""Extras: a command whose parts are not installed says which to install."""

from collections.abc import Iterator
from contextlib import contextmanager

from flagrank.triage.errors import ExtraMissing


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import in this block what the extra brings; raises `ExtraMissing` where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "flagrank").split(".")[0] == "flagrank":
            raise
        raise ExtraMissing(
            f"This needs {error.name}, which the extra {extra!r} brings. "
            f"Install it with: pip install 'flagrank[{extra}]'"
        ) from error
