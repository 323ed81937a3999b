"""A file that appears whole or not at all."""

import fcntl
import gzip
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from flagrank.triage.errors import FileRefused

_GZIP_LEVEL = 6


@contextmanager
def write_whole(path: Path, *, is_gzip: bool) -> Iterator[BinaryIO]:
    """Give a stream whose bytes stand under `path` once the block has ended well.

    An earlier file there stays till then. What is written lies beside `path` in a hidden file, which goes
    where the block fails. A run that was killed leaves it behind, and the next run to the same `path` takes
    it over. Raises `FileRefused` where the place or the disk fails.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise FileRefused(f"{path} is no regular file. Name a file to write.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with os.fdopen(_claim(partial), "wb") as stream:
            try:
                with _maybe_packed(stream, is_gzip=is_gzip) as packed:
                    yield packed
                stream.flush()
                os.fsync(stream.fileno())
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        _sync_folder(target.parent)
    except OSError as error:
        raise FileRefused(
            f"{path} can't be written: {error.strerror or error}. Mend that, and run this again."
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder to write into, where it is missing; raises `FileRefused` where that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileRefused(f"{path} can't be made: {error.strerror or error}. Name another folder.") from error


def _claim(partial: Path) -> int:
    """Open the hidden file, empty, and lock it: the lock ends with its process, a dead run leaves none."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, partial):
                os.ftruncate(descriptor, 0)
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise FileRefused(
                f"Another run is writing {partial}. Wait for it, or name another file."
            ) from error
        os.close(descriptor)  # the run that held it has just renamed or removed it


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _maybe_packed(stream: BinaryIO, *, is_gzip: bool) -> AbstractContextManager[BinaryIO]:
    if not is_gzip:
        return nullcontext(stream)
    # Without a name and a time in it, equal reports give equal files.
    packed = gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, 0)
    return cast("AbstractContextManager[BinaryIO]", packed)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
