"""Verifying a package once a server, not once a process: all would need the processor at the same moment."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from flagrank.scoring.package import Package
from flagrank.scoring.verification import verify_package


class CheckedPackages:
    """Which packages the processes of one server have verified, as files in a folder that is theirs alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def verify(self, sha256: str, package: Package) -> None:
        """Verify a package of this hash unless another process has; one that is at it is waited for.

        Raises `PackageRefused`.
        """
        with (self._folder / f"{sha256}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.has_passed(sha256):
                verify_package(package)
                self.note(sha256)

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
