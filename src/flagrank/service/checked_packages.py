"""Verifying a package once a server, not once a process: all would need the processor at the same moment."""

import fcntl
from pathlib import Path

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
            passed = self._folder / f"{sha256}.passed"
            if not passed.exists():
                verify_package(package)
                passed.touch()
