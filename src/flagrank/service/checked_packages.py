"""Verifying a package once a server, not once a process: all would need the processor at the same moment."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from flagrank.scoring.package import Package, unpack_package
from flagrank.scoring.verification import verify_package
from flagrank.triage.model_registry import ModelRegistry, PublishedModel


class CheckedPackages:
    """Which packages the processes of one server have verified, as files in a folder that is theirs alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, registry: ModelRegistry, published: PublishedModel) -> Package:
        """Read a published package, verified unless another process has; one that is at it is waited for.

        Raises `PackageRefused`, `ModelNotFound` or `StoreUnavailable`.
        """
        content = registry.load_package(published.version)
        package = unpack_package(content, f"model {published.version}")
        with (self._folder / f"{published.sha256}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.has_passed(published.sha256):
                verify_package(package)
                self.note(published.sha256)
        return package

    def has_passed(self, sha256: str) -> bool:
        """Whether a package of this hash was verified."""
        return (self._folder / f"{sha256}.passed").exists()

    def note(self, sha256: str) -> None:
        """Remember that a package of this hash was verified."""
        (self._folder / f"{sha256}.passed").touch()


@contextmanager
def no_packages_checked() -> Iterator[CheckedPackages]:
    """For a process that shares with no other."""
    with TemporaryDirectory(prefix="flagrank-") as folder:
        yield CheckedPackages(Path(folder))
