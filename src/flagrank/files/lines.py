"""The lines of a text file, plain or gzipped: UTF-8 without NUL, of bounded length."""

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from flagrank.triage.errors import FileRefused

MAX_LINE_BYTES = 64 * 2**20  # bounds the memory that a file without line ends takes
_BUFFER_BYTES = 2**17
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def open_bytes(path: Path) -> BinaryIO:
    """Open a regular file that holds something; raises `FileRefused` where it is none or can't be read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileRefused(f"{path} is no regular file. Name a file.")
        if not status.st_size:
            raise FileRefused(f"{path} is empty. Write reports into it.")
        return path.open("rb")
    except OSError as error:
        raise FileRefused(
            f"{path} can't be read: {error.strerror}. Check its name and its permissions."
        ) from error


class TextLines:
    """Gives each line with its end, once, without a byte-order mark. Used in `with`."""

    def __init__(self, path: Path, *, is_gzip: bool) -> None:
        """Open the file; raises `FileRefused` where it can't be."""
        self.path = path
        self._raw = open_bytes(path)
        self._size = path.stat().st_size
        self._stream = self._raw
        if is_gzip:  # a GzipFile gives lines by a loop in Python; a buffer over it gives them by one in C
            self._stream = io.BufferedReader(gzip.GzipFile(fileobj=self._raw, mode="rb"), _BUFFER_BYTES)

    @property
    def share_read(self) -> float:
        """How much of the file, as it lies on the disk, has been read: 0 .. 1."""
        return self._raw.tell() / self._size

    def __iter__(self) -> Iterator[str]:
        """Raises `FileRefused` for what is no text, and for gzip that is cut off or has something behind."""
        number = 0
        try:
            for encoded in iter(partial(self._stream.readline, MAX_LINE_BYTES), b""):
                number += 1
                yield self._decode(encoded, number)
        except (EOFError, zlib.error, OSError) as error:
            reason = str(error).rstrip(".")
            raise FileRefused(
                f"{self.path} can't be read to its end: {reason}. Make the file again."
            ) from error

    def _decode(self, encoded: bytes, number: int) -> str:
        if number == 1:
            encoded = encoded.removeprefix(_BYTE_ORDER_MARK)
        if len(encoded) == MAX_LINE_BYTES:
            limit = f"{MAX_LINE_BYTES // 2**20} MiB"
            raise self._refuse(number, f"is longer than {limit}. Split it, or end lines by \\n.")
        try:
            line = encoded.decode()
        except UnicodeDecodeError as error:
            place = f"at its byte {error.start + 1}"
            raise self._refuse(number, f"is not UTF-8 {place}. Save the file in UTF-8.") from error
        if "\0" in line:
            raise self._refuse(number, "holds a NUL character, which no text does. Remove it.")
        return line

    def _refuse(self, number: int, fault: str) -> FileRefused:
        return FileRefused(f"{self.path}: line {number} {fault}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()
        self._raw.close()
