"""Disks that are full when a test says so, and have room again when it says so."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from flagrank.service.store import FILE

DISK_BYTES = 4 * 2**20


class Disk(Protocol):
    """Where a database lies."""

    folder: Path

    def fill(self, pid: int) -> None:
        """Leave no room for this process and its children."""
        ...

    def free(self, pid: int) -> None:
        """Make room again."""
        ...


class SmallDisk:
    """A file system of its own, full to the last page: the real thing, for whoever may mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, _pid: int) -> None:
        with pytest.raises(OSError, match="No space left"):
            self._filler.write_bytes(bytes(DISK_BYTES))

    def free(self, _pid: int) -> None:
        self._filler.unlink()


class LimitedFiles:
    """Files that the system lets grow no further, for whoever may not mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pid: int) -> None:
        self._limit(pid, (self.folder / f"{FILE}-wal").stat().st_size)

    def free(self, pid: int) -> None:
        self._limit(pid, resource.RLIM_INFINITY)

    def _limit(self, pid: int, most_bytes: int) -> None:
        for one in find_tree(pid):
            _, hard = resource.prlimit(one, resource.RLIMIT_FSIZE)
            resource.prlimit(one, resource.RLIMIT_FSIZE, (most_bytes, hard))


def find_tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            for child in children.read_text().split():
                yield from find_tree(int(child))


def mount(folder: Path) -> bool:
    """Whether a small file system is mounted there now."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def make_disk() -> Iterator[Disk]:
    """The best of the two that this machine offers."""
    with TemporaryDirectory(prefix="flagrank-disk-") as name:
        folder = Path(name)
        if not mount(folder):
            yield LimitedFiles(folder)
            return
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)  # a server's worker ends after it


@contextmanager
def make_limited_files() -> Iterator[Disk]:
    with TemporaryDirectory(prefix="flagrank-disk-") as name:
        yield LimitedFiles(Path(name))
