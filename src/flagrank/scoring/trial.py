"""A child with limits, for packages of strangers: 137 bytes of graph can ask for 8 GB."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from flagrank.triage.errors import PackageRefused

MEMORY_BYTES = 2 * 2**30


@contextmanager
def run_trial(
    module: str, given: Iterable[bytes], seconds: int, *, too_slow: str
) -> Iterator[tuple[IO[bytes], int]]:
    """Run a module of ours as a child on these bytes; what it has written, and its exit code.

    Blocks. Raises `PackageRefused` with the sentence `too_slow` where it is not done in time. The child
    itself calls `limit_trial`.
    """
    with (
        tempfile.TemporaryDirectory() as empty,  # a path in a graph finds nothing beside it
        tempfile.TemporaryFile() as order,
        tempfile.TemporaryFile() as answer,
    ):
        order.writelines(given)
        order.seek(0)
        try:
            child = subprocess.run(  # noqa: S603 - our own module, no shell
                [sys.executable, "-P", "-m", module],
                stdin=order,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PackageRefused(too_slow) from error
        answer.seek(0)
        yield answer, child.returncode


def limit_trial(cpu_seconds: int | None = None, file_bytes: int | None = None) -> None:
    """Let this process have no more memory than a trial may, nor more of these, and leave no core file."""
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    if cpu_seconds is not None:
        _limit(resource.RLIMIT_CPU, cpu_seconds)
    if file_bytes is not None:
        _limit(resource.RLIMIT_FSIZE, file_bytes)


def _limit(kind: int, most: int) -> None:
    """Lower a limit of this process; where a lower one stands already, it stays."""
    _, hard = resource.getrlimit(kind)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (limit, limit))
